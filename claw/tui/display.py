"""Writes to the terminal only the cells that changed: Textual writes a region anew whenever anything in it did.

*Source*: `App._display` of Textual 8.2 is replaced, which is private; the version is pinned, and a test compares
what terminals show with and without this.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.cells import get_character_cell_size
from rich.console import RenderableType
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App, ReturnType
from textual.screen import Screen
from textual.strip import Strip

if TYPE_CHECKING:
    from rich.console import Console

_JOIN_CELLS = 8  # runs of changes that are nearer than a movement of the cursor is long are written as one
_ERASE_CELLS = 12  # from here on blanks are erased rather than written
_PLAIN = Style()

Cell = tuple[str, Style]  # the text of a cell; empty for the right half of a wide one
_UNKNOWN: Cell = ("\0", _PLAIN)


def cells_of(strip: Strip) -> list[Cell]:
    """As the terminal lays them out. What has no width of its own belongs to the cell before it."""
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        style = style or _PLAIN
        if text.isascii():
            cells += [(character, style) for character in text]
            continue
        for character in text:
            size = get_character_cell_size(character)
            if size == 0:
                if cells:
                    last = -2 if not cells[-1][0] and len(cells) > 1 else -1
                    cells[last] = (cells[last][0] + character, cells[last][1])
                continue
            cells.append((character, style))
            if size == 2:
                cells.append(("", style))
    return cells


class Grid:
    """What the terminal shows, as far as that is known."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._rows: list[list[Cell]] = [[_UNKNOWN] * width for _ in range(height)]

    def scroll(self, top: int, bottom: int, lines: int) -> str:
        """Move the rows in [top, bottom) up by `lines`, down if negative. Returns what does it on the terminal."""
        count = min(abs(lines), bottom - top)
        fresh = [[_UNKNOWN] * self.width for _ in range(count)]
        rows = self._rows[top:bottom]
        self._rows[top:bottom] = [*rows[count:], *fresh] if lines > 0 else [*fresh, *rows[: len(rows) - count]]
        move = f"\x1b[{bottom};1H" + "\n" * count if lines > 0 else f"\x1b[{top + 1};1H" + "\x1bM" * count
        return f"\x1b[0m\x1b[{top + 1};{bottom}r{move}\x1b[r"

    def write(self, y: int, x: int, cells: list[Cell], console: Console) -> str:
        """Show `cells` in row `y` from column `x` on. Returns what does it."""
        if not 0 <= y < self.height:
            return ""
        row = self._rows[y]
        cells = cells[: self.width - x]
        old = row[x : x + len(cells)]
        changed = [number for number, (a, b) in enumerate(zip(old, cells, strict=True)) if a != b]
        if not changed:
            return ""
        parts = []
        for start, end in _runs(changed):
            # A wide character is written whole, wherever its other half was changed.
            while start > 0 and not cells[start][0]:
                start -= 1
            while end < len(cells) and not cells[end][0]:
                end += 1
            parts.append(f"\x1b[{y + 1};{x + start + 1}H")
            parts += _painted(cells[start:end], y, x + start, console)
        row[x : x + len(cells)] = cells
        # A half that lost its other half is blank on the terminal, whatever it should be: write it again next time.
        for edge in (x - 1, x + len(cells)):
            if 0 <= edge < self.width and (not row[edge][0] or _is_wide(row[edge])):
                row[edge] = _UNKNOWN if _is_broken(row, edge) else row[edge]
        return "".join(parts)


def _is_wide(cell: Cell) -> bool:
    return bool(cell[0]) and cell[0] != "\0" and get_character_cell_size(cell[0][0]) == 2


def _is_broken(row: list[Cell], column: int) -> bool:
    if _is_wide(row[column]):
        return column + 1 >= len(row) or bool(row[column + 1][0])
    return column == 0 or not _is_wide(row[column - 1])


def _runs(changed: list[int]) -> Iterator[tuple[int, int]]:
    start = last = changed[0]
    for number in changed[1:]:
        if number - last > _JOIN_CELLS:
            yield start, last + 1
            start = number
        last = number
    yield start, last + 1


def _painted(cells: list[Cell], y: int, x: int, console: Console) -> Iterator[str]:
    """Runs of the same style; the cursor stands at `x` already."""
    system = console._color_system
    start = 0
    for end in range(1, len(cells) + 1):
        if end < len(cells) and cells[end][1] == cells[start][1]:
            continue
        style = cells[start][1]
        text = "".join(cell[0] for cell in cells[start:end])
        blank = len(text) - len(text.rstrip(" "))
        if (
            blank >= _ERASE_CELLS
            and len(text) == end - start
            and not (style.underline or style.reverse or style.strike)
        ):
            text = text[: len(text) - blank]
            if text:
                yield style.render(text, color_system=system)
            codes = style._make_ansi_codes(system) if system is not None else ""
            yield f"\x1b[{codes}m\x1b[{blank}X\x1b[0m"
            if end < len(cells):
                yield f"\x1b[{y + 1};{x + end + 1}H"
        else:
            yield style.render(text, color_system=system)
        start = end


class DiffDisplay(App[ReturnType]):
    """Mixed into an app: keeps the grid and writes differences, on real terminals only."""

    _grid: Grid | None = None
    _scrolls: tuple[tuple[int, int, int], ...] = ()

    def scroll_hint(self, top: int, bottom: int, lines: int) -> bool:
        """With the next update the rows in [top, bottom) are the old ones, moved up by `lines` (down if negative).

        Returns whether it will be done; then only rows that are new need to be refreshed.
        """
        if self._grid is None or not self._differs or abs(lines) >= bottom - top or bottom > self._grid.height:
            return False
        self._scrolls = (*self._scrolls, (top, bottom, lines))
        return True

    def forget_screen(self) -> None:
        """Something else has written to the terminal."""
        self._grid = None

    @property
    def _differs(self) -> bool:
        driver = self._driver
        return self._running and not self._closed and not self.is_headless and driver is not None and not (
            driver.is_inline or self.is_web or self.ansi_color
        )  # fmt: skip

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if renderable is None or self._batch_count or not self._differs or not isinstance(
            renderable, LayoutUpdate | ChopsUpdate
        ):  # fmt: skip
            if renderable is not None and not isinstance(renderable, CompositorUpdate):
                self._grid = None
            super()._display(screen, renderable)
            return
        assert self._driver
        try:
            self._begin_update()
            try:
                self._driver.write(self._difference(renderable))
            finally:
                self._end_update()
            self._driver.flush()
        finally:
            self.post_display_hook()

    def _difference(self, update: LayoutUpdate | ChopsUpdate) -> str:
        size = self.size
        grid = self._grid
        if grid is None or (grid.width, grid.height) != (size.width, size.height):
            grid = self._grid = Grid(size.width, size.height)
            self._scrolls = ()
        parts = [grid.scroll(*scroll) for scroll in self._scrolls]
        self._scrolls = ()
        for y, x, strip in _pieces(update):
            parts.append(grid.write(y, x, cells_of(strip), self.console))
        cursor = self.screen.outer_size.clamp_offset(self.cursor_position)
        self._previous_cursor_position = cursor
        parts.append(f"\x1b[{cursor.y + 1};{cursor.x + 1}H")
        return "".join(parts)


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Row, column and content of each piece of an update."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, Strip.join(strips)
        return
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip_longest(update.chop_ends[y], update.chops[y].items()):
            if strip is not None and end is not None and x <= x2 and end > x1:
                yield y, x, strip.crop(0, min(end, x2) - x) if not (x2 > x >= x1 and end <= x2) else strip
