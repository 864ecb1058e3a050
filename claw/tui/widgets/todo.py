"""The plan, as long as there is something to do in it."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from claw.protocol.details import TodoItem
from claw.tui.blocks.paint import strip
from claw.tui.blocks.tool import todo_lines
from claw.tui.look import Look

_MOST_ROWS = 6
_LEAST_SCREEN = 20


class TodoPanel(Widget, can_focus=False):
    """At most six rows: what is being done, and what comes next."""

    DEFAULT_CSS = "TodoPanel { height: auto; background: $background; display: none; padding: 0 1; }"

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._items: tuple[TodoItem, ...] = ()

    def restyle(self, look: Look) -> None:
        self._look = look
        self.refresh()

    def show(self, items: tuple[TodoItem, ...]) -> None:
        self._items = items
        is_open = any(item.status != "done" for item in items)
        self.display = is_open and self.app.size.height >= _LEAST_SCREEN
        self.refresh(layout=True)

    def rows(self, width: int) -> list[Strip]:
        done = sum(item.status == "done" for item in self._items)
        left = tuple(item for item in self._items if item.status != "done")
        head = strip((f"plan · {done} of {len(self._items)} done", self._look.dim))
        lines = todo_lines(left, width, self._look)
        if len(lines) > _MOST_ROWS - 1:
            lines = [*lines[: _MOST_ROWS - 2], strip((f"… {len(lines) - _MOST_ROWS + 2} more", self._look.dim))]
        return [head.crop(0, width), *lines]

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.rows(max(width, 1)))

    def render_line(self, y: int) -> Strip:
        rows = self.rows(max(self.size.width, 1))
        line = rows[y] if y < len(rows) else Strip.blank(0)
        return line.extend_cell_length(self.size.width).apply_style(self.rich_style)
