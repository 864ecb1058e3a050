"""Diffs on the screen: numbers, words that differ, both layouts."""

from __future__ import annotations

import difflib

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style

from claw.protocol.details import FileChange
from claw.tui.blocks.diff import paint_diff, parse_unified
from claw.tui.look import Look

ADDED, WORD = Style(color="green"), Style(color="green", bold=True)
LOOK = Look("test", dark=True, added=ADDED, added_word=WORD)
LINES = st.lists(
    st.sampled_from(["a", "b = 1", "", "漢字", "\tx", "long " * 12, "\x1b[31m", "- minus", "+ plus"]), max_size=12
)


def change(old: list[str], new: list[str]) -> FileChange:
    return FileChange("f", "modified", "\n".join(difflib.unified_diff(old, new, "f", "f", lineterm="")))


def rows(found: FileChange, width: int, **options: bool | int) -> list[str]:
    return [line.text.rstrip() for line in paint_diff(found, width, LOOK, **options)]  # type: ignore[arg-type]


def test_unified() -> None:
    found = change(["one", "two", "three"], ["one", "2", "three", "four"])
    assert rows(found, 40) == ["1   one", "2 - two", "2 + 2", "3   three", "4 + four"]


def test_side_by_side() -> None:
    found = change(["one", "two", "three"], ["one", "2", "three", "four"])
    assert rows(found, 40, split=True) == [
        "1   one            │ 1   one",
        "2 - two            │ 2 + 2",
        "3   three          │ 3   three",
        "                   │ 4 + four",
    ]


def test_what_differs_within_a_line_is_marked() -> None:
    found = change(["return a - b  # sum"], ["return a + b  # sum"])
    line = paint_diff(found, 60, LOOK)[1]
    assert [segment.text for segment in line if segment.style == WORD] == ["+"]


def test_hunks_are_parted_and_the_rest_is_counted() -> None:
    old = [str(number) for number in range(40)]
    new = ["x", *old[1:39], "y"]
    assert "⋯" in rows(change(old, new), 30)
    assert rows(change(old, new), 30, max_lines=3)[-1].startswith("… ")
    assert rows(FileChange("f", "modified"), 30) == ["(binary, or nothing to show)"]


@given(LINES, LINES, st.integers(1, 90), st.booleans())
@settings(max_examples=200, deadline=None)
def test_nothing_is_too_wide_or_unsafe(old: list[str], new: list[str], width: int, split: bool) -> None:
    for line in paint_diff(change(old, new), width, LOOK, split=split and width > 20):
        assert line.cell_length <= width
        assert "\x1b" not in line.text


@given(LINES, LINES)
def test_both_sides_are_there(old: list[str], new: list[str]) -> None:
    lines = parse_unified("\n".join(difflib.unified_diff(old, new, "f", "f", lineterm="", n=100)))
    if lines:
        assert [line.text for line in lines if line.sign in " -"] == old
        assert [line.text for line in lines if line.sign in " +"] == new
