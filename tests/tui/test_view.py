"""What of a document is on the screen: held against the plain list of all lines."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from textual.strip import Strip

from claw.tui.blocks.base import Block
from claw.tui.document import Document
from claw.tui.look import Look
from claw.tui.widgets.view import Place, Row, View, moved_by

LOOK = Look("test", dark=True)


class Lines(Block):
    """So many lines, which say whose they are."""

    foldable = True
    n_paints = 0

    def __init__(self, name: str, count: int, spaced: bool = True) -> None:
        super().__init__()
        self._name = name
        self.count = count
        self.is_spaced = spaced

    @property
    def spaced(self) -> bool:  # type: ignore[override]
        return self.is_spaced

    def paint(self, width: int, look: Look) -> list[Strip]:
        type(self).n_paints += 1
        count = min(self.count, 1) if self.folded else self.count
        return [Strip.blank(0)] * 0 + [strip(f"{self._name}.{number}") for number in range(count)]

    def plain(self) -> str:
        return self._name


def strip(text: str) -> Strip:
    from rich.segment import Segment

    return Strip([Segment(text)])


def texts(rows: list[Row]) -> list[str]:
    return [row.strip.text for row in rows]


def view_of(blocks: list[Lines], height: int) -> View:
    document = Document()
    for block in blocks:
        document.append(block)
    view = View(document)
    view.look, view.height = LOOK, height
    return view


def all_lines(view: View, count: int) -> list[str]:
    return [line.text for number in range(count) for line in view.lines_of(number)]


BLOCKS = st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=12).map(
    lambda sizes: [Lines(f"b{number}", size, spaced) for number, (size, spaced) in enumerate(sizes)]
)


@given(BLOCKS, st.integers(1, 15), st.lists(st.integers(-20, 20), max_size=8))
@settings(max_examples=300)
def test_scrolling_is_a_window_on_all_lines(blocks: list[Lines], height: int, steps: list[int]) -> None:
    view = view_of(blocks, height)
    whole = all_lines(view, len(blocks))
    top = max(len(whole) - height, 0)
    assert texts(view.rows()) == (whole[top:] + [""] * height)[:height]
    for step in steps:
        view.scroll(step)
        top = min(max(top + step, 0), max(len(whole) - height, 0))
        assert texts(view.rows()) == (whole[top : top + height] + [""] * height)[:height]


def test_the_end_is_followed_until_one_scrolls_away() -> None:
    view = view_of([Lines("a", 5), Lines("b", 5)], 4)
    assert texts(view.rows()) == ["b.1", "b.2", "b.3", "b.4"]
    document = view._document
    document.append(Lines("c", 2))
    assert texts(view.rows()) == ["b.4", "", "c.0", "c.1"]
    view.scroll(-3)
    assert texts(view.rows()) == ["b.1", "b.2", "b.3", "b.4"]
    document.append(Lines("d", 1))
    assert texts(view.rows()) == ["b.1", "b.2", "b.3", "b.4"]
    view.scroll(100)
    assert texts(view.rows())[-1] == "d.0"
    document.append(Lines("e", 1))
    assert texts(view.rows())[-1] == "e.0"


def test_what_grows_above_moves_nothing() -> None:
    view = view_of([Lines("a", 5), Lines("b", 20)], 4)
    view.go_to(1)
    before = texts(view.rows())
    view._document[0].count = 9  # type: ignore[attr-defined]
    view._document[0].touch()
    view._document.prepend([Lines("older", 7), Lines("old", 3)])
    assert texts(view.rows()) == before
    view.scroll(-1)
    assert texts(view.rows())[1:] == before[:-1]


def test_only_what_is_near_is_painted() -> None:
    Lines.n_paints = 0
    view = view_of([Lines(f"b{number}", 3) for number in range(4000)], 40)
    view.rows()
    assert Lines.n_paints < 20
    view.go_to(0)
    assert texts(view.rows())[0] == "b0.0"
    assert Lines.n_paints < 60
    for number in range(0, 4000, 40):
        view.go_to(number)
        view.rows()
    assert sum(bool(block._lines) for block in view._document) <= 201


@given(st.integers(1, 30), st.integers(-40, 40), st.integers(0, 5))
def test_what_moved_is_found(height: int, shift: int, n_changed: int) -> None:
    lines = [Row(strip(str(number)), 0) for number in range(height + 80)]
    old, new = lines[40 : 40 + height], lines[40 + shift : 40 + shift + height]
    new = [*new[: max(len(new) - n_changed, 0)], *(Row(strip("new"), 0) for _ in range(min(n_changed, len(new))))]
    found = moved_by(old, new, height - 1)
    shared = sum(
        a.strip is b.strip
        for a, b in zip(old[shift:] if shift >= 0 else old, new if shift >= 0 else new[-shift:], strict=False)
    )
    if abs(shift) < height and shared:
        assert found == shift


def test_places_compare_as_they_lie() -> None:
    assert Place(1, 5) < Place(2, 0) < Place(2, 1)
