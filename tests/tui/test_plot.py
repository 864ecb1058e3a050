from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from claw.tui.plot import plot


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e9)), min_size=2, max_size=50).map(sorted))
def test_every_row_is_as_wide_as_the_others(points: list[tuple[float, float]]) -> None:
    rows = plot(points, "tokens").split("\n")
    assert len(rows) == 8
    assert len({len(row) for row in rows[:7]}) == 1


def test_it_rises_with_its_values() -> None:
    top, *_, bottom = plot([(number, number) for number in range(61)], "tokens").split("\n")[:6]
    assert top.rstrip().endswith("█")
    assert top.partition("│")[2].startswith(" " * 40)
    assert bottom.partition("│")[2].count("█") > 45
