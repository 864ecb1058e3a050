"""The difference of two texts as hunks, of which any choice can be applied or undone exactly."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

CONTEXT = 3
_NO_NEWLINE = "\\ No newline at end of file"
_HEAD = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_MOST_EDITS = 300  # from here on, what has no line of its own in common counts as replaced

Change = tuple[int, int, int, int]  # lines [0]:[1] of the old text became lines [2]:[3] of the new


class Line(NamedTuple):
    """`sign` is `+`, `-` or a space; `text` keeps its newline. Numbers count from 1, and are 0 on the other side."""

    sign: str
    text: str
    old: int = 0
    new: int = 0


@dataclass(frozen=True, slots=True)
class Hunk:
    """`old` and `new` are how many lines stand before it in either text. Without lines it changes nothing."""

    old: int
    new: int
    lines: tuple[Line, ...]

    @property
    def n_added(self) -> int:
        return sum(line.sign == "+" for line in self.lines)

    @property
    def n_removed(self) -> int:
        return sum(line.sign == "-" for line in self.lines)

    @property
    def n_old(self) -> int:
        return len(self.lines) - self.n_added

    @property
    def n_new(self) -> int:
        return len(self.lines) - self.n_removed

    def reversed(self) -> Hunk:
        """What undoes it."""
        signs = {"+": "-", "-": "+", " ": " "}
        return Hunk(self.new, self.old, tuple(Line(signs[x.sign], x.text, x.new, x.old) for x in self.lines))

    def head(self) -> str:
        def side(start: int, count: int) -> str:
            return f"{start + (count > 0)}" + (f",{count}" if count != 1 else "")

        return f"@@ -{side(self.old, self.n_old)} +{side(self.new, self.n_new)} @@"


def lines_of(text: str) -> list[str]:
    """With their newlines. Nothing but a newline ends a line: form feeds and lone returns are content."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def diff_hunks(before: str, after: str, context: int = CONTEXT) -> list[Hunk]:
    """In order. Changes with at most twice `context` equal lines between them are one hunk."""
    old, new = lines_of(before), lines_of(after)
    groups: list[list[Change]] = []
    for change in changes(old, new):
        if groups and change[0] - groups[-1][-1][1] <= 2 * context:
            groups[-1].append(change)
        else:
            groups.append([change])
    return [_hunk(old, new, group, context) for group in groups]


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[Change], context: int) -> Hunk:
    above = min(context, group[0][0])
    i, j = group[0][0] - above, group[0][2] - above
    start = (i, j)
    end = group[-1][1] + min(context, len(old) - group[-1][1])
    lines: list[Line] = []
    for i1, i2, j1, j2 in [*group, (end, end, 0, 0)]:
        lines += [Line(" ", old[i + n], i + n + 1, j + n + 1) for n in range(i1 - i)]
        lines += [Line("-", old[n], n + 1, 0) for n in range(i1, i2)]
        lines += [Line("+", new[n], 0, n + 1) for n in range(j1, j2)]
        i, j = i2, j2
    return Hunk(*start, tuple(lines))


