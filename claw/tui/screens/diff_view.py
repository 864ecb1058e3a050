"""Diffs on the screen, with a cursor: moving about in them, and painting what is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from claw.tui.blocks.diff import SPLIT_CELLS
from claw.tui.blocks.paint import strip
from claw.tui.look import Look
from claw.tui.screens.diffs import FileLike, LineLike, Page, Place

LIST_CELLS = 120  # from here on the files are listed at the left
_WHEEL_LINES = 3


class DiffView(Widget, can_focus=True):
    """The page on the screen, with a cursor on one of its lines; what is decided applies to the hunk of that line."""

    DEFAULT_CSS = """
    DiffView { height: 1fr; width: 1fr; background: $background; }
    """
    KEYS: ClassVar[Mapping[str, tuple[str, float]]] = {
        "j": ("next_hunk", 1), "right": ("next_hunk", 1), "k": ("next_hunk", -1), "left": ("next_hunk", -1),
        "J": ("next_file", 1), "]": ("next_file", 1), "K": ("next_file", -1), "[": ("next_file", -1),
        "down": ("next_line", 1), "up": ("next_line", -1),
        "pagedown": ("scroll_pages", 1), "ctrl+f": ("scroll_pages", 1), "pageup": ("scroll_pages", -1),
        "ctrl+b": ("scroll_pages", -1), "ctrl+d": ("scroll_pages", 0.5), "ctrl+u": ("scroll_pages", -0.5),
        "home": ("edge", -1), "g": ("edge", -1), "end": ("edge", 1), "G": ("edge", 1),
        "n": ("find_next", 1), "N": ("find_next", -1),
    }  # fmt: skip

    class Moved(Message):
        """The cursor stands elsewhere, or something else is shown."""

    def __init__(self, files: Sequence[FileLike], look: Look) -> None:
        super().__init__()
        self.page = Page(files, look)
        self.split: bool | None = None  # None is by width
        self.cursor = self.page.start_of(0) if files else Place(0, 0)
        self._top = Place(0, 0)

    @property
    def file(self) -> FileLike | None:
        return self.page.files[self.cursor.file] if self.page.files else None

    @property
    def hunk(self) -> int:
        """The number of the one that the cursor is in."""
        return self.page.entries(self.cursor.file)[self.cursor.entry].hunk

    @property
    def line(self) -> LineLike | None:
        """The one under the cursor."""
        return self.page.entries(self.cursor.file)[self.cursor.entry].line if self.page.files else None

    def press(self, event: events.Key) -> bool:
        """Whether the key was one of those that move about. The screen hands them on, in their order."""
        found = self.KEYS.get(event.character or "") or self.KEYS.get(event.key)
        if found:
            getattr(self, found[0])(found[1])
        elif event.key == "v":
            self.turn()
        else:
            return False
        return True

    # Layout

    @property
    def list_cells(self) -> int:
        """The width of the list of files, with the space after it."""
        return min(max(self.size.width // 4, 28), 44) if self.size.width >= LIST_CELLS else 0

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width = max(self.size.width - self.list_cells - 1, 1)
        self._keep_place(lambda: self.page.lay_out(width, width >= SPLIT_CELLS if self.split is None else self.split))

    def changed(self) -> None:
        """The hunks or the comments of the current file are others than before."""
        self._keep_place(lambda: self.page.changed(self.cursor.file))

    def _keep_place(self, change: Callable[[], None]) -> None:
        """What the cursor is on stays the same, and as far from the top of the screen."""
        if not self.page.files:
            self.refresh()
            return
        line = self.page.entries(self.cursor.file)[self.cursor.entry].line
        visible = self._places()
        offset = next((y for y, place in enumerate(visible) if place[:2] == self.cursor[:2]), 0)
        change()
        file = self.cursor.file
        found = self.page.find(file, (line.old, line.new)) if line else None
        self.cursor = found or self.page.start_of(file)
        self._top = self.page.moved(self.cursor, -offset)
        self._show(self.cursor, self.cursor)

    # Moving

    def _places(self) -> list[Place]:
        """What is on the screen, row by row."""
        found = [self._top]
        while len(found) < self.size.height:
            there = self.page.moved(found[-1], 1)
            if there == found[-1]:
                break
            found.append(there)
        return found

    def _show(self, first: Place, last: Place) -> None:
        """Scroll as little as it takes to see both, or else the first."""
        page, height = self.page, max(self.size.height, 1)
        last = last._replace(row=len(page.rows(last)) - 1)
        margin = min(2, (height - 1) // 4)
        if page.moved(first, -margin) < self._top:
            self._top = page.moved(first, -margin)
        lowest = page.moved(page.moved(last, margin), 1 - height)
        if self._top < lowest:
            self._top = min(lowest, page.moved(first, -margin))
        self._clamp()
        self.refresh()
        self.post_message(self.Moved())

    def _clamp(self) -> None:
        self._top = min(self._top, self.page.moved(self.page.end, 1 - max(self.size.height, 1)))

    def go_to(self, file: int, hunk: int = 0) -> None:
        page = self.page
        self.cursor = page.start_of(file, hunk)
        mine = [n for n, entry in enumerate(page.entries(file)) if entry.hunk == hunk and entry.kind != "blank"]
        self._show(Place(file, mine[0]), Place(file, mine[-1]))

    def next_hunk(self, step: Literal[1, -1]) -> None:
        if (there := self._beside(step)) is not None:
            self.go_to(*there)

    def _beside(self, step: Literal[1, -1]) -> tuple[int, int] | None:
        if not self.page.files:
            return None
        file, hunk = self.cursor.file, self.hunk + step
        if 0 <= hunk < len(self.page.files[file].hunks):
            return file, hunk
        file += step
        if not 0 <= file < len(self.page.files):
            return None
        return file, 0 if step == 1 else len(self.page.files[file].hunks) - 1

    def go_to_undecided(self) -> None:
        """The next hunk below without a decision; the cursor stays if there is none."""
        file, hunk = self.cursor.file, self.hunk + 1
        while file < len(self.page.files):
            while hunk < len(self.page.files[file].hunks):
                if not self.page.files[file].decision(hunk):
                    self.go_to(file, hunk)
                    return
                hunk += 1
            file, hunk = file + 1, 0

    def next_file(self, step: Literal[1, -1]) -> None:
        if 0 <= self.cursor.file + step < len(self.page.files):
            self.go_to(self.cursor.file + step)

    def next_line(self, step: Literal[1, -1]) -> None:
        if self.page.files and (there := self.page.stop(self.cursor, step)):
            self.cursor = there
            self._show(there, there)

    def edge(self, step: Literal[1, -1]) -> None:
        if self.page.files:
            edge = Place(0, 0) if step < 0 else self.page.end
            self.cursor = self.page.stop(edge, -1 if step > 0 else 1, itself=True) or self.cursor
            self._show(self.cursor, self.cursor)

    def scroll_pages(self, pages: float) -> None:
        self.scroll_rows(int(pages * max(self.size.height - 2, 2)))

    def scroll_rows(self, rows: int) -> None:
        """The cursor comes along: what is decided is always seen."""
        if not self.page.files:
            return
        self._top = self.page.moved(self._top, rows)
        self._clamp()
        places = self._places()
        seen = [place for place in places if self.page.entries(place.file)[place.entry].is_place]
        if seen and self.cursor[:2] not in {place[:2] for place in seen}:
            self.cursor = (seen[0] if self.cursor < seen[0] else seen[-1])._replace(row=0)
        self.refresh()
        self.post_message(self.Moved())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(_WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        if not self.page.files:
            return
        if event.x < self.list_cells:
            number = self._list_top() + event.y
            if number < len(self.page.files):
                self.go_to(number)
            return
        places = self._places()
        if event.y < len(places) and (there := self.page.stop(places[event.y], 1, itself=True)):
            self.cursor = there
            self._show(there, there)

    def turn(self) -> None:
        """Side by side, or one below the other."""
        self.split = not self.page.is_split
        self._lay_out()

    # Search

    def search(self, words: str) -> bool:
        """Mark `words` everywhere and go to where they are next, in any case of letters. Whether they are."""
        self.page.words = words
        self.page.changed()
        self.refresh()
        return bool(words) and self._go_to_found(1, itself=True)

    def find_next(self, step: Literal[1, -1]) -> None:
        self._go_to_found(step)

    def _go_to_found(self, step: Literal[1, -1], *, itself: bool = False) -> bool:
        there = self.page.found(self.cursor, step, itself=itself) if self.page.files else None
        if there:
            self.cursor = there
            self._show(there, there)
        return there is not None

    # Painting

    def render_lines(self, crop: Region) -> list[Strip]:
        """Straight from the rows: the styles cache would keep every line that was ever seen."""
        width, background = self.size.width, self.rich_style
        if self.page.files:
            places = self._places()
            rows = [self._row(y, places) for y in range(crop.y, crop.bottom)]
        else:
            rows = [strip((" no changes" if y == 0 else "", self.page.look.dim)) for y in range(crop.y, crop.bottom)]
        lines = (row.crop(0, width).extend_cell_length(width).apply_style(background) for row in rows)
        return [line.crop(crop.x, crop.right) for line in lines]

    def _row(self, y: int, places: Sequence[Place]) -> Strip:
        cells: list[Strip] = []
        if self.list_cells:
            number = self._list_top() + y
            listed = number < len(self.page.files) and self.page.listed(
                number, self.list_cells - 1, is_here=number == self.cursor.file
            )
            cells.append((listed or Strip.blank(0)).extend_cell_length(self.list_cells))
        if y < len(places):
            place = places[y]
            row = self.page.rows(place)[place.row]
            is_here = place[:2] == self.cursor[:2]
            cells += [self._mark(place), under_cursor(row, self.page.look) if is_here else row]
        return Strip.join(cells)

    def _mark(self, place: Place) -> Strip:
        """At the left of the hunk that the cursor is in, and of those that are decided."""
        look = self.page.look
        entry = self.page.entries(place.file)[place.entry]
        if entry.kind in ("file", "blank"):
            return Strip.blank(1)
        decision = self.page.files[place.file].decision(entry.hunk)
        is_here = (place.file, entry.hunk) == (self.cursor.file, self.hunk)
        sign = ("|" if look.ascii else "▌") if is_here else (":" if look.ascii else "▏") if decision else " "
        return strip((sign, look.error if decision == "reject" else look.success if decision else look.accent))

    def _list_top(self) -> int:
        height, here = self.size.height, self.cursor.file
        return max(min(here - height // 2, len(self.page.files) - height), 0)


def under_cursor(row: Strip, look: Look) -> Strip:
    return Strip([Segment(text, (style or Style()) + look.selection) for text, style, _ in row])
