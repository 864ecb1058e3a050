"""Markdown that comes in pieces is painted as if it had come at once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claw.tui.look import Look
from claw.tui.markdown.text import MarkdownText

LOOK = Look("test", dark=True)
FRAGMENTS = st.sampled_from([
    "# Title\n", "## Sub\n\n", "words and words ", "**bold** ", "*it* ", "`code` ", "[link](https://x.org) ",
    "\n", "\n\n", "- item\n", "  - nested\n", "1. first\n", "  more of it\n", "```python\n", "```\n", "~~~\n",
    "x = 1\n", "    indented\n", "> quote\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "---\n", "漢字 ", "👍🏽 ",
    "\x1b[31m", "\u202e", "![alt](p.png) ", "<b>x</b> ", "\r\n",
])  # fmt: skip
SOURCES = st.lists(FRAGMENTS, max_size=25).map("".join)


def painted(source: str, width: int) -> list[str]:
    markdown = MarkdownText(source)
    markdown.finish()
    return [line.text.rstrip() for line in markdown.lines(width, LOOK)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# Title\nwords", ["Title", "", "words"]),
        ("a **b** *c* ~~d~~ `e`", ["a b c d e"]),
        ("one two three four five", ["one two three four", "five"]),
        ("- one\n- two\n  - three", ["• one", "• two", "  • three"]),
        ("3. a\n4. b", ["3. a", "4. b"]),
        ("- a long item that wraps", ["• a long item that", "  wraps"]),
        ("- a\n\n  more of a\n\nend", ["• a", "  more of a", "", "end"]),
        ("> said\n> so", ["▎ said so"]),
        ("---", ["─" * 20]),
        ("```sh\nls -l\n\n  x\n```", [" ls -l", "", "   x"]),
        ("    code", [" code"]),
        ("[x](https://a.b)", ["x (https://a.b)"]),
        ("<https://a.b>", ["https://a.b"]),
        ("![a picture](p.png)", ["[image: a picture]"]),
        ("<b>x</b>", ["<b>x</b>"]),
        ("\x1b[31mred\u202e", ["\\x1b[31mred\\u202e"]),
    ],
)
def test_each_construct(source: str, expected: list[str]) -> None:
    assert painted(source, 20) == expected


def test_a_table() -> None:
    source = "| name | what it is |\n|---|---|\n| a | one two three |\n"
    assert painted(source, 40) == ["name │ what it is", "─────┼──────────────", "a    │ one two three"]
    assert painted(source, 16)[0] == "name: a"


@given(SOURCES, st.integers(0, 1000), st.sampled_from([20, 40, 80]))
@settings(max_examples=200, deadline=None)
def test_any_cuts_paint_the_same(source: str, seed: int, width: int) -> None:
    chance = random.Random(seed)
    markdown = MarkdownText()
    position = 0
    while position < len(source):
        size = chance.randint(1, 12)
        markdown.append(source[position : position + size])
        position += size
        if chance.random() < 0.2:
            markdown.lines(width, LOOK)
    markdown.finish()
    assert [line.text.rstrip() for line in markdown.lines(width, LOOK)] == painted(source, width)
    assert markdown.text == source


@given(SOURCES, st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_nothing_is_wider_than_the_screen_nor_unsafe(source: str, width: int) -> None:
    markdown = MarkdownText(source)
    for line in markdown.lines(width, LOOK):
        assert line.cell_length <= width
        assert "\x1b" not in line.text
        assert "\u202e" not in line.text


def test_what_is_finished_is_not_painted_again() -> None:
    """For any text in tokens the work stays linear: lines that were painted already are the same objects."""
    source = "".join(f"Paragraph {n} with some words.\n\n```py\n" + "x = 1\n" * 150 + "```\n\n" for n in range(20))
    markdown = MarkdownText()
    known: dict[int, object] = {}
    most = 0
    for position in range(0, len(source), 20):
        markdown.append(source[position : position + 20])
        fresh = [line for line in markdown.lines(80, LOOK) if id(line) not in known]
        known |= {id(line): line for line in fresh}
        most = max(most, len(fresh))
    assert len(known) > 3000
    assert most < 70
