"""What was typed before, over all sessions."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

MOST_ENTRIES = 2_000
_MOST_CHARS = 20_000


class History:
    """Entries, the oldest first. A file that cannot be read or written is done without.

    A text that begins with a space is not kept, as in shells. Several processes may add to the same file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.entries: list[str] = []
        if path is None:
            return
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                self.entries.append(msgspec.json.decode(line, type=str))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        if len(lines) > 2 * MOST_ENTRIES:
            self._rewrite()
        del self.entries[:-MOST_ENTRIES]

    def add(self, text: str) -> None:
        if not text.strip() or text[0] == " " or len(text) > _MOST_CHARS or (self.entries and self.entries[-1] == text):
            return
        self.entries.append(text)
        self._write(os.O_APPEND, [text])

    def _rewrite(self) -> None:
        self._write(os.O_TRUNC, self.entries[-MOST_ENTRIES:])

    def _write(self, how: int, texts: list[str]) -> None:
        if self._path is None:
            return
        try:
            data = b"".join(msgspec.json.encode(text) + b"\n" for text in texts)
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except (OSError, UnicodeEncodeError):
            return
