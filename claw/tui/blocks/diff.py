"""A change of a file as lines on the screen: old and new with their numbers, and what differs within a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from claw.printable import printable
from claw.protocol.details import FileChange
from claw.tui.blocks.paint import Piece, fitted, strip
from claw.tui.blocks.words import Marks, changed_words
from claw.tui.look import Look
from claw.tui.markdown.paint import wrapped_code

SPLIT_CELLS = 130  # from here on old and new stand side by side
_HEAD = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")


class Line(NamedTuple):
    """`sign` is `+`, `-` or a space, or `@` for the head of a hunk, whose text says where it is."""

    sign: str
    text: str
    old: int = 0
    new: int = 0


def parse_unified(diff: str) -> list[Line]:
    """What is no line of a hunk, such as the names of the files, is passed over."""
    lines: list[Line] = []
    old = new = 0
    inside = False
    for text in diff.splitlines():
        if found := _HEAD.match(text):
            old, new, inside = int(found[1]), int(found[2]), True
            lines.append(Line("@", found[3], old, new))
        elif inside and text[:1] == "+":
            lines.append(Line("+", text[1:], 0, new))
            new += 1
        elif inside and text[:1] == "-":
            lines.append(Line("-", text[1:], old, 0))
            old += 1
        elif inside and (text[:1] == " " or not text):
            lines.append(Line(" ", text[1:], old, new))
            old, new = old + 1, new + 1
        elif not text.startswith("\\"):
            inside = False
    return lines


def counts(change: FileChange, look: Look) -> list[Piece]:
    """`path +n −m`, and the kind of change where it is no plain one."""
    word = {"added": "new ", "deleted": "deleted "}.get(change.kind, "")
    minus = "-" if look.ascii else "−"
    return [
        (word, look.dim),
        (printable(change.path), look.text),
        (f" +{change.n_added}", look.success),
        (f" {minus}{change.n_removed}", look.error),
    ]


def paint_diff(
    change: FileChange, width: int, look: Look, *, split: bool | None = None, max_lines: int | None = None
) -> list[Strip]:
    """Side by side if `split`, or if that is not said and there is room. At most `max_lines`."""
    lines = parse_unified(change.diff)
    if not lines:
        word = "binary, or nothing to show" if change.kind != "deleted" else "deleted"
        return [strip((fitted(f"({word})", width), look.dim))]
    hidden = 0
    if max_lines is not None and len(lines) > max_lines:
        hidden, lines = len(lines) - max_lines, lines[:max_lines]
    is_split = width >= SPLIT_CELLS if split is None else split
    painted = list((_split if is_split else _unified)(lines, width, look))
    if hidden:
        painted.append(strip((fitted(f"… {hidden} more lines", width), look.dim)))
    return painted


def _unified(lines: list[Line], width: int, look: Look) -> Iterator[Strip]:
    digits = len(str(max(max(line.old, line.new) for line in lines)))
    marks = _changed_words(lines)
    first = True
    for number, line in enumerate(lines):
        if line.sign == "@":
            if not first:
                yield _gap(line, width, look)
            first = False
            continue
        first = False
        head = f"{line.new or line.old:>{digits}} {line.sign} "
        yield from _row(line, head, width, look, marks.get(number))


def _gap(line: Line, width: int, look: Look) -> Strip:
    return strip((fitted(f"{'...' if look.ascii else '⋯'} {printable(line.text)}".rstrip(), width), look.hunk))


def _styles(sign: str, look: Look) -> tuple[Style, Style]:
    if sign == "+":
        return look.added, look.added_word
    return (look.removed, look.removed_word) if sign == "-" else (look.text, look.text)


def _row(line: Line, head: str, width: int, look: Look, marks: Marks | None) -> Iterator[Strip]:
    base, word = _styles(line.sign, look)
    inner = max(width - cell_len(head), 1)
    pieces: list[Piece] = []
    position = 0
    for start, end in marks or ():
        pieces += [(_shown(line.text[position:start]), base), (_shown(line.text[start:end]), word)]
        position = end
    pieces.append((_shown(line.text[position:]), base))
    for number, row in enumerate(wrapped_code(pieces, inner)):
        used = sum(cell_len(text) for text, _ in row)
        rest = " " * (inner - used) if line.sign != " " else ""
        lead = head if number == 0 else " " * cell_len(head)
        painted = strip((lead, base if line.sign != " " else look.hunk), *row, (rest, base))
        yield painted if painted.cell_length <= width else painted.crop(0, width)


def _shown(text: str) -> str:
    return printable(text.replace("\t", "    "))


def _split(lines: list[Line], width: int, look: Look) -> Iterator[Strip]:
    digits = len(str(max(max(line.old, line.new) for line in lines)))
    half = (width - 3) // 2
    marks = _changed_words(lines)
    bar = strip((" | " if look.ascii else " │ ", look.rule))
    first = True
    for left, right in _pairs(lines):
        one = lines[left] if left is not None else None
        if one and one.sign == "@":
            if not first:
                yield _gap(one, width, look)
            first = False
            continue
        first = False
        columns: list[list[Strip]] = []
        for number, column in ((left, "old"), (right, "new")):
            if number is None:
                columns.append([])
                continue
            line = lines[number]
            head = f"{getattr(line, column):>{digits}} {line.sign} "
            columns.append(list(_row(line, head, half, look, marks.get(number))))
        for row in range(max(map(len, columns))):
            cells = [
                column[row].extend_cell_length(half) if row < len(column) else Strip.blank(half) for column in columns
            ]
            yield Strip.join([cells[0], bar, cells[1]])


def _pairs(lines: list[Line]) -> Iterator[tuple[int | None, int | None]]:
    """What stands beside each other, by number."""
    number = 0
    while number < len(lines):
        if lines[number].sign in " @":
            yield number, number
            number += 1
            continue
        old = number
        while number < len(lines) and lines[number].sign == "-":
            number += 1
        new = number
        while number < len(lines) and lines[number].sign == "+":
            number += 1
        for offset in range(max(new - old, number - new)):
            yield (
                old + offset if old + offset < new else None,
                new + offset if new + offset < number else None,
            )


def _changed_words(lines: list[Line]) -> dict[int, Marks]:
    """Of lines that replace each other: which parts differ."""
    marks: dict[int, Marks] = {}
    for left, right in _pairs(lines):
        if left is not None and right is not None and left != right:
            marks[left], marks[right] = changed_words(lines[left].text, lines[right].text)
    return marks
