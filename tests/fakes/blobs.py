"""Blobs in a folder, named by the hash of their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from claw.tooling.services import Blob


class FakeBlobs:
    """Keeps payloads as plain files, so that the path which a tool names can be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> Blob:
        self._folder.mkdir(parents=True, exist_ok=True)
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._folder / sha256
        path.write_bytes(data)
        return Blob(sha256, str(path), len(data))

    def put_file(self, path: Path) -> Blob:
        blob = self.put(path.read_bytes())
        path.unlink()
        return blob
