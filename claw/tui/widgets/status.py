"""The status line: what matters most at the left, and as much of the rest as there is room for."""

from __future__ import annotations

import time
from typing import NamedTuple

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from claw.printable import printable
from claw.tui.blocks.paint import Piece, strip
from claw.tui.blocks.tool import brief_time
from claw.tui.figures import Figures
from claw.tui.look import Look

_BAR_CELLS = 5


class Field(NamedTuple):
    """`rank`: the higher ones are left out first."""

    rank: int
    text: str
    style: Style


class StatusLine(Widget, can_focus=False):
    """One row. It ticks only while a run goes on."""

    DEFAULT_CSS = "StatusLine { height: 1; background: $background; }"

    def __init__(self, look: Look, figures: Figures) -> None:
        super().__init__()
        self._look = look
        self._figures = figures
        self._line = Strip.blank(0)
        self._hint = ""
        self._hint_until = 0.0
        self._ticking: Timer | None = None
        self.branch = ""
        self.n_queued = 0
        self.position = ""

    def restyle(self, look: Look) -> None:
        self._look = look
        self.update()

    def hint(self, text: str, seconds: float) -> None:
        """Say something in place of the state for a while."""
        self._hint, self._hint_until = text, time.monotonic() + seconds
        self.update()
        self.set_timer(seconds, self.update)

    def on_resize(self) -> None:
        self.update()

    def update(self) -> None:
        """Repaint if something that is shown has changed."""
        if self._figures.run_started is not None and self._ticking is None:
            self._ticking = self.set_interval(1, self.update)
        elif self._figures.run_started is None and self._ticking is not None:
            self._ticking.stop()
            self._ticking = None
        line = status_strip(self.fields(time.time()), self.size.width)
        if line.text != self._line.text or line != self._line:
            self._line = line
            self.refresh()

    def fields(self, now: float) -> list[Field]:
        look, figures = self._look, self._figures
        state = Field(0, figures.state, look.dim if figures.state == "ready" else look.accent)
        if self._hint and time.monotonic() < self._hint_until:
            state = Field(0, self._hint, look.warning)
        elif figures.run_started is not None and now - figures.run_started >= 1:
            state = Field(0, f"{figures.state} {brief_time(now - figures.run_started)}", look.accent)
        elif figures.state == "waiting for you":
            state = Field(0, state.text, look.warning)
        sandbox = figures.sandbox or "…"
        fields = [
            state,
            Field(1, self.position, look.warning) if self.position else Field(9, "", look.dim),
            Field(4, f"{printable(figures.model)}@{printable(figures.host)}" if figures.model else "", look.dim),
            Field(2, figures.mode, look.warning if figures.mode == "full-auto" else look.dim),
            Field(3, "not confined" if sandbox == "none" else sandbox, look.warning if sandbox == "none" else look.dim),
            Field(3, f"context {figures.context_share:.0%}" if figures.context_tokens else "",
                  look.warning if figures.context_share > 0.8 else look.dim),
            Field(6, f"cached {figures.cached_share:.0%}" if figures.usage.cached else "", look.dim),
            Field(3, self._cost(), look.dim),
            Field(7, printable(self.branch), look.dim),
            Field(2, f"{self.n_queued} queued" if self.n_queued else "", look.dim),
            Field(5, f"{figures.n_running} running" if figures.n_running > 1 else "", look.dim),
        ]  # fmt: skip
        if used := figures.used_limit(now):
            fields.append(Field(2, f"{used[0]} {self._bar(used[1])}", look.warning if used[1] > 0.8 else look.dim))
        return [field for field in fields if field.text]

    def _cost(self) -> str:
        if self._figures.cost_usd is None:
            return "cost unknown"
        if not self._figures.usage.total:
            return ""
        forecast = self._figures.forecast_usd()
        return f"${self._figures.cost_usd:.2f}" + (f" (${forecast:.2f}/h)" if forecast else "")

    def _bar(self, share: float) -> str:
        full = round(share * _BAR_CELLS)
        return ("#" * full + "-" * (_BAR_CELLS - full)) if self._look.ascii else "▰" * full + "▱" * (_BAR_CELLS - full)

    def render_lines(self, crop: object) -> list[Strip]:
        return [self._line.extend_cell_length(self.size.width).apply_style(self.rich_style)]


def status_strip(fields: list[Field], width: int) -> Strip:
    """The fields in their order, with those of the highest rank left out until the others fit."""
    kept = list(fields)
    while kept and sum(cell_len(field.text) + 3 for field in kept) - 3 + 2 > width:
        if len(kept) == 1:
            return strip((" " + kept[0].text, kept[0].style)).crop(0, width)
        kept.remove(max(reversed(kept), key=lambda field: field.rank))
    pieces: list[Piece] = [(" ", Style())]
    for number, field in enumerate(kept):
        pieces += ([("   ", Style())] if number else []) + [(field.text, field.style)]
    return strip(*pieces)
