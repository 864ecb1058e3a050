"""Payloads that are too large for the log, each in a file that is named by the hash of its content."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from claw.errors import SessionError
from claw.paths import make_private_folder
from claw.redact import Redactor
from claw.tooling.services import Blob

_CHUNK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileBlobs:
    """Blobs of one session, below `folder`; `tmp` is a folder of the same file system.

    A blob is complete or absent: it is written under another name, flushed to the disk and renamed.
    The same content is stored once. Secrets are taken out first, so the hash is of what is kept.

    *Errors*: SessionError where the disk refuses.
    """

    def __init__(self, folder: Path, tmp: Path, redactor: Redactor | None = None) -> None:
        self._folder = folder
        self._tmp = tmp
        self._redactor = redactor or Redactor()

    def put(self, data: bytes) -> Blob:
        data = self._redactor.data(data)
        blob = self._blob(hashlib.sha256(data).hexdigest(), len(data))
        try:
            if not self._holds(blob):
                temporary = self._new_temporary()
                with os.fdopen(_create(temporary), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                self._place(temporary, blob)
        except OSError as error:
            raise SessionError(f"cannot store {len(data)} bytes in {self._folder}: {error.strerror or error}") from None
        return blob

    def put_file(self, path: Path) -> Blob:
        try:
            try:
                return self._take(path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                copy = self._copy(path)  # from another file system: nothing can be renamed across
                blob = self._take(copy)
                path.unlink()
                return blob
        except OSError as error:
            raise SessionError(f"cannot store {path} in {self._folder}: {error.strerror or error}") from None

    def get(self, sha256: str) -> bytes | None:
        """The content, or None if it is missing, damaged, or `sha256` is no hash at all."""
        if not _SHA256.fullmatch(sha256):
            return None
        try:
            data = (self._folder / sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def _blob(self, sha256: str, size_bytes: int) -> Blob:
        return Blob(sha256, str(self._folder / sha256), size_bytes)

    def _holds(self, blob: Blob) -> bool:
        """A file of another size is what a broken disk left behind, and is replaced."""
        try:
            return os.stat(blob.path).st_size == blob.size_bytes
        except FileNotFoundError:
            return False

    def _take(self, path: Path) -> Blob:
        with path.open("rb") as file:
            digest, size_bytes, stream = hashlib.sha256(), 0, self._redactor.stream()
            for chunk in _chunks(file):
                stream.feed(chunk.decode("latin-1"))
                if stream.n_found:
                    return self._take_redacted(path)
                digest.update(chunk)
                size_bytes += len(chunk)
            stream.end()
            if stream.n_found:
                return self._take_redacted(path)
            blob = self._blob(digest.hexdigest(), size_bytes)
            if known := self._holds(blob):
                path.unlink()
            else:
                os.fchmod(file.fileno(), 0o600)
                os.fsync(file.fileno())
        if not known:
            self._place(path, blob)
        return blob

    def _take_redacted(self, path: Path) -> Blob:
        """For a file with a secret in it, which is rare: a copy without, and the file is gone."""
        temporary, stream = self._new_temporary(), self._redactor.stream()
        digest, size_bytes = hashlib.sha256(), 0
        with path.open("rb") as source, os.fdopen(_create(temporary), "wb") as target:
            for chunk in _chunks(source):
                size_bytes += _write(target, digest, stream.feed(chunk.decode("latin-1")))
            size_bytes += _write(target, digest, stream.end())
            target.flush()
            os.fsync(target.fileno())
        blob = self._blob(digest.hexdigest(), size_bytes)
        if self._holds(blob):
            temporary.unlink()
        else:
            self._place(temporary, blob)
        path.unlink()
        return blob

    def _copy(self, path: Path) -> Path:
        temporary = self._new_temporary()
        with path.open("rb") as source, os.fdopen(_create(temporary), "wb") as target:
            for chunk in _chunks(source):
                target.write(chunk)
        return temporary

    def _place(self, temporary: Path, blob: Blob) -> None:
        make_private_folder(self._folder)
        os.replace(temporary, blob.path)

    def _new_temporary(self) -> Path:
        return make_private_folder(self._tmp) / f"blob-{os.getpid()}-{os.urandom(6).hex()}"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _write(target: BinaryIO, digest: hashlib._Hash, text: str) -> int:
    data = text.encode("latin-1")
    digest.update(data)
    return target.write(data)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
