"""Rows as columns of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from claw.printable import printable


def print_table(rows: Sequence[Sequence[str]], n_right: int = 0) -> None:
    """`n_right` of the columns, the last ones, hold numbers and are aligned to the right."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    n_left = len(widths) - n_right
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:n_left], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(row[n_left:], widths[n_left:], strict=True)]
        print("  ".join([*left, *right]).rstrip())
