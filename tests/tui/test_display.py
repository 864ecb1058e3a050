"""What terminals show with the frame diff and without it must be the same."""

from __future__ import annotations

import inspect

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.strip import Strip

from claw.tui.display import Grid, cells_of

CONSOLE = Console(force_terminal=True, color_system="truecolor", width=40)
STYLES = [
    Style(), Style(color="#ff8800"), Style(color="red", bold=True), Style(bgcolor="#202020"),
    Style(reverse=True), Style(color="blue", bgcolor="#103010", italic=True), Style(underline=True),
]  # fmt: skip
TEXTS = st.sampled_from(["a", "words ", " ", "                ", "漢", "字漢", "é", "e\u0301", "x" * 9, "│", "👍"])
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(STYLES)), max_size=6)
WIDTH, HEIGHT = 24, 6


def strip_of(row: list[tuple[str, Style]]) -> Strip:
    return Strip([Segment(text, style) for text, style in row]).adjust_cell_length(WIDTH).simplify()


def shown(screen: pyte.Screen) -> list[list[object]]:
    return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]


class Terminal:
    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self.screen)
        self.feed("\x1b[?7l")  # no wrapping at the edge, as Textual sets it

    def feed(self, text: str) -> None:
        self._stream.feed(text)


def whole(strips: list[Strip]) -> Terminal:
    terminal = Terminal()
    for y, strip in enumerate(strips):
        terminal.feed(f"\x1b[{y + 1};1H" + strip.render(CONSOLE))
    return terminal


FRAMES = st.lists(st.lists(ROWS, min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=4)


@given(FRAMES, st.lists(st.integers(-HEIGHT, HEIGHT), max_size=3))
@settings(max_examples=300, deadline=None)
def test_frame_after_frame(frames: list[list[list[tuple[str, Style]]]], scrolls: list[int]) -> None:
    """With scrolls in between that are right or wrong: they may cost bytes, never correctness."""
    terminal, grid = Terminal(), Grid(WIDTH, HEIGHT)
    for number, frame in enumerate(frames):
        strips = [strip_of(row) for row in frame]
        if number < len(scrolls) and scrolls[number]:
            terminal.feed(grid.scroll(1, HEIGHT - 1, scrolls[number]))
        for y, strip in enumerate(strips):
            terminal.feed(grid.write(y, 0, cells_of(strip), CONSOLE))
        assert shown(terminal.screen) == shown(whole(strips).screen)


@given(
    st.lists(ROWS, min_size=HEIGHT, max_size=HEIGHT), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 23), ROWS))
)
@settings(max_examples=300, deadline=None)
def test_parts_of_rows(
    frame: list[list[tuple[str, Style]]], parts: list[tuple[int, int, list[tuple[str, Style]]]]
) -> None:
    """A part may cut a wide character in two: the next whole frame sets all of it right."""
    terminal, grid = Terminal(), Grid(WIDTH, HEIGHT)
    strips = [strip_of(row) for row in frame]
    for y, x, row in parts:
        part = Strip([Segment(text, style) for text, style in row]).crop(0, WIDTH - x)
        terminal.feed(grid.write(y, x, cells_of(part), CONSOLE))
    for y, strip in enumerate(strips):
        terminal.feed(grid.write(y, 0, cells_of(strip), CONSOLE))
    assert shown(terminal.screen) == shown(whole(strips).screen)


def test_nothing_is_written_when_nothing_changed() -> None:
    grid, strip = Grid(WIDTH, HEIGHT), strip_of([("some words", STYLES[1])])
    assert grid.write(0, 0, cells_of(strip), CONSOLE)
    assert grid.write(0, 0, cells_of(strip), CONSOLE) == ""
    changed = strip_of([("some wards", STYLES[1])])
    assert len(grid.write(0, 0, cells_of(changed), CONSOLE)) < 40


def test_textual_is_as_it_was_when_this_was_written() -> None:
    """`display.py` replaces a private method: look at it again when this fails."""
    assert list(inspect.signature(App._display).parameters) == ["self", "screen", "renderable"]
    assert list(inspect.signature(LayoutUpdate.__init__).parameters) == ["self", "strips", "region"]
    assert list(inspect.signature(ChopsUpdate.__init__).parameters) == ["self", "chops", "spans", "chop_ends"]
    for name in ("_begin_update", "_end_update", "post_display_hook", "_previous_cursor_position"):
        assert name in inspect.getsource(App)


@pytest.mark.parametrize("text", ["plain", "漢字", "e\u0301e", "👍x", ""])
def test_cells_are_as_wide_as_the_strip(text: str) -> None:
    assert len(cells_of(Strip([Segment(text)]))) == Strip([Segment(text)]).cell_length
