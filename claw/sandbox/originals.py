"""What is protected and exists, remembered as it was, for back-ends that cannot keep commands from it.

*Cost*: a look at each file's number and change time; its bytes are read once, and again after a change.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from claw.sandbox.base import Policy
from claw.tooling.boundary import PROTECTED_FILES, PROTECTED_FOLDERS, PROTECTED_IN_GIT

_FILE_BYTES = 4 << 20
_TOTAL_BYTES = 64 << 20
_MAX_ENTRIES = 20_000
# Of a submodule's or a work tree's own git folder: what is not protected in `.git` either.
_WRITTEN_BY_GIT = frozenset({
    "objects", "refs", "logs", "lfs", "index", "HEAD", "ORIG_HEAD", "FETCH_HEAD", "packed-refs",
})  # fmt: skip
_NAMES = (*PROTECTED_FILES, *PROTECTED_FOLDERS - {".git"}, *(f".git/{name}" for name in PROTECTED_IN_GIT))

Take = Callable[[Path], str]


class Original(Struct, frozen=True):
    """One path as it was. `data` is the bytes of a file, the target of a link; None for what was too large."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    data: bytes | None


class Originals:
    """`take` moves a command's version away and says where it is now."""

    def __init__(self, policy: Policy, home: Path | None, take: Take) -> None:
        self._outside = tuple(_dotfiles(home, policy)) if home else ()
        self._take = take
        self._tops = [root / name for root in policy.writable for name in _NAMES]
        self._gits = [root / ".git" for root in policy.writable]
        self._known: dict[Path, Original] = {}
        self._n_bytes = 0

    def remember(self, *, alone: bool) -> None:
        """Before a command. While others run, only what is not known yet is looked at: they may have changed it."""
        if self._is_all_known():
            return
        found: dict[Path, Original] = {} if alone else dict(self._known)
        self._n_bytes = sum(len(known.data or b"") for known in found.values())
        for path in self._protected():
            if path not in found and (now := self._look(path, self._known.get(path))):
                found[path] = now
        for path in self._outside:
            if path not in found and (now := _without_content(path)):
                found[path] = now
        self._known = found

    def _is_all_known(self) -> bool:
        """Nothing has changed: a folder's change time tells of what came into it."""
        return bool(self._known) and (
            all((seen := _lstat(path)) and _unchanged(seen, known) for path, known in self._known.items())
            and not any(path not in self._known and _lstat(path) for path in (*self._tops, *self._gits))
        )

    def accept(self, path: Path) -> None:
        """As it is now is how it should be."""
        for known in [known for known in self._known if known == path or known.is_relative_to(path)]:
            del self._known[known]
        if any(path.name in (PROTECTED_FOLDERS | PROTECTED_FILES) for path in (path, *path.parents)) and (
            now := self._look(path, None)
        ):
            self._known[path] = now
        for parent in path.parents:  # its folder has changed with it
            if parent in self._known and (now := self._look(parent, None)):
                self._known[parent] = now

    def _protected(self) -> Iterator[Path]:
        n_entries = 0
        for top in self._tops:
            for path in _walk(top):
                n_entries += 1
                if n_entries > _MAX_ENTRIES:
                    return
                yield path
        yield from self._gits

    def _look(self, path: Path, known: Original | None) -> Original | None:
        if (seen := _lstat(path)) is None:
            return None
        if known and _unchanged(seen, known):
            self._n_bytes += len(known.data or b"")
            return known
        data: bytes | None = None
        with contextlib.suppress(OSError):
            if stat.S_ISLNK(seen.st_mode):
                data = os.fsencode(os.readlink(path))
            elif stat.S_ISREG(seen.st_mode) and seen.st_size <= min(_FILE_BYTES, _TOTAL_BYTES - self._n_bytes):
                data = _read(path)
        self._n_bytes += len(data or b"")
        return _original(seen, data)

    def restore(self) -> list[tuple[Path, str]]:
        """Put back what is no longer as it was. *Returns*: each path, and where the other version is now."""
        restored: list[tuple[Path, str]] = []
        for git in self._gits:
            restored += self._return_git(git)
        for path, known in sorted(filter(_differs, self._known.items()), key=_path_of):
            seen = _lstat(path)
            if seen and path in self._outside:
                if _set_metadata(path, seen, known, with_time=False):
                    restored.append((path, ""))
                continue
            if stat.S_ISDIR(known.mode):
                restored += self._restore_folder(path, known, seen)
            elif (where := self._restore_file(path, known, seen)) is not None:
                restored.append((path, where))
            if (now := self._look(path, None)) is not None:
                self._known[path] = now
        return restored

    def _return_git(self, git: Path) -> list[tuple[Path, str]]:
        """A repository that was renamed comes back with all that is in it."""
        known = self._known.get(git)
        if known is None or not stat.S_ISDIR(known.mode) or ((seen := _lstat(git)) and seen.st_ino == known.inode):
            return []
        with contextlib.suppress(OSError):
            for entry in _entries(git.parent):
                if entry.is_dir(follow_symlinks=False) and entry.inode() == known.inode:
                    where = self._take(git) if os.path.lexists(git) else ""
                    os.rename(entry.path, git)
                    return [(git, where)]
        return []

    def _restore_folder(self, path: Path, known: Original, seen: os.stat_result | None) -> Iterator[tuple[Path, str]]:
        if seen is None or not stat.S_ISDIR(seen.st_mode):
            where = self._take(path) if seen else ""
            with contextlib.suppress(OSError):
                os.mkdir(path)
            yield path, where
        elif path.name != ".git":
            with contextlib.suppress(OSError):
                for entry in _entries(path):
                    if Path(entry.path) not in self._known and entry.name not in _WRITTEN_BY_GIT:
                        yield Path(entry.path), self._take(Path(entry.path))
        with contextlib.suppress(OSError):
            if _set_metadata(path, os.lstat(path), known, with_time=False):
                yield path, ""

    def _restore_file(self, path: Path, known: Original, seen: os.stat_result | None) -> str | None:
        """None if only its change time was another, else where the other version is."""
        if seen and _same_kind(seen, known) and _content(path, seen) == known.data and known.data is not None:
            return "" if _set_metadata(path, seen, known, with_time=True) else None
        if known.data is None:
            return "" if seen is None or seen.st_ino != known.inode or seen.st_mtime_ns != known.mtime_ns else None
        where = self._take(path) if seen else ""
        with contextlib.suppress(OSError):
            if stat.S_ISLNK(known.mode):
                os.symlink(known.data, path)
            else:
                number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with open(number, "wb") as file:
                    file.write(known.data)
                _set_metadata(path, os.lstat(path), known, with_time=True)
        return where


