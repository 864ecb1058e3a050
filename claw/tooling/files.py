"""What the model knows of the files: the ledger behind "read before edit" and "unchanged since"."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from claw.errors import ToolError


class Stamp(NamedTuple):
    """Tells two states of a file apart. The hash settles what a coarse clock leaves open."""

    mtime_ns: int
    size_bytes: int
    sha256: str


class FileLedger:
    """Remembers each file as the model last saw or wrote it.

    A file that changed on disk since then must be read again before it is edited.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, Stamp] = {}

    def saw(self, path: Path, data: bytes) -> None:
        """The model now knows `data` as the content of `path`."""
        info = os.stat(path)
        self._seen[path] = Stamp(info.st_mtime_ns, info.st_size, _digest(data))

    def forget(self, path: Path) -> None:
        self._seen.pop(path, None)

    def knows(self, path: Path) -> bool:
        return path in self._seen

    def check(self, path: Path, data: bytes) -> None:
        """*Errors*: ToolError if the model never saw `path`, or saw another content than `data`."""
        seen = self._seen.get(path)
        if seen is None:
            raise ToolError(f"{path} has not been read in this session. Read it first, then edit.", "not read yet")
        if seen.sha256 != _digest(data):
            raise ToolError(
                f"{path} was changed by someone else since it was last read. Read it again, then edit.",
                "changed since read",
            )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()
