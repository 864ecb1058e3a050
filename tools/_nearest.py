"""Why a text was not found, in words that let the model find it at the next try."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from claw.tools._text import well_formed

_TIME_LIMIT_S = 0.4
_MAX_LINE_CHARS = 300
_MAX_EXCERPT_LINES = 30
_LIKENESS = 0.6
_LINE_NUMBER = re.compile(r"^ *\d+(?:\t|→|\| ?|: )", re.MULTILINE)
_TYPOGRAPHIC = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
        **dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
    }
)


def plain_punctuation(text: str) -> str:
    """`text` with typographic dashes, quotes and spaces as their ASCII relatives, character by character."""
    return text.translate(_TYPOGRAPHIC)


def why_not_found(view: str, old: str, new: str = "") -> str:
    """One or two sentences, and the most similar lines of `view` with their numbers. *Cost*: bounded in time."""
    if not view:
        return "The file is empty."
    without_numbers = _LINE_NUMBER.sub("", old)
    if without_numbers != old and without_numbers.strip() and without_numbers in view:
        return "It begins with line numbers, which are not part of the file: leave out the number and the tab."
    for hint, unescape in _ESCAPES:
        if (other := unescape(old)) != old and other in view:
            return hint
    lines, wanted = view.split("\n"), old.strip("\n").split("\n")
    deadline = time.monotonic() + _TIME_LIMIT_S
    for hint, form in _FORMS:
        if time.monotonic() > deadline:
            break
        if (at := _find_lines([form(line) for line in lines], [form(line) for line in wanted])) is not None:
            return f"{hint} The file has:\n{_excerpt(lines, at, len(wanted))}"
    if new.strip() and new in view:
        at = view.count("\n", 0, view.index(new))
        return f"But `new` is there already, at line {at + 1}: perhaps this was done before."
    nearest = _nearest(lines, wanted)
    if nearest is None:
        return "Nothing in the file is like it; read the file again."
    return f"The most similar lines of the file are:\n{_excerpt(lines, nearest, len(wanted))}"


def _unescape(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"').replace("\\\\", "\\")


def _escape(text: str) -> str:
    return text.replace("\n", "\\n").replace("\t", "\\t")


_ESCAPES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ('It is escaped once too often (\\n, \\t, \\" where the file has the characters themselves).', _unescape),
    ("The file has \\n or \\t written out, where `old` has real line breaks or tabs: escape them once more.", _escape),
)
_FORMS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("It differs in white space at line ends only.", str.rstrip),
    ("It differs in indentation or other white space only.", lambda line: " ".join(line.split())),
    (
        "It differs in typographic dashes, quotes or spaces only.",
        lambda line: " ".join(plain_punctuation(line).split()),
    ),
    ("It differs in upper and lower case only.", lambda line: " ".join(line.casefold().split())),
)


def _find_lines(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The index of the first line at which `wanted` stands, whole lines or, for one line, part of one."""
    if not any(wanted):
        return None
    text, part = "\n".join(lines), "\n".join(wanted)
    at = text.find(part)
    return None if at < 0 else text.count("\n", 0, at)


def _nearest(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where a block like `wanted` begins, going by its longest line; None if no line is like that one."""
    anchor = max(range(len(wanted)), key=lambda i: len(wanted[i].strip()))
    import difflib  # 5 ms; not on the way to the first request

    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted[anchor].strip()[:_MAX_LINE_CHARS])
    best, best_at, deadline = _LIKENESS, None, time.monotonic() + _TIME_LIMIT_S
    for at, line in enumerate(lines):
        if at % 64 == 0 and time.monotonic() > deadline:
            break
        matcher.set_seq1(line.strip()[:_MAX_LINE_CHARS])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, best_at = ratio, at
    return None if best_at is None else max(0, best_at - anchor)


def _excerpt(lines: Sequence[str], start: int, n_lines: int) -> str:
    """As `read` shows them."""
    shown = lines[start : start + min(n_lines, _MAX_EXCERPT_LINES)]
    rows = [
        f"{number:>6}\t{line[:_MAX_LINE_CHARS]}{' […]' if len(line) > _MAX_LINE_CHARS else ''}"
        for number, line in enumerate(shown, start + 1)
    ]
    if n_lines > len(rows) and start + len(rows) < len(lines):
        rows.append("       …")
    return well_formed("\n".join(rows))
