"""Which files of a work tree changed between two moments, by whatever hand: tools, commands, commits."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from claw.code.git import Location, locate, run_git

SNAPSHOT_TIMEOUT_S = 10.0
# *Source*: the hash of the tree without entries, which every repository knows.
_EMPTY_TREES = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


class FileStamp(NamedTuple):
    """Tells two states of a file apart without reading it."""

    mode: int
    size_bytes: int
    mtime_ns: int
    inode: int


class WorkTreeSnapshot(Struct, frozen=True):
    """A work tree at one moment: the commit, and the files that differ from it.

    `head` is empty before the first commit. `dirty` are paths relative to the top, with None for what
    does not exist; `untracked` are those of them that git does not know. Ignored files are not seen.
    """

    location: Location
    head: str
    dirty: dict[str, FileStamp | None]
    untracked: frozenset[str] = frozenset()


async def snapshot(
    cwd: Path,
    *,
    follow_pointers: bool = False,
    timeout_s: float = SNAPSHOT_TIMEOUT_S,
    environ: Mapping[str, str] | None = None,
) -> WorkTreeSnapshot | None:
    """None outside a repository, without git, or where git did not answer in time.

    `follow_pointers`: as for `locate`.
    *Cost*: one process, in a thread.
    """
    location = locate(cwd, follow_pointers=follow_pointers)
    return await asyncio.to_thread(_snapshot, location, timeout_s, environ) if location else None


def _snapshot(location: Location, timeout_s: float, environ: Mapping[str, str] | None) -> WorkTreeSnapshot | None:
    args = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignore-submodules=dirty"]
    try:
        listing = run_git(location, [*args, "--no-renames", "--no-ahead-behind"], timeout_s, environ)
    except TimeoutError:
        return None
    if listing is None:
        return None
    head, tracked, untracked = _parse(listing)
    dirty = {path: _stamp(location.top / path) for path in (*tracked, *untracked)}
    return WorkTreeSnapshot(location, head, dirty, frozenset(untracked))


def _parse(listing: bytes) -> tuple[str, list[str], list[str]]:
    """The commit, the tracked paths that are dirty, the untracked ones."""
    head = ""
    tracked: list[str] = []
    untracked: list[str] = []
    # The number of fields before the path, by the kind of the entry.
    n_fields = {b"1": 8, b"u": 10, b"?": 1}
    for entry in listing.split(b"\0"):
        kind = entry[:1]
        if entry.startswith(b"# branch.oid "):
            oid = entry.removeprefix(b"# branch.oid ").decode()
            head = "" if oid == "(initial)" else oid
        elif kind in n_fields:
            path = os.fsdecode(entry.split(b" ", n_fields[kind])[-1])
            (untracked if kind == b"?" else tracked).append(path)
    return head, tracked, untracked


def _stamp(path: Path) -> FileStamp | None:
    try:
        info = path.lstat()
    except OSError:
        return None
    if stat.S_ISDIR(info.st_mode):  # a repository of its own: what happens in it is not ours to tell
        return FileStamp(info.st_mode, 0, 0, info.st_ino)
    return FileStamp(info.st_mode, info.st_size, info.st_mtime_ns, info.st_ino)


async def changed_files(
    before: WorkTreeSnapshot,
    after: WorkTreeSnapshot,
    *,
    timeout_s: float = SNAPSHOT_TIMEOUT_S,
    environ: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Absolute paths, sorted, of the files whose content or mode on disk is another than `before`.

    Committing a file does not change it. Call it right after `after` was taken: of files that were
    dirty then and are clean now it looks at the disk.

    *Errors*: ValueError for two work trees.
    *Cost*: no process if the commit is the same, else one.
    """
    if before.location.top != after.location.top:
        raise ValueError(f"two work trees: {before.location.top} and {after.location.top}")
    return await asyncio.to_thread(_changed, before, after, timeout_s, environ)


def _changed(
    before: WorkTreeSnapshot, after: WorkTreeSnapshot, timeout_s: float, environ: Mapping[str, str] | None
) -> tuple[Path, ...]:
    top, known = before.location.top, before.dirty
    changed = {path for path, stamp in known.items() if stamp != _stamp_in(after, path)}
    changed |= _newly_different(before, after, timeout_s, environ) - known.keys()
    return tuple(sorted(top / path for path in changed))


def _stamp_in(after: WorkTreeSnapshot, path: str) -> FileStamp | None:
    return after.dirty[path] if path in after.dirty else _stamp(after.location.top / path)


def _newly_different(
    before: WorkTreeSnapshot, after: WorkTreeSnapshot, timeout_s: float, environ: Mapping[str, str] | None
) -> set[str]:
    """What is now another than in the commit of `before`. What was clean then had that commit's content."""
    if before.head == after.head:
        return set(after.dirty)
    args = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-relative"]
    args += ["--ignore-submodules=dirty", before.head or _EMPTY_TREES[len(after.head)], "--"]
    try:
        listing = run_git(after.location, args, timeout_s, environ)
    except TimeoutError:
        listing = None
    if listing is None:  # the old commit is gone, or there is too much of it
        return set(after.dirty)
    return {os.fsdecode(path) for path in listing.split(b"\0") if path} | after.untracked


async def changes_since(
    before: WorkTreeSnapshot, *, timeout_s: float = SNAPSHOT_TIMEOUT_S, environ: Mapping[str, str] | None = None
) -> tuple[Path, ...] | None:
    """`changed_files` until now; None where git can no longer tell."""
    top = before.location.top
    pointed = before.location.git_dir != top / ".git"
    after = await snapshot(top, follow_pointers=pointed, timeout_s=timeout_s, environ=environ)
    if after is None or after.location != before.location:
        return None
    return await changed_files(before, after, timeout_s=timeout_s, environ=environ)
