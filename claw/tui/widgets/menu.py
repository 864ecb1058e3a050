"""What could be meant, above the prompt: moved in by keys that the prompt hands on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from claw.printable import one_line
from claw.tui.blocks.paint import fitted, strip
from claw.tui.look import Look
from claw.tui.prompt.completion import Suggestion
from claw.tui.widgets.rows import Rows

MOST_ROWS = 8


class Menu(Rows):
    DEFAULT_CSS = "Menu { margin: 1 0 0 0; }"

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._suggestions: Sequence[Suggestion] = ()
        self._place = 0

    @property
    def is_open(self) -> bool:
        return bool(self._suggestions)

    @property
    def chosen(self) -> Suggestion:
        return self._suggestions[self._place]

    def show(self, suggestions: Sequence[Suggestion]) -> None:
        if not suggestions and not self._suggestions:
            return
        chosen = self.chosen.text if self._suggestions and self._place else None
        places = [number for number, each in enumerate(suggestions) if each.text == chosen]
        self._suggestions, self._place = suggestions, places[0] if places else 0
        self.display = bool(suggestions)
        self.refresh(layout=True)

    def move(self, step: int) -> None:
        self._place = (self._place + step) % len(self._suggestions)
        self.refresh()

    def rows(self, width: int) -> list[Strip]:
        look = self.look
        top = max(0, min(self._place - MOST_ROWS // 2, len(self._suggestions) - MOST_ROWS))
        shown = self._suggestions[top : top + MOST_ROWS]
        column = min(max((len(each.shown) for each in shown), default=0) + 2, max(width // 2, 1))
        rows = []
        for number, each in enumerate(shown, top):
            is_here = number == self._place
            details = one_line(each.details, max(width - column, 1)) if each.details else ""
            text = fitted(one_line(each.shown, 400), width if not details else column - 1)
            gap = " " * max(column - len(text), 1) if details else ""
            row = strip((text, look.accent if is_here else look.text), (gap + details, look.dim)).crop(0, width)
            if is_here:
                row = row.extend_cell_length(width)
                row = Strip([Segment(part.text, (part.style or Style()) + look.selection) for part in row])
            rows.append(row)
        return rows
