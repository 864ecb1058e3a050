"""Replacing a file in one step: a reader sees the old bytes or the new ones, never a mixture.

All by one descriptor of the folder, so that a folder that is exchanged for a link meanwhile leads nowhere.

*Source*: temporary file in the same folder, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from claw.errors import ToolError
from claw.tooling.beneath import open_link_free
from claw.tooling.disk import Disk


def require_writable(info: os.stat_result, name: str) -> None:
    """*Errors*: ToolError for a file that nobody may write: a rename would get round that."""
    if not info.st_mode & 0o222:
        raise ToolError(
            f"{name} is read-only (mode {stat.S_IMODE(info.st_mode):04o}). Change its mode first, if that is meant.",
            "read-only",
        )


def require_own_file(info: os.stat_result, path: Path, disk: Disk) -> None:
    """*Errors*: ToolError for a file with several names: a rename would part them, unseen by the other.

    In a git work tree that is no harm: git does so itself with every checkout.
    """
    if info.st_nlink > 1 and not disk.is_in_git_tree(path):
        raise ToolError(
            f"{disk.show(path)} has {info.st_nlink} names (hard links), and the others may lie anywhere. Replace it by "
            "a copy of its own first, if this name alone is meant.",
            "hard link",
        )


def replace_file(
    disk: Disk, path: Path, data: bytes, name: str, *, before: os.stat_result | None, like: os.stat_result | None = None
) -> None:
    """Make `data` the content of `path`; parents are made as needed, mode and owner are kept.

    `before` is what `fstat` said when the content was read on which `data` is based, None for a new
    file. A new file takes mode and owner from `like`, if that is given.
    *Errors*: ToolError when it cannot be written, or was changed since `before`; then the file is as it was.
    """
    if before is not None:
        require_writable(before, name)
        require_own_file(before, path, disk)
    temporary = f".claw-{os.urandom(6).hex()}.tmp"
    try:
        with disk.parent_for_writing(path, make=True) as folder:
            try:
                _write(temporary, folder, data, before if before is not None else like)
                _require_unchanged(path.name, folder, before, name)
                os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            sync_folder(folder)
    except (FileExistsError, NotADirectoryError):
        raise ToolError(
            f"{name} cannot be written: one of its parents is a file, not a folder.", "not a folder"
        ) from None
    except OSError as error:
        raise _not_done(error, name, "written") from None


def remove_file(disk: Disk, path: Path, name: str) -> None:
    """*Errors*: ToolError when it cannot be removed."""
    try:
        with disk.parent_for_writing(path) as folder:
            os.unlink(path.name, dir_fd=folder)
            sync_folder(folder)
    except OSError as error:
        raise _not_done(error, name, "deleted") from None


def sync_folder(folder: int) -> None:
    """Make a rename or a removal in `folder` last; file systems that cannot do that are left in peace."""
    with contextlib.suppress(OSError):
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_done(error: OSError, name: str, what: str) -> ToolError:
    reason = "a folder above it has just become a link" if error.errno == errno.ELOOP else error.strerror or error
    return ToolError(f"{name} cannot be {what}: {reason}. It is as it was.", f"not {what}")


def _write(name: str, folder: int, data: bytes, like: os.stat_result | None) -> None:
    # Closed to others until its mode is that of the file it replaces; without one the umask decides.
    mode = 0o666 if like is None else 0o600
    descriptor = open_link_free(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if like is not None:
            with contextlib.suppress(PermissionError):  # only root may give a file away; the mode matters more
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode) & ~0o6000)  # as any write does to a set-uid file
        os.fsync(descriptor)


def _require_unchanged(entry: str, folder: int, before: os.stat_result | None, name: str) -> None:
    try:
        now = os.stat(entry, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        now = None
    if _identity(now) != _identity(before):
        raise ToolError(
            f"{name} was changed by someone else at this very moment; it was left as it is. Read it again.",
            "changed meanwhile",
        )


def _identity(info: os.stat_result | None) -> tuple[int, ...] | None:
    return None if info is None else (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
