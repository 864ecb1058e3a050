"""The transcript's content: blocks in order, and who wants to know of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from claw.tui.blocks.base import Block


class Document:
    """Blocks in the order of the session. `version` grows with every change; `on_change` is called after one.

    Blocks are put in front when older ones are read from the log, so whoever points at one by its number listens
    to `on_shift` too, which says by how many the numbers grew.
    """

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self.version = 0
        self.on_change: Callable[[], None] = lambda: None
        self.on_shift: Callable[[int], None] = lambda count: None

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, number: int) -> Block:
        return self._blocks[number]

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks)

    def index(self, block: Block) -> int:
        """*Cost*: from the end backwards; what is asked for is nearly always among the newest."""
        for number in range(len(self._blocks) - 1, -1, -1):
            if self._blocks[number] is block:
                return number
        raise ValueError("no such block")

    def append(self, block: Block) -> None:
        self._blocks.append(block)
        self.changed()

    def prepend(self, blocks: list[Block]) -> None:
        """Older ones, in their order."""
        self._blocks[:0] = blocks
        self.on_shift(len(blocks))
        self.changed()

    def remove(self, block: Block) -> None:
        del self._blocks[self.index(block)]
        self.changed()

    def clear(self) -> None:
        self._blocks.clear()
        self.changed()

    def changed(self) -> None:
        self.version += 1
        self.on_change()
