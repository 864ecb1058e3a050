"""What was said for later: it is sent when the run has ended."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from claw.printable import one_line
from claw.tui.blocks.paint import strip
from claw.tui.look import Look

_MOST_ROWS = 4


class QueuePanel(Widget, can_focus=False):
    """A row for each message that waits."""

    DEFAULT_CSS = "QueuePanel { height: auto; background: $background; display: none; padding: 0 1; }"

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look
        self._texts: list[str] = []

    def restyle(self, look: Look) -> None:
        self._look = look
        self.refresh()

    def show(self, texts: list[str]) -> None:
        self._texts = list(texts)
        self.display = bool(texts)
        self.refresh(layout=True)

    def rows(self, width: int) -> list[Strip]:
        shown = self._texts[: _MOST_ROWS - 1] if len(self._texts) > _MOST_ROWS else self._texts
        rows = [strip((one_line(f"{number}. {text}", max(width, 2)), self._look.user)).crop(0, width)
                for number, text in enumerate(shown, 1)]  # fmt: skip
        if more := len(self._texts) - len(shown):
            rows.append(strip((f"… {more} more", self._look.dim)))
        return [*rows, strip(("queued; Up on an empty prompt takes the last one back", self._look.dim)).crop(0, width)]

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        return len(self.rows(max(width, 1)))

    def render_line(self, y: int) -> Strip:
        rows = self.rows(max(self.size.width, 1))
        line = rows[y] if y < len(rows) else Strip.blank(0)
        return line.extend_cell_length(self.size.width).apply_style(self.rich_style)
