"""Opening files by a walk of descriptors: a link anywhere on the way is an error, never a way out.

*Source*: openat(2). Imports nothing else of claw, so that a search in a child process starts quickly.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence

# A folder on the way need not be readable, only passable; elsewhere than on Linux it must be both.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LIST = os.O_RDONLY | os.O_DIRECTORY
# Never waits for a writer, and never takes a terminal.
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY

Opener = Callable[[str, int, int], int]


def open_link_free(name: str, flags: int, folder: int, mode: int = 0o666) -> int:
    """Open the entry `name` of the open `folder`.

    *Errors*: OSError; ELOOP if it is a link.
    """
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    except NotADirectoryError:
        if is_link(name, folder):
            raise OSError(errno.ELOOP, "a link has taken its place") from None
        raise


def is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def descend(
    top: int | str,
    names: Sequence[str],
    *,
    make: bool = False,
    passing: Callable[[int], None] | None = None,
    opener: Opener = open_link_free,
) -> int:
    """A descriptor of the folder that `names` lead to from `top`, fit for `dir_fd`; the caller closes it.

    With `make` folders that are missing are made. `passing` is asked about each folder, `top` included, and
    raises what stops the walk.
    *Errors*: OSError; ValueError for a name that does not lead down.
    """
    here = os.open(top, _PASS) if isinstance(top, str) else os.dup(top)
    try:
        if passing:
            passing(here)
        for name in names:
            if name in ("", ".", "..") or "/" in name:
                raise ValueError(f"{name!r} does not lead down")
            try:
                below = opener(name, _PASS, here)
            except FileNotFoundError:
                if not make:
                    raise
                with contextlib.suppress(FileExistsError):  # somebody else was quicker; with what, is seen next
                    os.mkdir(name, dir_fd=here)
                below = opener(name, _PASS, here)
            os.close(here)
            here = below
            if passing:
                passing(here)
    except BaseException:
        os.close(here)
        raise
    return here


def open_beneath(top: int, path: str, flags: int) -> int:
    """Open `path`, relative to the folder `top`, without following a link anywhere in it.

    *Errors*: as for `descend`.
    """
    *folders, name = [part for part in path.split("/") if part not in ("", ".")] or ["."]
    folder = descend(top, folders)
    try:
        if name == "..":
            raise ValueError(f"{path!r} does not lead down")
        return open_link_free(name, flags, folder)
    finally:
        os.close(folder)
