"""Git that runs nothing of the repository's own, and what claw itself asks of it.

A repository's configuration can name programs for nearly everything: hooks, pagers, diff drivers,
filters, monitors, transports. A repository is input, so every git call of claw goes through
`protective_options` and `git_environment`. What the *user's* configuration says stays in force,
filters such as LFS included.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from claw.code.location import Location as Location
from claw.code.location import find_repository as find_repository
from claw.code.location import locate as locate

STATE_TIMEOUT_S = 1.0
# Git before 2.36 runs a monitor named here even where it says no: the value is then a program, and
# `false` is one that does nothing.
_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.editor=true",
    "core.sshCommand=false",
    "core.askPass=",
    "core.alternateRefsCommand=",
    "core.quotePath=false",
    "color.ui=false",
    "column.ui=never",
    "commit.gpgSign=false",
    "credential.helper=",
    "diff.external=",
    "diff.ignoreSubmodules=dirty",
    "diff.mnemonicPrefix=false",
    "diff.noprefix=false",
    "diff.orderFile=/dev/null",
    "diff.submodule=short",
    "gc.auto=0",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "mailmap.file=",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "safe.bareRepository=explicit",
    "status.submoduleSummary=false",
    "submodule.recurse=false",
)
_KEPT_VARIABLES = frozenset(
    {"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_CONFIG_GLOBAL"}
)
_SET_VARIABLES = {
    # A partial clone fetches what is missing, by a program that its configuration names.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    # Objects that pass for others, and ancestors that are none: what is shown is what was committed.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/nonexistent/grafts",
    "GIT_EDITOR": "true",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class GitRefused(Exception):
    """The repository is set up so that git cannot be run on it safely, or at all. The text says why."""


def git_environment(environ: Mapping[str, str], *, system_config: bool = False) -> dict[str, str]:
    """`environ` for a git call: nothing in it leads git elsewhere, asks, or runs a program.

    `system_config` is for what stores files: the machine's LFS filter may be named there, and a file
    must not be committed without it.
    """
    unset = variables_to_unset(environ)
    kept = {name: value for name, value in environ.items() if name not in unset}
    return kept | variables_to_set(system_config=system_config)


def variables_to_set(*, system_config: bool = False) -> dict[str, str]:
    """The variables that `git_environment` adds."""
    return _SET_VARIABLES if system_config else {**_SET_VARIABLES, "GIT_CONFIG_NOSYSTEM": "1"}


def variables_to_unset(environ: Mapping[str, str]) -> frozenset[str]:
    """The variables that `git_environment` leaves out."""
    return frozenset(name for name in environ if name.startswith("GIT_") and name not in _KEPT_VARIABLES)


def protective_options(
    location: Location, environ: Mapping[str, str] | None = None, *, strict_filters: bool = False
) -> list[str]:
    """What stands between `git` and its subcommand in every call.

    Filters that the repository's own configuration names are emptied, its hooks switched off. Reading takes
    the filtered files as they are; with `strict_filters` git fails instead of storing such a file unfiltered:
    a filter may be what encrypts it.

    *Errors*: GitRefused if a filter cannot be switched off.
    *Cost*: none; one git process if the configuration mentions a filter or a hook, or includes another file.
    """
    options = list(_OPTIONS)
    filters, hooks = _own_programs(location, environ or os.environ)
    for name in filters:
        options += [f"filter.{name}.{key}=" for key in ("clean", "smudge", "process")]
        options.append(f"filter.{name}.required={'true' if strict_filters else 'false'}")
    for name in hooks:  # since git 2.54
        options += [f"hook.{name}.enabled=false", f"hook.{name}.event="]
    fixed = ["--no-pager", "--literal-pathspecs", *_fixed_place(location)]
    return [*fixed, *(part for option in options for part in ("-c", option))]


def _fixed_place(location: Location) -> list[str]:
    """Leaves git nothing to search for. What others own it shall find itself: then it refuses, unless the user
    said otherwise (`safe.directory`). Without `--work-tree` the configuration could name another folder.
    """
    ours = os.geteuid()
    try:
        is_ours = all(os.stat(place).st_uid == ours for place in (location.top, location.git_dir, location.common_dir))
    except OSError:
        is_ours = False
    git_dir = [f"--git-dir={location.git_dir}"] if is_ours else []
    return [*git_dir, f"--work-tree={location.top}"]


def _own_programs(location: Location, environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The names of the filters and of the hooks that the repository's own configuration speaks of."""
    if not names_programs(location):
        return [], []
    place = ["-C", str(location.top), *_fixed_place(location)]
    argv = ["git", *place, "config", "--list", "-z", "--show-scope", "--name-only"]
    listing = _run(argv, git_environment(environ), STATE_TIMEOUT_S)
    if listing is None or listing.returncode:
        raise GitRefused("its configuration cannot be read")
    fields = listing.stdout.decode("utf-8", "surrogateescape").split("\0")
    keys = [key for scope, key in zip(fields[::2], fields[1::2], strict=False) if scope in ("local", "worktree")]
    return _names(keys, "filter"), _names(keys, "hook")


