"""The transcript on the screen: one widget for all blocks, which repaints only the rows that changed."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from claw.tui.document import Document
from claw.tui.look import Look
from claw.tui.widgets.view import Row, View, moved_by

MARGIN = 1
_WHEEL_LINES = 3


class Transcript(Widget, can_focus=False):
    """Shows a document. Whoever changes it calls `update`, some 25 times a second at most.

    Not a ScrollView: that lays out the whole screen for every new line, and paints every row for every scroll.
    """

    DEFAULT_CSS = """
    Transcript { height: 1fr; width: 1fr; background: $background; }
    """

    class Moved(Message):
        """Another part is shown."""

        def __init__(self, follows: bool, near_top: bool) -> None:
            super().__init__()
            self.follows = follows
            self.near_top = near_top

    WORDS: ClassVar[str] = ""

    def __init__(self, document: Document, look: Look) -> None:
        super().__init__()
        self._document = document
        self._view = View(document)
        self._view.look = look
        self._rows: list[Row] = []
        self._painted: dict[int, Strip] = {}
        self._words = ""

    @property
    def look(self) -> Look:
        assert self._view.look
        return self._view.look

    def restyle(self, look: Look) -> None:
        self._view.look = look
        self._repaint()

    @property
    def follows(self) -> bool:
        return self._view.follows

    def on_resize(self, event: events.Resize) -> None:
        self._view.width = max(event.size.width - 2 * MARGIN, 1)
        self._view.height = max(event.size.height, 1)
        self._repaint()

    def _repaint(self) -> None:
        self._rows = self._view.rows()
        self.refresh()

    def update(self) -> None:
        """The document changed, or the place was moved: refresh the rows that differ."""
        if not self.is_attached or self.size.height == 0:
            return
        old, new = self._rows, self._view.rows()
        self._rows = new
        if len(old) != len(new):
            self.refresh()
            return
        shift = (
            moved_by(old, new, len(new) - 1)
            if any(a.strip is not b.strip for a, b in zip(old, new, strict=True))
            else 0
        )
        if shift and self._scroll_terminal(shift):
            blank = [Row(Strip.blank(0), -1)] * abs(shift)
            old = [*old[shift:], *blank] if shift > 0 else [*blank, *old[:shift]]
        changed = [y for y, (a, b) in enumerate(zip(old, new, strict=True)) if a.strip is not b.strip]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        if (self._view.follows, self._view.top.block == 0) != self._told:
            self._told = (self._view.follows, self._view.top.block == 0)
            self.post_message(self.Moved(*self._told))

    _told = (True, False)

    def _scroll_terminal(self, shift: int) -> bool:
        """Whether the terminal itself moves the rows, so that only new ones need be written."""
        hint = getattr(self.app, "scroll_hint", None)
        if hint is None or self.region.width != self.app.size.width or len(self.app.screen_stack) > 1:
            return False
        return bool(hint(self.region.y, self.region.bottom, shift))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Straight from the rows: the styles cache would keep every line that was ever seen."""
        width = self.size.width
        background = self.rich_style
        lines = []
        for y in range(crop.y, crop.bottom):
            strip = self._rows[y].strip if y < len(self._rows) else Strip.blank(0)
            if self._words:
                strip = marked(strip, self._words, self.look.search)
            line = (
                Strip([Segment(" " * MARGIN), *strip]).extend_cell_length(width).crop(0, width).apply_style(background)
            )
            lines.append(line.crop(crop.x, crop.right) if crop.width != width else line)
        return lines

    # Moving

    def scroll_lines(self, lines: int) -> None:
        self._view.scroll(lines)
        self.update()

    def scroll_pages(self, pages: float) -> None:
        self.scroll_lines(int(pages * max(self.size.height - 2, 1)))

    def go_to_top(self) -> None:
        self._view.go_to(0)
        self.update()

    def go_to_end(self) -> None:
        self._view.end()
        self.update()

    def go_to(self, number: int) -> None:
        self._view.go_to(number, above=1)
        self.update()

    @property
    def top_block(self) -> int:
        return self._view.top.block

    def position(self) -> str:
        """Where the top is, in hundredths of the blocks."""
        return f"{self._view.top.block * 100 // max(len(self._document) - 1, 1)} %"

    def highlight(self, words: str) -> None:
        """Mark `words` wherever they are seen; none if empty."""
        self._words = words
        self.refresh()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_lines(-_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_lines(_WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """Fold or unfold what was clicked."""
        number = self._rows[event.y].block if 0 <= event.y < len(self._rows) else -1
        if number >= 0 and (block := self._document[number]).foldable:
            block.fold(not block.folded)
            self._document.changed()


def marked(strip: Strip, words: str, style: Style) -> Strip:
    """`words` in `style`, in any case of letters."""
    text, wanted = strip.text.lower(), words.lower()
    start = text.find(wanted)
    if start < 0 or len(text) != len(strip.text):
        return strip
    cuts = []
    while start >= 0:
        cuts.append((start, start + len(wanted)))
        start = text.find(wanted, start + len(wanted))
    segments: list[Segment] = []
    position = 0
    for segment in strip:
        for part, inside in _parts(segment.text, position, cuts):
            segments.append(Segment(part, (segment.style or Style()) + style if inside else segment.style))
        position += len(segment.text)
    return Strip(segments, strip.cell_length)


def _parts(text: str, position: int, cuts: list[tuple[int, int]]) -> list[tuple[str, bool]]:
    parts = []
    at = 0
    for start, end in cuts:
        first, last = max(start - position, at), min(end - position, len(text))
        if last <= at or first >= len(text):
            continue
        if first > at:
            parts.append((text[at:first], False))
        parts.append((text[first:last], True))
        at = last
    if at < len(text):
        parts.append((text[at:], False))
    return parts
