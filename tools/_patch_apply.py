"""Where the hunks of a patch fit in a file, and the text that results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from claw.tools._nearest import plain_punctuation, why_not_found
from claw.tools._patch_format import Hunk
from claw.tools._text import Document, Splice

# From strict to lenient: what is compared of a line. A lenient match is only tried when no stricter one
# is found anywhere after the position.
_FORMS: tuple[Callable[[str], str], ...] = (
    lambda line: line,
    str.rstrip,
    str.strip,
    lambda line: plain_punctuation(line).strip(),
)


class HunkMismatch(Exception):
    """A hunk does not fit. The text says which, why, and what the file has instead."""


class _Place(NamedTuple):
    """Lines of the file, `end` exclusive; a hunk may have lost bare lines at its end in order to fit."""

    start: int
    end: int


def patched(document: Document, hunks: Sequence[Hunk]) -> Document:
    """The document with all hunks in place. Context keeps the bytes that it has in the file.

    *Order*: each hunk is looked for after the one before it.
    *Errors*: HunkMismatch for the first hunk that does not fit.
    """
    lines = document.view.split("\n")
    if lines[-1] == "":
        lines.pop()
    finder = _Finder(lines, document.view)
    offsets = list(accumulate((len(line) + 1 for line in lines), initial=0))
    splices: list[Splice] = []
    for hunk in hunks:
        place = finder.place(hunk)
        splices += _splices(hunk, place, document.view, offsets)
    return document.spliced(splices)


def _splices(hunk: Hunk, place: _Place, view: str, offsets: Sequence[int]) -> list[Splice]:
    """One splice for each run of removed and added lines."""
    found: list[Splice] = []
    start = end = place.start
    added: list[str] = []
    for mark, text in [*hunk.lines, (" ", "")]:
        if mark == "-":
            end += 1
        elif mark == "+":
            added.append(text)
        else:
            if added or end > start:
                found.append(_splice(start, end, added, view, offsets))
            start = end = end + 1
            added = []
    return found


def _splice(start: int, end: int, added: Sequence[str], view: str, offsets: Sequence[int]) -> Splice:
    """Lines `start` to `end` become `added`; a file without a final line feed stays without one."""
    first, last = min(offsets[start], len(view)), min(offsets[end], len(view))
    new = "".join(line + "\n" for line in added)
    lacks_final_newline = bool(view) and not view.endswith("\n")
    if lacks_final_newline and last == len(view) and added:
        new = "\n" + new[:-1] if first == last else new[:-1]
    return Splice(first, last, new)


class _Finder:
    """Looks for lines from a position on, which only moves forward."""

    def __init__(self, lines: Sequence[str], view: str) -> None:
        self._lines = lines
        self._view = view
        self._position = 0
        self._forms: dict[int, list[str]] = {}

    def place(self, hunk: Hunk) -> _Place:
        after = self._after_headers(hunk)
        old = [text for mark, text in hunk.lines if mark != "+"]
        if not old:
            # Nothing but added lines: after their header, or at the end of the file.
            at = after if hunk.headers and not hunk.at_end else len(self._lines)
            self._position = at
            return _Place(at, at)
        found = self._find(old, after, hunk.at_end)
        if found is None and hunk.headers and after > self._position:
            found = self._find(old, after - 1, hunk.at_end)  # the header was repeated as context
        n_bare = 0
        while found is None and n_bare < hunk.n_bare and len(old) > n_bare + 1:
            n_bare += 1
            found = self._find(old[:-n_bare], after, hunk.at_end)
        if found is None:
            raise HunkMismatch(self._explain(hunk, old, after))
        if n_bare:
            del hunk.lines[-n_bare:]
        self._position = found + len(old) - n_bare
        return _Place(found, self._position)

    def _after_headers(self, hunk: Hunk) -> int:
        position = self._position
        for header in hunk.headers:
            found = self._find([header], position, at_end=False)
            if found is None:
                found = self._find_beginning(header, position)
            if found is None:
                raise HunkMismatch(
                    f"the hunk at line {hunk.line_number} of the patch: its header '@@ {header}' is no line of the file"
                    f"{f' after line {position}' if position else ''}. {why_not_found(self._view, header)}"
                )
            position = found + 1
        return position

    def _find(self, wanted: Sequence[str], position: int, at_end: bool) -> int | None:
        last = len(self._lines) - len(wanted)
        if at_end:
            position = max(position, last)
        for level, form in enumerate(_FORMS):
            lines = self._in_form(level)
            pattern = [form(line) for line in wanted]
            at = position
            while at <= last:
                try:
                    at = lines.index(pattern[0], at, last + 1)
                except ValueError:
                    break
                if lines[at : at + len(pattern)] == pattern:
                    return at
                at += 1
        return None

    def _find_beginning(self, header: str, position: int) -> int | None:
        """A line that begins like `header`: `def run` for `def run(self):`."""
        wanted = header.strip().removesuffix("@@").rstrip()
        lines = self._in_form(2)
        return next((i for i in range(position, len(lines)) if wanted and lines[i].startswith(wanted)), None)

    def _in_form(self, level: int) -> list[str]:
        if level not in self._forms:
            self._forms[level] = [_FORMS[level](line) for line in self._lines]
        return self._forms[level]

    def _explain(self, hunk: Hunk, old: Sequence[str], after: int) -> str:
        where = f"the hunk at line {hunk.line_number} of the patch"
        if hunk.at_end and self._find(old, after, at_end=False) is not None:
            return f"{where}: its lines are in the file, but not at the end, as '*** End of File' says."
        earlier = self._find(old, 0, at_end=False)
        if earlier is not None:
            return (
                f"{where}: its lines stand at line {earlier + 1}, before the place that the hunk or header before "
                "leads to. Put the hunks in the order of the file, or correct the header."
            )
        new = "\n".join(text for mark, text in hunk.lines if mark != "-")
        after_line = f" after line {after}" if after else ""
        return f"{where}: its lines were not found{after_line}. {why_not_found(self._view, chr(10).join(old), new)}"