def _walk(path: Path) -> Iterator[Path]:
    """`path`, and what lies below it if it is a folder; links are not followed."""
    yield path
    for entry in _entries(path):
        if entry.name in _WRITTEN_BY_GIT and ".git" in path.parts:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _dotfiles(home: Path, policy: Policy) -> Iterator[Path]:
    """Files of the user that steer a shell, and keys: who may read and write them is no command's business."""
    yield home
    for entry in _entries(home):
        path = Path(entry.path)
        if entry.name.startswith(".") and not any(map(path.is_relative_to, policy.writable)):
            yield path
    yield from (place for place in policy.hidden if place.parent != home)


def _without_content(path: Path) -> Original | None:
    seen = _lstat(path)
    return _original(seen, None) if seen else None


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _original(seen: os.stat_result, data: bytes | None) -> Original:
    return Original(seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, data)


def _unchanged(seen: os.stat_result, known: Original) -> bool:
    return (seen.st_ctime_ns, seen.st_ino) == (known.ctime_ns, known.inode)


def _differs(item: tuple[Path, Original]) -> bool:
    seen = _lstat(item[0])
    return seen is None or not _unchanged(seen, item[1])


def _path_of(item: tuple[Path, Original]) -> Path:
    return item[0]


def _same_kind(seen: os.stat_result, known: Original) -> bool:
    return stat.S_IFMT(seen.st_mode) == stat.S_IFMT(known.mode)


def _content(path: Path, seen: os.stat_result) -> bytes | None:
    with contextlib.suppress(OSError):
        if stat.S_ISLNK(seen.st_mode):
            return os.fsencode(os.readlink(path))
        if stat.S_ISREG(seen.st_mode) and seen.st_size <= _FILE_BYTES:
            return _read(path)
    return None


def _read(path: Path) -> bytes:
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(number, "rb") as file:
        return file.read(_FILE_BYTES + 1)


def _set_metadata(path: Path, seen: os.stat_result, known: Original, *, with_time: bool) -> bool:
    """Mode, owner and, `with_time`, time of change as they were. Whether any was another."""
    changed = False
    with contextlib.suppress(OSError):
        if (seen.st_uid, seen.st_gid) != (known.uid, known.gid):
            changed = True
            os.chown(path, known.uid, known.gid, follow_symlinks=False)
        if seen.st_mode != known.mode and not stat.S_ISLNK(seen.st_mode) and _same_kind(seen, known):
            changed = True
            os.chmod(path, stat.S_IMODE(known.mode))
        if with_time and seen.st_mtime_ns != known.mtime_ns:
            changed = True
            os.utime(path, ns=(seen.st_atime_ns, known.mtime_ns), follow_symlinks=False)
    return changed
