"""Small means of painting that all blocks share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Piece = tuple[str, Style]


def strip(*pieces: Piece) -> Strip:
    """One line of pieces that are printable already."""
    return Strip([Segment(text, style) for text, style in pieces if text])


def fitted(text: str, width: int) -> str:
    """`text`, cut with an ellipsis if it is wider than `width` cells."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…" if width > 0 else ""


def wrapped(pieces: Sequence[Piece], width: int) -> list[list[Piece]]:
    """Lines of at most `width` cells, broken at spaces where there are any, and at every newline.

    Runs of spaces stay, but for those that a line is broken at.
    """
    lines: list[list[Piece]] = []
    line: list[Piece] = []
    used = 0
    for word, style in _words(pieces):
        if word == "\n":
            lines.append(line)
            line, used = [], 0
            continue
        size = cell_len(word)
        if used + size <= width:
            line.append((word, style))
            used += size
            continue
        if line and used:
            lines.append(line)
            line, used = [], 0
        if not word.strip():
            continue
        for part in chop_cells(word, max(width, 1)):
            if line:
                lines.append(line)
            line, used = [(part, style)], cell_len(part)
    lines.append(line)
    return lines


def _words(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """Words, runs of spaces and newlines, one by one."""
    for text, style in pieces:
        start = 0
        for position in range(1, len(text) + 1):
            kind = _kind(text[start])
            if position == len(text) or _kind(text[position]) != kind or kind == 2:
                yield text[start:position], style
                start = position


def _kind(character: str) -> int:
    return 2 if character == "\n" else 1 if character == " " else 0


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbours of the same style as one."""
    found: list[Piece] = []
    for text, style in pieces:
        if found and found[-1][1] == style:
            found[-1] = (found[-1][0] + text, style)
        elif text:
            found.append((text, style))
    return found


def strips(lines: Iterable[Sequence[Piece]], indent: Piece | None = None, first: Piece | None = None) -> list[Strip]:
    """Lines of pieces as strips; `first` stands before the first, `indent` before the others."""
    found = []
    for number, line in enumerate(lines):
        head = first if number == 0 and first else indent
        found.append(strip(*merged(([head] if head else []) + list(line))))
    return found
