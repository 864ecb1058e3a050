"""A `.git` that a command made: `git init` and `git clone` are honest work, hooks and odd configuration are not."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

_CONFIG_BYTES = 256 * 1024
_SECTION = re.compile(r"\[([A-Za-z][A-Za-z0-9-]*)(?:[ \t]+\"([^\"\\\x00-\x1f]*)\")?\][ \t]*")
# No quotes, escapes or comments: a value that needs them is not among the harmless ones.
_VARIABLE = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:=[ \t]*([^\"\\#;\x00-\x1f]*))?")
_HARMLESS = {
    "core": {"repositoryformatversion", "filemode", "bare", "logallrefupdates", "ignorecase", "precomposeunicode",
             "symlinks"},
    "extensions": {"objectformat", "compatobjectformat", "refstorage"},
    "remote": {"url", "pushurl", "fetch", "tagopt", "prune", "promisor", "partialclonefilter"},
    "branch": {"remote", "pushremote", "merge", "rebase", "description"},
    "user": {"name", "email", "useconfigonly"},
    "init": {"defaultbranch"},
}  # fmt: skip
# What `git init` makes nothing of, or only from a template.
_NEVER = ("config.worktree", "commondir", "modules", "worktrees")


class Take(Protocol):
    def __call__(self, path: Path, name: str | None = None, *, dir_fd: int | None = None) -> str: ...


def disarm(git: Path, take: Take) -> list[tuple[Path, str]]:
    """Take away what git would run or obey, with `take`; each path, and where it is now.

    Everything is done by open folders: a command that still runs may swap any of them for a link.
    """
    taken: list[tuple[Path, str]] = []
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        folder = os.open(git, flags)
    except OSError:
        return taken
    try:
        present = [name for name in _NEVER if _mode(name, folder) is not None]
        taken += [(git / name, take(git / name, name, dir_fd=folder)) for name in present]
        _disarm_config(git / "config", folder, take, taken)
        for name, harmless in (("hooks", _is_sample), ("info", _is_exclude)):
            mode = _mode(name, folder)
            if mode is None:
                continue
            if not stat.S_ISDIR(mode):
                taken.append((git / name, take(git / name, name, dir_fd=folder)))
                continue
            inner = os.open(name, flags, dir_fd=folder)
            try:
                odd = [git / name / entry for entry in _odd_entries(inner, harmless)]
                taken += [(path, take(path, path.name, dir_fd=inner)) for path in odd]
            finally:
                os.close(inner)
    except OSError:  # swapped under our hands: away with all of it
        taken.append((git, take(git)))
    finally:
        os.close(folder)
    return taken


def _is_sample(name: str) -> bool:
    return name.endswith(".sample")


def _is_exclude(name: str) -> bool:
    return name == "exclude"


def _odd_entries(folder: int, harmless: Callable[[str], bool]) -> Iterator[str]:
    for name in os.listdir(folder):
        mode = _mode(name, folder)
        if mode is not None and not (harmless(name) and stat.S_ISREG(mode)):
            yield name


def _disarm_config(config: Path, folder: int, take: Take, taken: list[tuple[Path, str]]) -> None:
    mode = _mode("config", folder)
    if mode is None:
        return
    harmless = ""
    if stat.S_ISREG(mode):
        file = os.open("config", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with open(file, "rb") as opened:
            text = opened.read(_CONFIG_BYTES + 1).decode("utf-8", "surrogateescape")
        harmless = harmless_config(text) if len(text) <= _CONFIG_BYTES else ""
        if harmless == text:
            return
    taken.append((config, take(config, "config", dir_fd=folder)))
    file = os.open("config", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
    with open(file, "wb") as opened:
        opened.write(harmless.encode("utf-8", "surrogateescape"))


def harmless_config(text: str) -> str:
    """The lines of a git configuration that run nothing and lead nowhere; each stands for itself."""
    kept: list[str] = []
    known: set[str] | None = None
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        bare = line.removesuffix("\n")
        if section := _SECTION.fullmatch(bare):
            known = _HARMLESS.get(section[1].lower())
            if known is not None:
                kept.append(line)
        elif known is not None and _is_harmless(bare, known):
            kept.append(line)
        elif bare.lstrip().startswith("["):
            known = None  # a header that is not understood: nothing below it is
    return "".join(kept)


def _is_harmless(line: str, known: set[str]) -> bool:
    variable = _VARIABLE.fullmatch(line)
    return not line.strip() or (variable is not None and variable[1].lower() in known)


def _mode(name: str, folder: int) -> int | None:
    try:
        return os.lstat(name, dir_fd=folder).st_mode
    except FileNotFoundError:
        return None
