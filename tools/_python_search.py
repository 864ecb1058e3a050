"""The search for machines without ripgrep: `python -m claw.tools._python_search SEARCH`.

Prints the records that `_search.Search` describes; exit codes are those of ripgrep.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from claw.errors import ToolError
from claw.tooling.beneath import LIST, READ, open_beneath
from claw.tools._file_types import NAMES_BY_TYPE
from claw.tools._globs import GlobMatcher
from claw.tools._search import STDIN, Search
from claw.tools._text import WITH_BOM
from claw.tools._walk import walk

_STDIN = STDIN.decode()
FOUND, NOTHING, ERROR = 0, 1, 2
_MAX_FILE_BYTES = 64 * 1024 * 1024


class Hit(NamedTuple):
    """Lines `first` to `last`, counted from 0; `column` in bytes, counted from 1, of the first of them."""

    first: int
    last: int
    column: int


def main(argument: str, out: BinaryIO) -> int:
    search = msgspec.json.decode(argument, type=Search)
    try:
        top = os.open(".", LIST | os.O_CLOEXEC)
        paths = _paths(search, top)
        if search.kind == "list":
            return _print_all((os.fsencode(path) + b"\0" for path in paths), out)
        pattern = _compiled(search)
    except ToolError as error:
        print(error, file=sys.stderr)
        return ERROR
    return _print_all(_records(search, pattern, paths, top), out)


def _print_all(records: Iterable[bytes], out: BinaryIO) -> int:
    exit_code = NOTHING
    for record in records:
        out.write(record)
        exit_code = FOUND
    out.flush()
    return exit_code


def _paths(search: Search, top: int) -> Iterator[str]:
    if search.in_stdin:
        return iter([_STDIN])
    matchers = [GlobMatcher(search.glob)] if search.glob else []
    if search.type:
        if search.type not in NAMES_BY_TYPE:
            raise ToolError(f"unrecognized file type: {search.type}; known are {', '.join(NAMES_BY_TYPE)}")
        matchers.append(GlobMatcher(NAMES_BY_TYPE[search.type]))
    found = walk(top, include_ignored=search.include_ignored, hidden=search.hidden)
    return (f"./{path}" for path in found if all(matcher.matches(path) for matcher in matchers))


def _compiled(search: Search) -> re.Pattern[str]:
    flags = re.MULTILINE | (re.IGNORECASE if search.ignore_case else 0) | (re.DOTALL if search.multiline else 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as [[:alpha:]], which Python reads as something else
            return re.compile(search.pattern, flags)
    except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError) as error:
        raise ToolError(f"regex parse error: {error}") from None


def _records(search: Search, pattern: re.Pattern[str], paths: Iterable[str], top: int) -> Iterator[bytes]:
    is_first = True
    for path in paths:
        text = _read(path, top)
        if text is None:
            continue
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        if lines[-1] == "":
            lines.pop()
        hits = list(_hits_across(pattern, lines) if search.multiline else _hits_in_lines(pattern, lines))
        if not hits:
            continue
        name = os.fsencode(path) + b"\0"
        if search.kind == "files":
            yield name
        elif search.kind == "count":
            yield name + str(len(hits)).encode() + b"\n"
        else:
            if not is_first and (search.before or search.after):
                yield b"--\n"
            for row in _rows(lines, hits, search.before, search.after):
                yield b"--\n" if row is None else name + row.encode("utf-8", "surrogateescape") + b"\n"
        is_first = False


def _read(path: str, top: int) -> str | None:
    """None for what is binary, too large, or cannot be read."""
    try:
        with open(0 if path == _STDIN else open_beneath(top, path, READ), "rb") as file:
            info = os.fstat(file.fileno())
            if info.st_size > _MAX_FILE_BYTES:
                print(f"{path} was passed over: larger than {_MAX_FILE_BYTES:,} bytes", file=sys.stderr)
                return None
            data = file.read() if stat.S_ISREG(info.st_mode) else b""
    except (OSError, ValueError):
        return None
    for encoding in WITH_BOM:
        if data.startswith(encoding.bom):
            return data[len(encoding.bom) :].decode(encoding.codec, "replace")
    return None if b"\0" in data else data.decode("utf-8", "surrogateescape")


def _hits_in_lines(pattern: re.Pattern[str], lines: list[str]) -> Iterator[Hit]:
    for number, line in enumerate(lines):
        if match := pattern.search(line):
            yield Hit(number, number, _column(line, match.start()))


def _hits_across(pattern: re.Pattern[str], lines: list[str]) -> Iterator[Hit]:
    text = "".join(line + "\n" for line in lines)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for match in pattern.finditer(text):
        if match.start() >= len(text):
            break  # an empty match after the last line
        first = bisect_right(starts, match.start()) - 1
        last = bisect_right(starts, max(match.start(), match.end() - 1)) - 1
        yield Hit(first, last, _column(lines[first], match.start() - starts[first]))


def _column(line: str, at: int) -> int:
    return len(line[:at].encode("utf-8", "surrogateescape")) + 1


def _rows(lines: list[str], hits: list[Hit], before: int, after: int) -> Iterator[str | None]:
    """What follows the path in each record; None between groups of lines."""
    columns: dict[int, int] = {}
    for hit in hits:
        for number in range(hit.first, hit.last + 1):
            columns.setdefault(number, hit.column if number == hit.first else 1)
    printed = -1  # the last line that was
    for number in columns:
        start = max(number - before, printed + 1)
        if printed >= 0 and start > printed + 1 and (before or after):
            yield None
        for at in range(start, number):
            yield f"{at + 1}-{lines[at]}"
        yield f"{number + 1}:{columns[number]}:{lines[number]}"
        printed = number
        while printed < min(number + after, len(lines) - 1) and printed + 1 not in columns:
            printed += 1
            yield f"{printed + 1}-{lines[printed]}"


if __name__ == "__main__":
    try:
        code = main(sys.argv[1], sys.stdout.buffer)
    except BrokenPipeError:
        code = FOUND  # whoever reads has seen enough
    sys.stderr.flush()
    os._exit(code)  # a closed pipe must not be flushed again on the way out
