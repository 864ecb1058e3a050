"""A block: one thing in the transcript, which paints itself and remembers what it painted."""

from __future__ import annotations

from typing import ClassVar

from textual.strip import Strip

from claw.tui.look import Look


class Block:
    """Something that was said or done.

    Whoever changes a block calls `touch`. `lines` paints when width, look or content differ from the last time,
    and keeps that until `forget`: the transcript does so with what is far from the screen.

    What a block paints comes from models, files and commands: every string goes through `claw.printable` (or
    `claw.tui.ansi`) before it becomes a segment. A strip is never wider than `width` cells.
    """

    foldable: ClassVar[bool] = False  # whether `folded` makes a difference
    spaced: ClassVar[bool] = True  # an empty line before it, and after it

    def __init__(self) -> None:
        self.folded = False
        self._version = 0
        self._painted: tuple[int, Look, int, bool] | None = None
        self._lines: list[Strip] = []

    def touch(self) -> None:
        self._version += 1

    def fold(self, folded: bool) -> None:
        if self.foldable and folded != self.folded:
            self.folded = folded
            self.touch()

    def lines(self, width: int, look: Look) -> list[Strip]:
        """What stands on the screen. Lines that did not change are the same objects as before, where that is cheap."""
        state = (width, look, self._version, self.folded)
        if self._painted is None or self._painted != state:
            self._lines = self.paint(width, look)
            self._painted = state
        return self._lines

    def forget(self) -> None:
        self._painted = None
        self._lines = []

    def paint(self, width: int, look: Look) -> list[Strip]:
        raise NotImplementedError

    def plain(self) -> str:
        """What is copied and searched: the whole content, folded or not."""
        raise NotImplementedError
