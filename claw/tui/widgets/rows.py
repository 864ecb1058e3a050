"""A widget that is as high as what it has to say, painted row by row."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from claw.tui.look import Look


class Rows(Widget, can_focus=False):
    """Subclasses give `rows`; they call `refresh(layout=True)` when these change."""

    DEFAULT_CSS = "Rows { height: auto; background: $background; display: none; padding: 0 1; }"

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def restyle(self, look: Look) -> None:
        self.look = look
        self.refresh()

    def rows(self, width: int) -> list[Strip]:
        """None wider than `width` cells."""
        raise NotImplementedError

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.rows(max(width, 1)))

    def render_line(self, y: int) -> Strip:
        rows = self.rows(max(self.size.width, 1))
        line = rows[y] if y < len(rows) else Strip.blank(0)
        return line.extend_cell_length(self.size.width).apply_style(self.rich_style)
