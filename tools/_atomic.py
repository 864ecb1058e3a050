"""Replacing a file in one step: a reader sees the old bytes or the new ones, never a mixture.

*Source*: temporary file in the same folder, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from claw.errors import ToolError


def require_writable(info: os.stat_result, name: str) -> None:
    """*Errors*: ToolError for a file that nobody may write: a rename would get round that."""
    if not info.st_mode & 0o222:
        raise ToolError(
            f"{name} is read-only (mode {stat.S_IMODE(info.st_mode):04o}). Change its mode first, if that is meant.",
            "read-only",
        )


def replace_file(
    path: Path, data: bytes, name: str, *, before: os.stat_result | None, like: os.stat_result | None = None
) -> None:
    """Make `data` the content of `path`; parents are made as needed, mode and owner are kept.

    `before` is what `fstat` said when the content was read on which `data` is based, None for a new
    file. A new file takes mode and owner from `like`, if that is given.
    *Errors*: ToolError when it cannot be written, or was changed since `before`; then the file is as it was.
    """
    if before is not None:
        require_writable(before, name)
    temporary = path.parent / f".claw-{os.urandom(6).hex()}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(temporary, data, before if before is not None else like)
            _require_unchanged(path, before, name)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except (FileExistsError, NotADirectoryError):
        raise ToolError(
            f"{name} cannot be written: one of its parents is a file, not a folder.", "not a folder"
        ) from None
    except OSError as error:
        raise ToolError(
            f"{name} cannot be written: {error.strerror or error}. It is as it was.", "not writable"
        ) from None
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or a removal in `folder` last; file systems that cannot do that are left in peace."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(path: Path, data: bytes, like: os.stat_result | None) -> None:
    # Closed to others until its mode is that of the file it replaces; without one the umask decides.
    mode = 0o666 if like is None else 0o600
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if like is not None:
            with contextlib.suppress(PermissionError):  # only root may give a file away; the mode matters more
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        os.fsync(descriptor)


def _require_unchanged(path: Path, before: os.stat_result | None, name: str) -> None:
    try:
        now = path.stat()
    except FileNotFoundError:
        now = None
    if _identity(now) != _identity(before):
        raise ToolError(
            f"{name} was changed by someone else at this very moment; it was left as it is. Read it again.",
            "changed meanwhile",
        )


def _identity(info: os.stat_result | None) -> tuple[int, ...] | None:
    return None if info is None else (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
