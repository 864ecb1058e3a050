"""The records of a search as the lines that the model reads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from claw.tooling.truncate import RESULT_LIMIT_CHARS
from claw.tools._search import STDIN
from claw.tools._text import well_formed

MAX_LINE_CHARS = 500
# Below the size at which a result loses its middle.
MAX_CHARS = RESULT_LIMIT_CHARS - 2_000
_LEAD_CHARS = 100  # of a long line that are kept before the match
_NUMBERED = re.compile(rb"(\d+)(?::(\d+):|-)")


class Collector:
    """Takes records until `limit` rows or `MAX_CHARS` are reached; `is_full` tells that there were more.

    `prefix` stands before every path, and alone for stdin, whose path is empty; `is_wanted` is asked about each.

    *Shapes*: `rows` hold `path:line:text`, `path-line-text` for context, `--` between groups; in mode
    `files` a path; in mode `count` `path:matches`.
    """

    def __init__(self, prefix: str, mode: str, limit: int) -> None:
        self.prefix = prefix
        self.mode = mode
        self.is_wanted: Callable[[str], bool] = lambda path: True
        self.rows: list[str] = []
        self.n_matches = 0
        self.n_files = 0
        self.is_full = False
        self._limit = limit
        self._n_chars = 0
        self._path = b""
        self._takes = False
        self._has_gap = False

    def take(self, record: bytes) -> bool:
        """False when no more is wanted."""
        path, separator, rest = record.partition(b"\0")
        if self.mode == "content" and not separator:
            # Between groups; anything else without a path is ripgrep's remark about a binary file.
            self._has_gap = self._has_gap or record.rstrip(b"\r") == b"--"
            return True
        if path != self._path:
            self._path = path
            relative = os.fsdecode(path).removeprefix("./") if path != STDIN else ""
            self._takes = self.is_wanted(relative)
            self._shown = self.prefix + well_formed(relative)
            self.n_files += self._takes and bool(path)
        if not self._takes or not path:
            return True
        return self._add(rest)

    def _add(self, rest: bytes) -> bool:
        row, n_matches = self._row(rest)
        new_rows = ["--", row] if self._has_gap and self.rows else [row]
        n_chars = sum(map(len, new_rows)) + len(new_rows)
        if len(self.rows) + len(new_rows) > self._limit or (self.rows and self._n_chars + n_chars > MAX_CHARS):
            self.is_full = True
            return False
        self._has_gap = False
        self._n_chars += n_chars
        self.n_matches += n_matches
        self.rows += new_rows
        return True

    def _row(self, rest: bytes) -> tuple[str, int]:
        if self.mode == "files":
            return self._shown, 1
        if self.mode == "count":
            return f"{self._shown}:{int(rest)}", int(rest)
        numbered = _NUMBERED.match(rest)
        assert numbered is not None
        number, column = numbered.groups()
        line = rest[numbered.end() :].removesuffix(b"\r")
        text = _cut(line, int(column) - 1 if column else 0)
        mark = ":" if column else "-"
        return f"{self._shown}{mark}{number.decode()}{mark}{text}", 1 if column else 0


def _cut(line: bytes, match_at: int) -> str:
    """The line, or of a long one the part around the match. *Units*: `match_at` in bytes."""
    text = line.decode("utf-8", "replace")
    if len(text) <= MAX_LINE_CHARS:
        return text
    start = len(line[:match_at].decode("utf-8", "replace")) - _LEAD_CHARS
    start = max(0, min(start, len(text) - MAX_LINE_CHARS))
    end = start + MAX_LINE_CHARS
    return f"{'[…] ' if start else ''}{text[start:end]}{' […]' if end < len(text) else ''}"
