"""Which parts of a line differ from the line that it replaces."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MOST_COMPARED = 400  # characters of a line
_LEAST_ALIKE = 0.4

Marks = Sequence[tuple[int, int]]


def changed_words(old: str, new: str) -> tuple[Marks, Marks]:
    """(start, end) of each part, for both lines. Nothing where nearly all of it differs, or the lines are long."""
    if max(len(old), len(new)) > _MOST_COMPARED:
        return (), ()
    a, b = _WORD.findall(old), _WORD.findall(new)
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < _LEAST_ALIKE:
        return (), ()
    found: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for marks, words, first, last in ((found[0], a, i1, i2), (found[1], b, j1, j2)):
            if tag != "equal" and last > first:
                start = len("".join(words[:first]))
                marks.append((start, start + len("".join(words[first:last]))))
    return found
