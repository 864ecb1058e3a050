"""What changed, with both sides of every file: against git's HEAD, or by the diffs that tools left in the log."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from claw.code.git import run_git
from claw.code.hunks import parse_hunks, undo_hunks
from claw.code.location import locate
from claw.code.review import ChangedFile
from claw.errors import UsageError
from claw.protocol.details import FileChange

MOST_BYTES = 2 * 1024 * 1024
_MOST_FILES = 1_000
_WITHIN_S = 20.0


class Changes(Struct, frozen=True):
    """Paths of `files` are relative to `root`; `unclear` says of the others why they cannot be shown."""

    root: Path
    files: tuple[ChangedFile, ...]
    unclear: Mapping[str, str] = {}


def against_head(cwd: Path) -> Changes:
    """The work tree against the last commit, files that git does not know yet included.

    *Errors*: UsageError without a repository, or where git fails. *Cost*: a git process for each file.
    """
    location = locate(cwd, follow_pointers=True)
    if location is None:
        raise UsageError(f"{cwd} is in no git repository; `/diff session` shows what was changed in this session")

    def git(*args: str) -> bytes | None:
        try:
            return run_git(location, args, _WITHIN_S)
        except TimeoutError:
            raise UsageError("git did not answer in time") from None

    has_head = git("rev-parse", "--verify", "--quiet", "HEAD") is not None
    new = git("ls-files", "-z", "--others", "--exclude-standard")
    names = (
        git("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "HEAD") if has_head else git("ls-files", "-z")
    )
    if new is None or names is None:
        raise UsageError("git cannot say what changed here; `git status` may say why")
    untracked = set(_split(new))
    files: list[ChangedFile] = []
    unclear: dict[str, str] = {}
    for path in sorted({*_split(names), *untracked})[:_MOST_FILES]:
        before = git("cat-file", "blob", f"HEAD:{path}") if has_head and path not in untracked else None
        try:
            after, mode = read_plain(location.top, path)
        except ValueError as reason:
            unclear[path] = str(reason)
            continue
        if before is not None and len(before) > MOST_BYTES:
            unclear[path] = "is too large"
        elif before != after:
            files.append(ChangedFile(path, before, after, mode))
    return Changes(location.top, tuple(files), unclear)


def _split(output: bytes) -> list[str]:
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def undone(cwd: Path, recorded: Sequence[FileChange]) -> Changes:
    """What the recorded changes, in the order in which they were made, add up to: each is taken back in thought."""
    by_path: dict[str, list[FileChange]] = {}
    for change in recorded:
        path = os.path.relpath(change.path, cwd) if os.path.isabs(change.path) else change.path
        by_path.setdefault(path, []).append(change)
    files: list[ChangedFile] = []
    unclear: dict[str, str] = {}
    for path, changes in sorted(by_path.items()):
        try:
            after, mode = read_plain(cwd, path)
            before = _before(after, changes)
        except ValueError as reason:
            unclear[path] = str(reason)
        else:
            if before != after:
                files.append(ChangedFile(path, before, after, mode))
    return Changes(cwd, tuple(files), unclear)


def _before(after: bytes | None, changes: Sequence[FileChange]) -> bytes | None:
    """*Errors*: ValueError where somebody else changed the file since."""
    text = None if after is None else after.decode("utf-8", "surrogateescape")
    for change in reversed(changes):
        if (text is None) != (change.kind == "deleted"):
            raise ValueError("was made or deleted by something else since")
        try:
            hunks = parse_hunks(change.diff)
            text = undo_hunks(text or "", hunks)
        except ValueError:
            raise ValueError("was changed by something else since") from None
        if not hunks and change.kind != "added":
            raise ValueError("is binary, or its change is too long to be kept")
        if change.kind == "added":
            if text:
                raise ValueError("was changed by something else since")
            text = None
    return None if text is None else text.encode("utf-8", "surrogateescape")


def read_plain(root: Path, path: str) -> tuple[bytes | None, int | None]:
    """Content and mode of a plain file below `root`, None for what is not there.

    *Errors*: ValueError, with why it is not read, for links, for what lies outside and for what is too large.
    """
    if os.path.isabs(path) or ".." in Path(path).parts:
        raise ValueError("lies outside the folder")
    place = root / path
    if place.parent.resolve() != root.resolve() / Path(path).parent:
        raise ValueError("lies behind a link")
    try:
        found = os.lstat(place)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is no plain file")
        if found.st_size > MOST_BYTES:
            raise ValueError("is too large")
        return place.read_bytes(), stat.S_IMODE(found.st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
