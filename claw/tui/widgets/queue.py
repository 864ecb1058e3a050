"""What was said for later: it is sent when the run has ended."""

from __future__ import annotations

from textual.strip import Strip

from claw.printable import one_line
from claw.tui.blocks.paint import strip
from claw.tui.look import Look
from claw.tui.widgets.rows import Rows

_MOST_ROWS = 4


class QueuePanel(Rows):
    """A row for each message that waits."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._texts: list[str] = []

    def show(self, texts: list[str]) -> None:
        self._texts = list(texts)
        self.display = bool(texts)
        self.refresh(layout=True)

    def rows(self, width: int) -> list[Strip]:
        shown = self._texts[: _MOST_ROWS - 1] if len(self._texts) > _MOST_ROWS else self._texts
        rows = [strip((one_line(f"{number}. {text}", max(width, 2)), self.look.user)).crop(0, width)
                for number, text in enumerate(shown, 1)]  # fmt: skip
        if more := len(self._texts) - len(shown):
            rows.append(strip((f"… {more} more", self.look.dim)))
        return [*rows, strip(("queued; Up on an empty prompt takes the last one back", self.look.dim)).crop(0, width)]
