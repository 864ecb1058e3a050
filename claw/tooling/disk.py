"""The file system as one call may use it: what was judged is opened, without following a link, and nothing else."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from claw.errors import ToolError
from claw.tooling.beneath import LIST, READ, Opener, descend, open_link_free
from claw.tooling.boundary import Boundary

# How many files below each hidden folder a hard link is compared with: keys are few, browser profiles are large.
_MAX_KEYS_EACH = 500

Identity = tuple[int, int]


class Disk:
    """`reads` and `writes` are what the gate has judged of one call; `show` names a path for the model.

    Every path that is given must be canonical. A component that has become a link since is an error
    (ELOOP), and so is whatever the boundary hides, by its name or by its inode: under another spelling,
    through another mount or as a hard link it stays hidden.
    *Errors*: OSError from the system; ToolError for what was not judged and for what is hidden.
    """

    def __init__(
        self, boundary: Boundary, reads: frozenset[Path], writes: frozenset[Path], show: Callable[[Path], str]
    ) -> None:
        self.boundary = boundary
        self.show = show
        self._reads = reads
        self._writes = writes
        self._hidden_folders: frozenset[Identity] | None = None
        self._keys: frozenset[Identity] | None = None

    def open(self, path: Path) -> int:
        """For reading; the caller closes it and looks at what it is."""
        return self._open(path, READ)

    def open_folder(self, path: Path) -> int:
        """For listing, and as the top of `open_beneath`; the caller closes it."""
        return self._open(path, LIST)

    def stat(self, path: Path) -> os.stat_result:
        """Of the entry itself: a link, which no canonical path ends in, is not followed."""
        self._require_judged(path)
        with self._folder_of(path) as folder:
            return os.stat(path.name or ".", dir_fd=folder, follow_symlinks=False)

    def exists(self, path: Path) -> bool:
        try:
            self.stat(path)
        except OSError:
            return False
        return True

    def read_link(self, path: Path) -> str:
        """Where the link at `path` points, as it says."""
        self._require_judged(path)
        with self._folder_of(path) as folder:
            return os.readlink(path.name, dir_fd=folder)

    @contextlib.contextmanager
    def parent_for_writing(self, path: Path, *, make: bool = False) -> Iterator[int]:
        """The folder of `path`, for `dir_fd`, where `path` itself was judged for writing.

        With `make` it is made, with all its parents, if it is not there.
        """
        self._require_judged(path, for_writing=True)
        with self._folder_of(path, for_writing=True, make=make) as folder:
            yield folder

    def is_in_git_tree(self, path: Path) -> bool:
        """Whether `path` lies in a work tree inside the roots, where git knows its content."""
        inside = [folder for folder in path.parents if _is_below(folder, self.boundary.roots)]
        return any(os.path.lexists(folder / ".git") for folder in inside)

    def hides(self, path: Path, info: os.stat_result | None = None) -> bool:
        """Whether a reader must not see `path`: by its name, or by what `fstat` said, if that is given."""
        if _is_below(path, self._free_to_read):
            return False
        return self._has_hidden_name(path) or (info is not None and self.is_hidden_inode(info))

    def hidden_below(self, folder: Path) -> tuple[str, ...]:
        """What is hidden below `folder`, as paths relative to it."""
        hidden = [path for path in self.boundary.hidden if path != folder and path.is_relative_to(folder)]
        return tuple(str(path.relative_to(folder)) for path in hidden if self.hides(path))

    def names_near(self, path: Path, limit: int) -> list[str] | None:
        """Some names in the folder of `path`, to say what is there instead; None where there is no such folder.

        None also if the boundary objects to reading it: a missing path tells nothing of its surroundings.
        """
        folder = path.parent
        if self.boundary.objects_to_read(folder):
            return None
        try:
            opened = self._open_unjudged(folder, LIST)
        except (OSError, ToolError):
            return None
        try:
            with os.scandir(opened) as entries:
                names = [entry.name for entry, _ in zip(entries, range(limit), strict=False)]
        finally:
            os.close(opened)
        return [name for name in names if not self.hides(folder / name)]

    def _open(self, path: Path, flags: int) -> int:
        self._require_judged(path)
        return self._open_unjudged(path, flags)

    def _open_unjudged(self, path: Path, flags: int) -> int:
        with self._folder_of(path) as folder:
            opened = self._opener(path.name or ".", flags, folder)
        try:
            if self.hides(path, os.fstat(opened)):
                raise self._hidden_error(path)
        except BaseException:
            os.close(opened)
            raise
        return opened

    @property
    def _opener(self) -> Opener:
        return open_link_free

    @contextlib.contextmanager
    def _folder_of(self, path: Path, *, for_writing: bool = False, make: bool = False) -> Iterator[int]:
        def passing(folder: int) -> None:
            if self.is_hidden_inode(os.fstat(folder)):
                raise self._hidden_error(path)

        free = self.boundary.scratch if for_writing else self._free_to_read
        check = None if _is_below(path, free) else passing
        folder = descend(path.anchor, path.parts[1:-1], make=make, passing=check, opener=self._opener)
        try:
            yield folder
        finally:
            os.close(folder)

    def _require_judged(self, path: Path, *, for_writing: bool = False) -> None:
        free = self.boundary.scratch if for_writing else self._free_to_read
        if self._has_hidden_name(path) and not _is_below(path, free):
            raise self._hidden_error(path)
        judged = path in self._writes or (not for_writing and _is_below(path, (*self._reads, *self._writes)))
        if not judged:
            raise ToolError(
                f"the path leads to {path} by now, which is not what was asked for: something was moved or replaced "
                "by a link in between. Nothing was done; look again.",
                "leads elsewhere",
            )

    @property
    def _free_to_read(self) -> tuple[Path, ...]:
        return *self.boundary.readable, *self.boundary.scratch

    def _has_hidden_name(self, path: Path) -> bool:
        return _is_below(path, self.boundary.hidden)

    def is_hidden_inode(self, info: os.stat_result) -> bool:
        """*Cost*: next to nothing for a file with one name."""
        identity = info.st_dev, info.st_ino
        if identity in self._hidden():
            return True
        if info.st_nlink < 2 or not stat.S_ISREG(info.st_mode):
            return False
        if self._keys is None:
            self._keys = frozenset(_files_below(self.boundary.hidden))
        return identity in self._keys

    def _hidden_error(self, path: Path) -> ToolError:
        return ToolError(f"{self.show(path)} holds keys of the user, and is touched by no tool.", "hidden")

    def _hidden(self) -> frozenset[Identity]:
        if self._hidden_folders is None:
            self._hidden_folders = frozenset(filter(None, map(_identity, self.boundary.hidden)))
        return self._hidden_folders


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    """`is_relative_to`, a tenth of its cost: this is asked about every file, against some forty folders."""
    text = str(path).rstrip("/") + "/"
    return any(text.startswith(str(folder).rstrip("/") + "/") for folder in folders)


class OpenFolder:
    """A folder to search: `descriptor` for whoever lists it, and what may be seen of what is found there.

    Everything is looked up by descriptors: a folder that was exchanged for a link adds nothing of where it leads.
    """

    def __init__(self, disk: Disk, path: Path) -> None:
        self.descriptor = disk.open_folder(path)
        self.hidden = disk.hidden_below(path)
        self._disk = disk
        self._hides_inodes = not _is_below(path, (*disk.boundary.readable, *disk.boundary.scratch))
        self._folders: list[str] = []  # of the last file that was asked for: mostly the next one lies there too
        self._last = os.dup(self.descriptor)

    def regular(self, path: str) -> os.stat_result | None:
        """Of the regular file at `path`, relative to this folder; None for anything else, and for what is hidden."""
        *folders, name = path.split("/")
        if any(path == hidden or path.startswith(f"{hidden}/") for hidden in self.hidden):
            return None
        try:
            if folders != self._folders:
                last = descend(self.descriptor, folders)
                os.close(self._last)
                self._folders, self._last = folders, last
            info = os.stat(name, dir_fd=self._last, follow_symlinks=False)
        except (OSError, ValueError):
            return None
        is_seen = stat.S_ISREG(info.st_mode) and not (self._hides_inodes and self._disk.is_hidden_inode(info))
        return info if is_seen else None

    def close(self) -> None:
        os.close(self._last)
        os.close(self.descriptor)


def _identity(path: Path) -> Identity | None:
    try:
        info = os.lstat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _files_below(paths: tuple[Path, ...]) -> Iterator[Identity]:
    for path in paths:
        names = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        yield from filter(None, map(_identity, islice(names, _MAX_KEYS_EACH)))