def split(hunk: Hunk) -> list[Hunk]:
    """One hunk for each run of changed lines; the equal lines between two runs are shared out."""
    changed = [number for number, line in enumerate(hunk.lines) if line.sign != " "]
    cuts = [a + 1 + (b - a) // 2 for a, b in pairwise(changed) if b - a > 1]
    found, old, new = [], hunk.old, hunk.new
    for start, end in zip([0, *cuts], [*cuts, len(hunk.lines)], strict=True):
        part = Hunk(old, new, hunk.lines[start:end])
        found.append(part)
        old, new = old + part.n_old, new + part.n_new
    return found


def apply_hunks(text: str, hunks: Iterable[Hunk]) -> str:
    """`text` with `hunks`, whose places are those in `text` as it is given.

    *Errors*: ValueError where `text` is not what a hunk was made from, or where two touch the same lines.
    """
    lines = lines_of(text)
    result: list[str] = []
    position = 0
    for hunk in sorted(hunks, key=lambda hunk: hunk.old):
        old = [line.text for line in hunk.lines if line.sign != "+"]
        if hunk.old < position or lines[hunk.old : hunk.old + len(old)] != old or hunk.old > len(lines):
            raise ValueError(f"{hunk.head()} does not fit the text")
        result += lines[position : hunk.old]
        result += [line.text for line in hunk.lines if line.sign != "-"]
        position = hunk.old + len(old)
    return "".join(result + lines[position:])


def undo_hunks(text: str, hunks: Iterable[Hunk]) -> str:
    """The other direction of `apply_hunks`: `text` is what all the hunks led to."""
    return apply_hunks(text, [hunk.reversed() for hunk in hunks])


def keep(before: str, after: str, kept: Set[int], context: int = CONTEXT) -> str:
    """`before` with those hunks of `diff_hunks` whose numbers, from 0, are in `kept`."""
    return apply_hunks(before, [h for number, h in enumerate(diff_hunks(before, after, context)) if number in kept])


def renumbered(hunks: Iterable[Hunk]) -> Iterator[Hunk]:
    """With the places in the new text that they have if there are no other hunks."""
    shift = 0
    for hunk in sorted(hunks, key=lambda hunk: hunk.old):
        new = hunk.old + shift
        off = new - hunk.new
        yield replace(hunk, new=new, lines=tuple(x._replace(new=x.new + off) if x.new else x for x in hunk.lines))
        shift += hunk.n_added - hunk.n_removed


def unified(hunks: Iterable[Hunk]) -> str:
    """As `git diff` writes them, without the names of the files."""
    return "".join(f"{hunk.head()}\n" + "".join(map(_written, hunk.lines)) for hunk in hunks)


def _written(line: Line) -> str:
    return f"{line.sign}{line.text}" + ("" if line.text.endswith("\n") else f"\n{_NO_NEWLINE}\n")


def parse_hunks(diff: str) -> list[Hunk]:
    """The hunks of the unified diff of one file; what stands before each of their heads is passed over.

    *Errors*: ValueError where a hunk has not the lines that its head says.
    """
    rows = lines_of(diff)
    found: list[Hunk] = []
    at = 0
    while at < len(rows):
        head = _HEAD.match(rows[at])
        at += 1
        if head:
            hunk, at = _parsed(rows, at, head)
            found.append(hunk)
    return found


def _parsed(rows: Sequence[str], at: int, head: re.Match[str]) -> tuple[Hunk, int]:
    n_old, n_new = (1 if head[n] is None else int(head[n]) for n in (2, 4))
    old, new = int(head[1]) - (n_old > 0), int(head[3]) - (n_new > 0)
    lines: list[Line] = []
    i, j = old, new
    while i < old + n_old or j < new + n_new or (at < len(rows) and rows[at].startswith("\\")):
        row = rows[at] if at < len(rows) else ""
        at += 1
        sign = row[:1] if row.strip("\r\n") else " "  # mail and editors cut the space off an empty line
        if sign == "\\" and lines:
            lines[-1] = lines[-1]._replace(text=lines[-1].text.removesuffix("\n"))
            continue
        if sign not in ("+", "-", " ") or not row:
            break
        i, j = i + (sign != "+"), j + (sign != "-")
        text = row[1:] if row[:1] == sign else row
        lines.append(Line(sign, text, i if sign != "+" else 0, j if sign != "-" else 0))
    if (i, j) != (old + n_old, new + n_new):
        raise ValueError(f"{head[0]} is followed by {i - old} old and {j - new} new lines")
    return Hunk(old, new, tuple(lines)), at


def changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """What differs, in order, with at least one equal line between any two.

    Lines that are in either text once hold the texts together; between them the shortest way is looked for.
    That shows what people would say was changed, and is fast where files are long.
    *Cost*: n log n, and `_MOST_EDITS` squared for each stretch without such lines.
    """
    pairs = sorted(_pairs(old, new))
    found: list[Change] = []
    i = j = 0
    for a, b in [*pairs, (len(old), len(new))]:
        if a > i or b > j:
            found.append((i, a, j, b))
        i, j = a + 1, b + 1
    return found


def _pairs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Equal lines that stay where they are."""
    todo = [(0, len(old), 0, len(new))]
    while todo:
        i1, i2, j1, j2 = todo.pop()
        while i1 < i2 and j1 < j2 and old[i1] == new[j1]:
            yield i1, j1
            i1, j1 = i1 + 1, j1 + 1
        while i1 < i2 and j1 < j2 and old[i2 - 1] == new[j2 - 1]:
            i2, j2 = i2 - 1, j2 - 1
            yield i2, j2
        if i1 == i2 or j1 == j2:
            continue
        anchors = _anchors(old, new, (i1, i2, j1, j2))
        if not anchors:
            yield from ((i1 + i, j1 + j) for i, j in _shortest(old[i1:i2], new[j1:j2]))
            continue
        i, j = i1, j1
        for a, b in anchors:
            yield a, b
            todo.append((i, a, j, b))
            i, j = a + 1, b + 1
        todo.append((i, i2, j, j2))


def _anchors(old: Sequence[str], new: Sequence[str], change: Change) -> list[tuple[int, int]]:
    """The longest row of lines that are in both parts exactly once, in the order of both."""
    i1, i2, j1, j2 = change
    here, there = _once(old, i1, i2), _once(new, j1, j2)
    both = [(i, there[text]) for text, i in here.items() if text in there]
    tails: list[int] = []  # the smallest end of a rising row of each length
    ends: list[int] = []  # and where that stands in `both`
    before: list[int] = []
    for number, (_, j) in enumerate(both):
        length = bisect_left(tails, j)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(j)
            ends.append(number)
        else:
            tails[length], ends[length] = j, number
    row: list[tuple[int, int]] = []
    number = ends[-1] if ends else -1
    while number >= 0:
        row.append(both[number])
        number = before[number]
    return row[::-1]


def _once(lines: Sequence[str], start: int, end: int) -> dict[str, int]:
    """Where each line stands that is there once, in order."""
    places: dict[str, int] = {}
    for number in range(start, end):
        places[lines[number]] = -1 if lines[number] in places else number
    return {text: number for text, number in places.items() if number >= 0}


def _shortest(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """The equal lines of a shortest edit; none if that has more than `_MOST_EDITS` steps.

    *Source*: E. Myers, An O(ND) Difference Algorithm and Its Variations, 1986.
    """
    n_common = (Counter(old) & Counter(new)).total()
    if len(old) + len(new) - 2 * n_common > _MOST_EDITS:
        return []
    furthest = {1: 0}
    steps: list[dict[int, int]] = []
    for n_edits in range(min(len(old) + len(new), _MOST_EDITS) + 1):
        steps.append(dict(furthest))
        for k in range(-n_edits, n_edits + 1, 2):
            down = k == -n_edits or (k != n_edits and furthest[k - 1] < furthest[k + 1])
            i = furthest[k + 1] if down else furthest[k - 1] + 1
            j = i - k
            while i < len(old) and j < len(new) and old[i] == new[j]:
                i, j = i + 1, j + 1
            furthest[k] = i
            if i >= len(old) and j >= len(new):
                return _walked_back(steps, len(old), len(new))
    return []


def _walked_back(steps: Sequence[dict[int, int]], i: int, j: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for n_edits in range(len(steps) - 1, -1, -1):
        furthest, k = steps[n_edits], i - j
        down = k == -n_edits or (k != n_edits and furthest[k - 1] < furthest[k + 1])
        last = k + 1 if down else k - 1
        start = furthest[last]
        while i > start + (not down):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        i, j = start, start - last
    return pairs
