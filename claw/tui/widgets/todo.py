"""The plan, as long as there is something to do in it."""

from __future__ import annotations

from textual.strip import Strip

from claw.protocol.details import TodoItem
from claw.tui.blocks.paint import strip
from claw.tui.blocks.tool import todo_lines
from claw.tui.look import Look
from claw.tui.widgets.rows import Rows

_MOST_ROWS = 6
_LEAST_SCREEN = 20


class TodoPanel(Rows):
    """At most six rows: what is being done, and what comes next."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._items: tuple[TodoItem, ...] = ()

    def show(self, items: tuple[TodoItem, ...]) -> None:
        self._items = items
        is_open = any(item.status != "done" for item in items)
        self.display = is_open and self.app.size.height >= _LEAST_SCREEN
        self.refresh(layout=True)

    def rows(self, width: int) -> list[Strip]:
        done = sum(item.status == "done" for item in self._items)
        left = tuple(item for item in self._items if item.status != "done")
        head = strip((f"plan · {done} of {len(self._items)} done", self.look.dim))
        lines = todo_lines(left, width, self.look)
        if len(lines) > _MOST_ROWS - 1:
            lines = [*lines[: _MOST_ROWS - 2], strip((f"… {len(lines) - _MOST_ROWS + 2} more", self.look.dim))]
        return [head.crop(0, width), *lines]
