"""What the model knows of the files: the ledger behind "read before edit" and "unchanged since"."""

from __future__ import annotations

import hashlib
from pathlib import Path

from claw.errors import ToolError


class FileLedger:
    """Remembers each file as the model last saw or wrote it.

    A file that changed on disk since then must be read again before it is edited.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, str] = {}  # by hash: a clock is too coarse, and a path may lead elsewhere by now

    def saw(self, path: Path, data: bytes) -> None:
        """The model now knows `data` as the content of `path`."""
        self._seen[path] = _digest(data)

    def forget(self, path: Path) -> None:
        self._seen.pop(path, None)

    def knows(self, path: Path) -> bool:
        return path in self._seen

    def check(self, path: Path, data: bytes) -> None:
        """*Errors*: ToolError if the model never saw `path`, or saw another content than `data`."""
        seen = self._seen.get(path)
        if seen is None:
            raise ToolError(f"{path} has not been read in this session. Read it first, then edit.", "not read yet")
        if seen != _digest(data):
            raise ToolError(
                f"{path} was changed by someone else since it was last read. Read it again, then edit.",
                "changed since read",
            )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()
