"""A range of lines out of a text that comes in chunks: memory does not grow with the file."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import BinaryIO

from claw.errors import ToolError
from claw.tooling.disk import Disk
from claw.tools._paths import binary, explain, shown
from claw.tools._text import Document, decode

MAX_LINE_CHARS = 2_000
_CHUNK_SIZE = 1 << 20
# A gigabyte takes a few seconds. What lies beyond is for `sed` and `tail`.
SCAN_LIMIT_BYTES = 1 << 30


@dataclass(slots=True)
class Excerpt:
    """`lines` are cut to `MAX_LINE_CHARS`; `n_lines` counts the whole text, as far as it was scanned."""

    lines: list[str] = field(default_factory=list)
    n_lines: int = 0


def in_slices(text: str) -> Iterator[str]:
    return (text[start : start + _CHUNK_SIZE] for start in range(0, len(text), _CHUNK_SIZE))


def n_lines_of(chunks: Iterable[str]) -> int:
    """Line feeds, and one more for a last line without one."""
    n_lines, last = 0, "\n"
    for chunk in chunks:
        n_lines += chunk.count("\n")
        last = chunk[-1:] or last
    return n_lines + (last != "\n")


def take(chunks: Iterable[str], first: int, limit: int, max_chars: int) -> Excerpt:
    """Lines `first` to `first + limit - 1`, fewer where they would be longer than `max_chars` together.

    *Units*: `first` counts from 1.
    """
    excerpt, line = Excerpt(), _Line()
    end = first + limit
    n_chars, is_full, is_open = 0, False, False
    number = 1  # of the line that the next chunk continues

    def keep() -> None:
        nonlocal n_chars, is_full
        text = line.text()
        n_chars += len(text) + 8  # with its number
        if is_full or (n_chars > max_chars and excerpt.lines):
            is_full = True
        else:
            excerpt.lines.append(text)

    for chunk in chunks:
        n_ends = chunk.count("\n")
        is_open = not chunk.endswith("\n") if chunk else is_open
        if number + n_ends < first or number >= end or is_full:
            number += n_ends
            continue
        pieces = iter(chunk.split("\n"))
        line.add(next(pieces), wanted=first <= number < end)
        for piece in pieces:
            if first <= number < end:
                keep()
            number += 1
            line = _Line()
            line.add(piece, wanted=first <= number < end)
    if is_open and first <= number < end:
        keep()
    excerpt.n_lines = number - 1 + is_open
    return excerpt


class _Line:
    """A line that may come in many pieces; only its beginning is kept."""

    def __init__(self) -> None:
        self._head = ""
        self._n_chars = 0

    def add(self, piece: str, *, wanted: bool) -> None:
        self._n_chars += len(piece)
        if wanted and len(self._head) < MAX_LINE_CHARS:
            self._head += piece[: MAX_LINE_CHARS - len(self._head)]

    def text(self) -> str:
        n_more = self._n_chars - len(self._head)
        return self._head if n_more <= 0 else f"{self._head} [… {n_more:,} more characters in this line]"


class TextStream:
    """The text of a file too large to be held, decoded chunk by chunk as often as it is asked for.

    `encoding` is what the first chunk says. `is_complete` is False when the last pass stopped at
    `SCAN_LIMIT_BYTES`.
    *Errors*: ToolError for a binary file, one that cannot be read, and when `stop` is set.
    """

    def __init__(self, file: BinaryIO, path: Path, disk: Disk, stop: Flag) -> None:
        self._file = file
        self._path = path
        self._disk = disk
        self._stop = stop
        self.is_complete = True
        self.size_bytes = os.fstat(file.fileno()).st_size
        head = self._read_at(0)
        is_whole = len(head) < _CHUNK_SIZE
        decoded = decode(head, is_whole=is_whole)
        if decoded is None:
            raise binary(path, head, self.size_bytes, disk)
        self.encoding, text = decoded
        # The line endings of the first chunk stand for the file's; at its end a CR LF may be cut in two.
        self.line_endings = Document(text if is_whole else text.removesuffix("\r")).line_endings

    def chunks(self) -> Iterator[str]:
        """With line feeds as line endings."""
        # A byte that does not fit, far from the first chunk, is shown as such: this text is never written.
        errors = "surrogateescape" if self.encoding.codec == "utf-8" else "replace"
        decoder = codecs.getincrementaldecoder(self.encoding.codec)(errors)
        offset, held_back, self.is_complete = len(self.encoding.bom), "", True
        while data := self._read_at(offset):
            if self._stop.is_set():
                raise ToolError("interrupted", "interrupted")
            offset += len(data)
            text = held_back + decoder.decode(data)
            if "\0" in text:
                raise binary(self._path, data, self.size_bytes, self._disk)
            # CR LF may be split between two chunks.
            held_back = "\r" if text.endswith("\r") else ""
            yield self._with_line_feeds(text[: len(text) - len(held_back)])
            if offset >= SCAN_LIMIT_BYTES:
                self.is_complete = False
                return
        yield self._with_line_feeds(held_back + decoder.decode(b"", True))

    def _with_line_feeds(self, text: str) -> str:
        return text.replace("\r", "\n") if self.line_endings == "CR" else text.replace("\r\n", "\n")

    def _read_at(self, offset: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), _CHUNK_SIZE, offset)
        except OSError as error:
            raise explain(error, self._path, self._disk) from None


def beyond_the_scan(path: Path, disk: Disk) -> ToolError:
    return ToolError(
        f"that part of {shown(disk, path)} lies beyond its first {SCAN_LIMIT_BYTES:,} bytes, which is as far "
        "as read goes. Use tail or sed.",
        "too far into the file",
    )
