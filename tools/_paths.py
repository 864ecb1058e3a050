"""Opening what the model names: regular files only, and errors that say what is there instead."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from claw.errors import ToolError
from claw.tooling.disk import Disk
from claw.tools._binary import kind_of
from claw.tools._text import Document, plural, well_formed

# A file up to this size is read whole. Larger ones can be shown in ranges and searched, not edited:
# their text, its views and the new text would all be in memory at once.
WHOLE_LIMIT_BYTES = 32 * 1024 * 1024
_MAX_SIBLINGS = 5_000


class FileState(NamedTuple):
    """The bytes of a file, and what `fstat` said of them."""

    data: bytes
    info: os.stat_result


class Naming(Protocol):
    """Whatever can say how the model calls a path: a workspace, a disk."""

    def show(self, path: Path) -> str: ...


def shown(naming: Naming, path: Path) -> str:
    """`path` as the model sees it, fit to be sent whatever bytes the name holds."""
    return well_formed(naming.show(path))


def open_regular(path: Path, disk: Disk) -> BinaryIO:
    """Open for reading, unbuffered.

    *Errors*: ToolError for what is missing, not a regular file or not readable. Never waits for a
    writer or a device, and touches no device at all.
    """
    name = shown(disk, path)
    try:
        _require_regular(disk.stat(path), name)
        file = open(disk.open(path), "rb", buffering=0)  # noqa: SIM115 (the caller closes it)
    except OSError as error:
        raise explain(error, path, disk) from None
    try:
        _require_regular(os.fstat(file.fileno()), name)  # it may have been exchanged in between
    except ToolError:
        file.close()
        raise
    return file


def _require_regular(info: os.stat_result, name: str) -> None:
    if stat.S_ISREG(info.st_mode):
        return
    if stat.S_ISDIR(info.st_mode):
        raise ToolError(f"{name} is a folder, not a file. List it with ls.", "a folder")
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    kind = kinds.get(stat.S_IFMT(info.st_mode), "something else")
    raise ToolError(f"{name} is {kind}, not a regular file; it is left alone.", "not a file")


def read_whole(path: Path, disk: Disk) -> FileState:
    """*Errors*: ToolError as for `open_regular`, and for a file above `WHOLE_LIMIT_BYTES`."""
    with open_regular(path, disk) as file:
        info = os.fstat(file.fileno())
        data = read_up_to(file, WHOLE_LIMIT_BYTES + 1, path, disk)
    if len(data) > WHOLE_LIMIT_BYTES:
        raise ToolError(
            f"{shown(disk, path)} has {info.st_size:,} bytes; this tool changes files of up to "
            f"{WHOLE_LIMIT_BYTES:,}. Change it with a command (sed, a script).",
            "too large",
        )
    return FileState(data, info)


def read_up_to(file: BinaryIO, limit_bytes: int, path: Path, disk: Disk) -> bytes:
    """The next bytes of `file`: fewer than `limit_bytes` only at its end, whatever size it claims to have."""
    chunks: list[bytes] = []
    n_left = limit_bytes
    try:
        while n_left > 0 and (chunk := file.read(min(n_left, 1 << 20))):
            chunks.append(chunk)
            n_left -= len(chunk)
    except OSError as error:
        raise explain(error, path, disk) from None
    return b"".join(chunks)


def read_document(path: Path, disk: Disk) -> tuple[FileState, Document]:
    """*Errors*: ToolError as for `read_whole`, and for a binary file."""
    state = read_whole(path, disk)
    document = Document.of(state.data)
    if document is None:
        raise binary(path, state.data, state.info.st_size, disk)
    return state, document


def binary(path: Path, head: bytes, size_bytes: int, disk: Disk) -> ToolError:
    return ToolError(
        f"{shown(disk, path)} is a binary file ({kind_of(head)}, {plural(size_bytes, 'byte')}), not text.",
        "binary file",
    )


def explain(error: OSError, path: Path, disk: Disk) -> ToolError:
    """The error for the model. Of a missing file it says what is near."""
    name = shown(disk, path)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ToolError(f"{name} does not exist. {_what_is_near(path, disk)}".rstrip(), "no such file")
    if error.errno == errno.ELOOP:
        return ToolError(
            f"{name} cannot be opened: part of it has just become a link. Links are followed before a path is "
            "judged, not after; try again.",
            "became a link",
        )
    return ToolError(f"{name} cannot be read: {error.strerror or error}.", "not readable")


def _what_is_near(path: Path, disk: Disk) -> str:
    folder = path.parent
    names = disk.names_near(path, _MAX_SIBLINGS)
    if names is None:
        return _nearest_folder(folder, disk)
    by_case = {name.casefold(): name for name in names}
    import difflib  # 5 ms; not on the way to the first request

    near = difflib.get_close_matches(path.name.casefold(), by_case, n=3, cutoff=0.6)
    if not near:
        return ""
    return "Near it: " + ", ".join(shown(disk, folder / by_case[name]) for name in near) + "."


def _nearest_folder(folder: Path, disk: Disk) -> str:
    if disk.boundary.objects_to_read(folder) or os.path.isdir(folder):
        return ""
    existing = next((parent for parent in folder.parents if os.path.isdir(parent)), folder)
    nearest = "the working folder" if disk.show(existing) == "." else shown(disk, existing)
    return f"Nor does its folder; the nearest that does is {nearest}."