def _names(keys: Sequence[str], section: str) -> list[str]:
    names = {key.removeprefix(f"{section}.").rpartition(".")[0] for key in keys if key.startswith(f"{section}.")}
    if odd := [name for name in names if "=" in name]:  # `-c` would take the name for a part of itself
        raise GitRefused(f"its configuration names a {section} that cannot be switched off: {odd[0]!r}")
    return sorted(names - {""})


def names_programs(location: Location) -> bool:
    """Whether the repository's own configuration may name filters or hooks, here or in a file that it includes."""
    folders = (location.common_dir, location.git_dir)
    files = dict.fromkeys(folder / name for folder in folders for name in ("config", "config.worktree"))
    return any(_may_name_programs(file) for file in files)


def _may_name_programs(config: Path) -> bool:
    try:
        content = config.read_bytes().lower()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return any(word in content for word in (b"filter", b"hook", b"include"))


def _run(
    argv: Sequence[str], environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[bytes] | None:
    """None if there is no git. *Errors*: TimeoutError."""
    try:
        return subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except OSError:
        return None
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def run_git(
    location: Location, args: Sequence[str], timeout_s: float, environ: Mapping[str, str] | None = None
) -> bytes | None:
    """What a reading git command prints; None if it failed, was refused, or there is no git.

    *Errors*: TimeoutError.
    """
    environ = os.environ if environ is None else environ
    try:
        options = protective_options(location, environ)
    except GitRefused:
        return None
    done = _run(["git", "-C", str(location.top), *options, *args], git_environment(environ), timeout_s)
    return None if done is None or done.returncode else done.stdout


class GitState(Struct, frozen=True):
    """Where a repository stands. `str()` is one line for the model.

    `branch` is empty where HEAD is detached, `head` where there is no commit. `n_changed` counts files
    and new folders; it is None where the repository was too large to look at in time.
    """

    branch: str
    head: str = ""
    n_changed: int | None = None
    upstream: str = ""
    n_ahead: int = 0
    n_behind: int = 0

    def __str__(self) -> str:
        at = f" at {self.head}" if self.head else ""
        parts = [f"branch {self.branch}{at}" if self.branch else f"detached HEAD{at}"]
        if self.n_changed is None:
            parts.append("changes unknown (the repository is too large to look at in time)")
        else:
            parts.append(f"{self.n_changed} changed" if self.n_changed else "clean")
            if not self.head:
                parts.append("no commits yet")
        if self.upstream and (self.n_ahead or self.n_behind):
            parts.append(f"{self.n_ahead} ahead of and {self.n_behind} behind {self.upstream}")
        return ", ".join(parts)


async def git_state(
    cwd: Path,
    *,
    follow_pointers: bool = False,
    timeout_s: float = STATE_TIMEOUT_S,
    environ: Mapping[str, str] | None = None,
) -> GitState | None:
    """None where there is no repository, no git, or none that will read it. `follow_pointers`: as for `locate`.

    *Cost*: one process; none outside a repository.
    """
    location = locate(cwd, follow_pointers=follow_pointers)
    return await asyncio.to_thread(_state, location, timeout_s, environ) if location else None


def _state(location: Location, timeout_s: float, environ: Mapping[str, str] | None) -> GitState | None:
    args = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=dirty"]
    try:
        listing = run_git(location, args, timeout_s, environ)
    except TimeoutError:
        return GitState(_branch_on_disk(location))
    return parse_state(listing) if listing is not None else None


def _branch_on_disk(location: Location) -> str:
    try:
        head = (location.git_dir / "HEAD").read_text("utf-8", "replace")
    except OSError:
        return ""
    return head.removeprefix("ref: refs/heads/").strip() if head.startswith("ref: refs/heads/") else ""


def parse_state(listing: bytes) -> GitState:
    """*Source*: `git help status`, porcelain format version 2 with `-z`."""
    head = branch = upstream = ""
    n_ahead = n_behind = n_changed = 0
    fields = iter(listing.decode("utf-8", "replace").split("\0"))
    for field in fields:
        match field.split(" "):
            case ["#", "branch.oid", oid]:
                head = "" if oid == "(initial)" else oid[:9]
            case ["#", "branch.head", *name]:
                branch = "" if name == ["(detached)"] else " ".join(name)
            case ["#", "branch.upstream", *name]:
                upstream = " ".join(name)
            case ["#", "branch.ab", ahead, behind]:
                n_ahead, n_behind = int(ahead), -int(behind)
            case ["2", *_]:
                n_changed += 1
                next(fields, None)  # the name before
            case ["1" | "u" | "?", *_]:
                n_changed += 1
    return GitState(branch, head, n_changed, upstream, n_ahead, n_behind)
