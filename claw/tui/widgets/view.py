"""Which lines of a document are on the screen: a place to look from, and what follows below it.

There is no table of heights: a session has thousands of blocks, and only those near the screen are ever painted.
The place is a block and a line in it, so it stays where it is whatever grows above or below.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from textual.strip import Strip

from claw.tui.blocks.base import Block
from claw.tui.document import Document
from claw.tui.look import Look

_KEPT = 200  # painted blocks; a screen shows fewer
_BLANK = Strip.blank(0)


class Place(NamedTuple):
    """A line of the document: the number of its block, and the line in it, the gap before it included."""

    block: int
    line: int


class Row(NamedTuple):
    strip: Strip
    block: int  # -1 where nothing is


class View:
    """A window of `height` lines on a document. It follows the end unless it was scrolled away from it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._painted: OrderedDict[int, Block] = OrderedDict()
        self.width = 80
        self.height = 24
        self.look: Look | None = None
        self.follows = True
        self.top = Place(0, 0)
        document.on_shift = self._shift

    def _shift(self, count: int) -> None:
        self.top = Place(self.top.block + count, self.top.line)

    def lines_of(self, number: int) -> list[Strip]:
        """With the gap before it."""
        assert self.look
        block = self._document[number]
        self._painted[id(block)] = block
        self._painted.move_to_end(id(block))
        while len(self._painted) > _KEPT:
            self._painted.popitem(last=False)[1].forget()
        lines = block.lines(self.width, self.look)
        return [_BLANK, *lines] if self._has_gap(number) else lines

    def _has_gap(self, number: int) -> bool:
        return number > 0 and (self._document[number].spaced or self._document[number - 1].spaced)

    def rows(self) -> list[Row]:
        """Exactly `height` of them. Moves the place if it is past the end, or if the end is followed."""
        if len(self._document) == 0 or self.look is None:
            return [Row(_BLANK, -1)] * self.height
        if self.follows:
            self.top = self._bottom()
        else:
            end = self._bottom()
            if self.top >= end:
                self.top, self.follows = end, True
        rows: list[Row] = []
        number, skip = self.top
        while len(rows) < self.height and number < len(self._document):
            lines = self.lines_of(number)
            rows += [Row(line, number) for line in lines[skip : skip + self.height - len(rows)]]
            number, skip = number + 1, 0
        return rows + [Row(_BLANK, -1)] * (self.height - len(rows))

    def _bottom(self) -> Place:
        """The place from which the last line is the lowest on the screen, or the beginning if all of it fits."""
        number, left = len(self._document) - 1, self.height
        while number >= 0:
            size = len(self.lines_of(number))
            if size >= left:
                return Place(number, size - left)
            left -= size
            number -= 1
        return Place(0, 0)

    def scroll(self, lines: int) -> None:
        """Down by `lines`, up if negative; as far as there is something."""
        if len(self._document) == 0 or self.look is None:
            return
        number, line = self.top
        line += lines
        while line < 0 and number > 0:
            number -= 1
            line += len(self.lines_of(number))
        while number < len(self._document) - 1 and line >= (size := len(self.lines_of(number))):
            line -= size
            number += 1
        self.top = Place(number, max(line, 0))
        self.follows = False  # `rows` follows again if that is the end

    def go_to(self, number: int, above: int = 0) -> None:
        """Block `number` at the top, with `above` lines of what is before it."""
        self.top = Place(max(min(number, len(self._document) - 1), 0), 0)
        self.follows = False
        if above:
            self.scroll(-above)

    def end(self) -> None:
        self.follows = True


def moved_by(old: list[Row], new: list[Row], most: int) -> int:
    """By how many lines what was on the screen went up (down if negative); 0 where nothing is gained by moving it."""
    best, gain = 0, sum(a.strip is b.strip for a, b in zip(old, new, strict=False))
    for shift in range(1, min(most, len(old) - 1) + 1):
        up = sum(a.strip is b.strip for a, b in zip(old[shift:], new, strict=False))
        down = sum(a.strip is b.strip for a, b in zip(old, new[shift:], strict=False))
        if max(up, down) > gain:
            best, gain = (shift if up >= down else -shift), max(up, down)
    return best
