"""What a command may not leave behind: found when it has ended, and taken away.

A back-end keeps commands from changing the protected things that exist; nothing can be mounted over, and no
rule can name, what does not exist yet. So its names are looked at before each command and after it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from claw.protocol.events import ProtectedRestored
from claw.sandbox.base import Policy
from claw.sandbox.new_repository import disarm
from claw.sandbox.originals import Originals
from claw.sandbox.places import Places, mode_of
from claw.tooling.boundary import PROTECTED_FILES, PROTECTED_FOLDERS, PROTECTED_IN_GIT

_NAMES = tuple(sorted(PROTECTED_FOLDERS | PROTECTED_FILES))
OnRestored = Callable[[ProtectedRestored], None]


class Mounts(Struct, frozen=True):
    """For one command: what is mounted read-only, and what is mounted on itself so that it cannot be renamed."""

    read_only: tuple[Path, ...] = ()
    self_bind: tuple[Path, ...] = ()


@dataclass(slots=True, eq=False)
class Watch:
    """One command under guard: what was `absent` when it started, and where its `links` led."""

    command: str
    mounts: Mounts = field(default_factory=Mounts)
    absent: set[Path] = field(default_factory=set)
    links: dict[Path, str] = field(default_factory=dict)


class Quarantine:
    """Where a command's version goes. A rename: it takes no longer for a large folder than for a small one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def take(self, path: Path, name: str | None = None, *, dir_fd: int | None = None) -> str:
        """Move `path` away, and say where it is now; empty if it is gone.

        With `dir_fd`, `name` is what is moved, out of this open folder, so that no link can be in between.
        """
        label = f"{os.getpid()}-{next(self._numbers)}-{path.name.lstrip('.')}"
        source = name or os.fspath(path)
        kept = self._folder / label
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(source, kept, src_dir_fd=dir_fd)
        except FileNotFoundError:
            return ""
        except OSError:  # on another file system: beside it then, under a name that nothing obeys
            kept = path.with_name(f"kept-by-claw-{label}")
            try:
                beside = kept.name if dir_fd is not None else os.fspath(kept)
                os.rename(source, beside, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            except OSError:
                _remove(source, dir_fd)
                return ""
        return str(kept)


def _remove(source: str, dir_fd: int | None) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(os.lstat(source, dir_fd=dir_fd).st_mode):
            shutil.rmtree(source, dir_fd=dir_fd)
        else:
            os.unlink(source, dir_fd=dir_fd)


class Guard:
    """Before and after every command of a session.

    `contents`: the back-end cannot keep commands from changing what is protected and exists, so that is
    remembered and put back too. `outside` are then files whose mode and owner a command could change.

    *Cost*: two listings for each root, and an `lstat` for each protected file if `contents`.
    """

    def __init__(
        self, policy: Policy, quarantine: Path, on_restored: OnRestored, *, contents: bool, home: Path | None = None
    ) -> None:
        self._roots = policy.writable
        self._in_roots = {root: Places(root, _NAMES) for root in policy.writable}
        self._in_git = {root / ".git": Places(root / ".git", PROTECTED_IN_GIT) for root in policy.writable}
        self._hidden = tuple(place for place in policy.hidden if any(map(place.is_relative_to, policy.writable)))
        self._quarantine = Quarantine(quarantine)
        self._on_restored = on_restored
        self._watches: set[Watch] = set()
        self._made: list[Path] = []
        self._originals = Originals(policy, home, self._quarantine.take) if contents else None

    def begin(self, command: str) -> Watch:
        """Look at what is there; what the command gets mounted is in the watch's `mounts`."""
        watch = Watch(command)
        read_only: list[Path] = []
        self_bind: list[Path] = []
        watch.absent = {place for place in self._hidden if mode_of(place) is None}
        modes = self._modes(watch.absent)
        for root in self._roots:
            if (claw := root / ".claw") not in modes and self._reserve(claw):
                modes[claw] = stat.S_IFDIR
                watch.absent.discard(claw)
        for path, mode in modes.items():
            if stat.S_ISLNK(mode):
                watch.links[path] = os.readlink(path)
                target = Path(os.path.realpath(path))
                if os.path.exists(target) and any(map(target.is_relative_to, self._roots)):
                    read_only.append(target)
            elif path.name == ".git" and stat.S_ISDIR(mode):
                self_bind.append(path)
            elif stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                read_only.append(path)
        watch.mounts = Mounts(tuple(read_only), tuple(self_bind))
        if self._originals:
            self._originals.remember(alone=not self._watches)
        self._watches.add(watch)
        return watch

    def _modes(self, absent: set[Path] | None = None) -> dict[Path, int]:
        """Of all that is protected and there; the others are added to `absent`."""
        modes: dict[Path, int] = {}
        looked_at: list[Places] = []
        for root, places in self._in_roots.items():
            modes |= places.modes()
            looked_at.append(places)
            git = root / ".git"
            if stat.S_ISDIR(modes.get(git, 0)):
                modes |= self._in_git[git].modes()
                looked_at.append(self._in_git[git])
        if absent is not None:
            for places in looked_at:
                absent.update(path for path in places.paths() if path not in modes)
        return modes

    def _reserve(self, folder: Path) -> bool:
        """`.claw` steers claw itself: an empty one holds the place, so that it can be mounted read-only."""
        try:
            folder.mkdir()
        except OSError:
            return False
        self._made.append(folder)
        return True

    def accept(self, path: Path) -> None:
        """claw itself has written `path`, with leave: it is not what a command left."""
        for watch in self._watches:
            watch.absent -= {path, *path.parents}
            watch.links.pop(path, None)
        if self._originals:
            self._originals.accept(path)

    def end(self, watch: Watch) -> None:
        """The command and all that it started are dead: take away what it left, and tell."""
        if watch not in self._watches:
            return
        self._watches.discard(watch)
        restored: list[Path] = []
        kept: list[str] = []
        now = self._modes()
        came = [path for path in watch.absent if path in now]
        came += [place for place in self._hidden if place in watch.absent and mode_of(place) is not None]
        for path in sorted(set(came)):
            if (mode := mode_of(path)) is None or _is_empty_folder(path, mode):
                continue
            if path.name == ".git" and stat.S_ISDIR(mode):
                for taken, where in disarm(path, self._quarantine.take):
                    restored.append(taken)
                    kept.append(where)
            else:
                kept.append(self._quarantine.take(path))
                restored.append(path)
        for path, target in watch.links.items():
            if _target(path) != target:
                kept.append(self._quarantine.take(path))
                with contextlib.suppress(OSError):
                    os.symlink(target, path)
                restored.append(path)
        if self._originals:
            for taken, where in self._originals.restore():
                restored.append(taken)
                kept.append(where)
        if restored:
            paths = tuple(dict.fromkeys(map(str, restored)))
            where = os.path.commonpath(kept) if all(kept) else next(filter(None, kept), "")
            self._on_restored(ProtectedRestored(command=watch.command, paths=paths, kept=where))

    def close(self) -> None:
        """Remove the folders that only held a place."""
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        self._made.clear()


def _is_empty_folder(path: Path, mode: int) -> bool:
    """It steers nothing yet; the next command finds it protected."""
    if not stat.S_ISDIR(mode):
        return False
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def _target(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
