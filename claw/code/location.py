"""Where a repository lies, found as git finds it but with no process.

`.git` may be a file that points to somewhere else, and whoever wrote the work tree wrote the pointer: it could
have claw read, and commit to, any repository of the user. So a pointer is followed only where the caller
says that the folder is trusted, and the place that it names knows the work tree too.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from msgspec import Struct

_POINTER_LIMIT_BYTES = 8 * 1024


class Location(Struct, frozen=True):
    """A repository on disk. `git_dir` and `common_dir` differ in a linked work tree only."""

    top: Path
    git_dir: Path
    common_dir: Path


def locate(cwd: Path, *, follow_pointers: bool = False) -> Location | None:
    """The repository that `cwd` lies in. Bare ones do not count.

    With `follow_pointers` the genuine linked work tree and the genuine submodule count, too: the first is
    named by the repository that it points to, the second lies in a work tree and points into the `modules`
    of its repository. A pointer of any other kind, a link for one, ends the search: there is no repository.
    *Shapes*: `cwd` is canonical.
    """
    for top in (cwd, *cwd.parents):
        dot_git = top / ".git"
        try:
            mode = dot_git.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            if not _has_head(dot_git):
                continue
            # In a folder of its own this file stands for nothing but a detour.
            return None if os.path.lexists(dot_git / "commondir") else Location(top, dot_git, dot_git)
        if not stat.S_ISREG(mode) or not follow_pointers:
            return None
        return _linked_work_tree(top, dot_git) or _submodule(top, dot_git)
    return None


def find_repository(cwd: Path, *, follow_pointers: bool = False) -> Path | None:
    """The top folder of the repository that `cwd` lies in."""
    found = locate(cwd, follow_pointers=follow_pointers)
    return found.top if found else None


def locate_submodule(top: Path) -> Location | None:
    """The repository that git itself would find in `top`, genuine or not; None if there is none at `top`.

    Good for finding out what git would obey there, not for obeying it.
    """
    git_dir = top / ".git"
    if git_dir.is_file():
        pointed = _target(git_dir)
        if pointed is None:
            return None
        git_dir = pointed
    if not _has_head(git_dir):
        return None
    common = _read(git_dir / "commondir")
    return Location(top, git_dir, (git_dir / common).resolve() if common else git_dir)


def _linked_work_tree(top: Path, dot_git: Path) -> Location | None:
    git_dir = _target(dot_git)
    if git_dir is None:
        return None
    back, common = _read(git_dir / "gitdir"), _read(git_dir / "commondir")
    if not back or not common:
        return None
    try:
        names_us = (git_dir / back).resolve() == dot_git
        common_dir = (git_dir / common).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    is_genuine = names_us and git_dir.parent == common_dir / "worktrees" and _has_head(common_dir)
    return Location(top, git_dir, common_dir) if is_genuine else None


def _submodule(top: Path, dot_git: Path) -> Location | None:
    git_dir = _target(dot_git)
    if git_dir is None or os.path.lexists(git_dir / "commondir"):
        return None
    parent = locate(top.parent, follow_pointers=True)
    if parent is None:
        return None
    inside = (git_dir.is_relative_to(folder / "modules") for folder in (parent.git_dir, parent.common_dir))
    return Location(top, git_dir, git_dir) if any(inside) else None


def _target(dot_git: Path) -> Path | None:
    """The canonical git folder that a pointer names."""
    content = _read(dot_git)
    if not content or not content.startswith("gitdir:"):
        return None
    try:
        git_dir = (dot_git.parent / content.removeprefix("gitdir:").strip()).resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links; a NUL byte
        return None
    return git_dir if _has_head(git_dir) else None


def _has_head(git_dir: Path) -> bool:
    head = git_dir / "HEAD"
    return os.path.isfile(head) or os.path.islink(head)  # which take a name that is too long for none


def _read(file: Path) -> str | None:
    """The content of a small regular file, never of a pipe or a device."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.fsdecode(opened.read(_POINTER_LIMIT_BYTES)).strip()
