"""A repository as the git tool shows and changes it, through GitPython. Every call blocks: run it in a thread."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from claw.code.git import (
    GitRefused,
    names_programs,
    protective_options,
    run_git,
    variables_to_set,
    variables_to_unset,
)
from claw.code.location import Location, locate, locate_submodule
from claw.errors import ToolError

if TYPE_CHECKING:  # costs 100 ms to import
    from subprocess import Popen

    from git.cmd import Git

READ_TIMEOUT_S = 30.0
COMMIT_TIMEOUT_S = 120.0
OUTPUT_LIMIT_BYTES = 8 * 1024 * 1024
_GITLINK = b"160000 "
_MAX_SUBMODULE_DEPTH = 5
_SAFE_DIFF = ("--no-ext-diff", "--no-textconv", "--no-relative", "--ignore-submodules=dirty", "--submodule=short")


class Repository:
    """The repository that `cwd` lies in. Paths are relative to `cwd` and taken literally.

    *Errors*: ToolError, with what git says, for everything that git refuses.
    """

    def __init__(self, cwd: Path, *, follow_pointers: bool = False) -> None:
        """`follow_pointers`: as for `locate`. *Errors*: ToolError if there is no repository or no git."""
        location = locate(cwd, follow_pointers=follow_pointers)
        if location is None:
            raise ToolError(f"git features are off here: {cwd} is not in a git repository.", "no repository")
        self._location: Location = location
        self._cwd = cwd
        self._git = _open(cwd)

    def status(self) -> str:
        listing = self._read("status", "--short", "--branch", "--untracked-files=normal", "--ignore-submodules=dirty")
        return listing if listing.count("\n") > 1 else f"{listing}nothing to commit, the work tree is clean\n"

    def diff(self, *, revision: str, staged: bool, stat: bool, paths: Sequence[str]) -> str:
        """Of the work tree or the index, against the index or `revision` (`a..b`: between two)."""
        options = [*_SAFE_DIFF, *(["--cached"] if staged else []), *(["--stat"] if stat else [])]
        return self._read("diff", *options, *_revisions(revision), "--", *_paths(paths))

    def log(self, *, revision: str, max_count: int, paths: Sequence[str]) -> str:
        options = ["--format=%h %ad %an:%d %s", "--date=short", "--decorate=short", f"--max-count={max_count}"]
        return self._read("log", "--no-show-signature", *options, *_revisions(revision), "--", *_paths(paths))

    def blame(self, *, path: str, revision: str, start_line: int | None, end_line: int | None) -> str:
        lines = [f"-L{start_line or 1},{end_line or ''}"] if start_line or end_line else []
        return self._read(
            "blame", "--no-textconv", "--date=short", *lines, *_revisions(revision), "--", *_paths([path])
        )

    def show(self, *, revision: str, stat: bool, paths: Sequence[str]) -> str:
        """A commit with its diff, or a file of it (`revision:path`)."""
        options = [*_SAFE_DIFF, "--no-show-signature", "--format=medium", *(["--stat"] if stat else [])]
        return self._read("show", *options, *_revisions(revision or "HEAD"), "--", *_paths(paths))

    def commit(self, *, message: str, paths: Sequence[str]) -> str:
        """Commit exactly `paths`, staged or not; without paths, what is staged. Hooks and signing are off.

        *Errors*: ToolError if git knows no author, there is nothing to commit, or a path has a filter
        that only the repository's own configuration names.
        """
        if not message.strip() or "\0" in message:
            raise ToolError("a commit needs a message.", "no message")
        self._refuse_submodules_with_programs(self._location)
        identity = ("-c", "user.useConfigOnly=true")  # never the name of the account and the machine
        self._read(*identity, "var", "GIT_AUTHOR_IDENT")  # before anything is staged
        if paths:
            self._write("add", "--all", "--", *_paths(paths))
        options = ["--no-verify", "--no-gpg-sign", "--cleanup=whitespace", f"--message={message}"]
        return self._write(*identity, "commit", *options, *(["--only", "--", *paths] if paths else []))

    def _refuse_submodules_with_programs(self, location: Location, depth: int = 0) -> None:
        """To stage or refuse a commit git looks into every submodule, by a process of its own.

        What `protective_options` says holds there too, but it does not know the names of a submodule's filters.
        *Errors*: ToolError.
        """
        try:
            listing = run_git(location, ["ls-files", "--stage", "-z"], READ_TIMEOUT_S)
        except TimeoutError:
            listing = None
        if listing is None:
            raise ToolError(f"git cannot list the files of {location.top}. Nothing was committed.", "git failed")
        for entry in listing.split(b"\0"):
            if not entry.startswith(_GITLINK):
                continue
            top = location.top / os.fsdecode(entry.partition(b"\t")[2])
            inner = locate_submodule(top)
            if inner is None:
                continue
            if depth >= _MAX_SUBMODULE_DEPTH or names_programs(inner):
                raise ToolError(
                    f"the submodule {top} names programs in its configuration, and git could run them. Nothing was "
                    "committed. Stage and commit with the bash tool instead.",
                    "submodule with programs",
                )
            self._refuse_submodules_with_programs(inner, depth + 1)

    def _read(self, *args: str) -> str:
        return self._run(args)

    def _write(self, *args: str) -> str:
        return self._run(args, strict=True, timeout_s=COMMIT_TIMEOUT_S)

    def _run(self, args: Sequence[str], *, strict: bool = False, timeout_s: float = READ_TIMEOUT_S) -> str:
        try:
            options = protective_options(self._location, strict_filters=strict)
        except (GitRefused, TimeoutError) as error:
            reason = str(error) or "git did not answer in time"
            raise ToolError(f"git features are off in this repository: {reason}.", "git is off") from None
        # GitPython adds to the environment of this process and cannot take away from it.
        unset = [part for name in sorted(variables_to_unset(os.environ)) for part in ("-u", name)]
        argv = [*(["env", *unset] if unset else []), str(self._git.GIT_PYTHON_GIT_EXECUTABLE), *options, *args]
        try:
            running = self._git.execute(
                argv, as_process=True, env=variables_to_set(system_config=strict), start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise ToolError(f"git could not be started: {error}", "git failed") from None
        assert running.proc is not None
        return _collect(running.proc, timeout_s)


def _open(cwd: Path) -> Git:
    try:
        from git.cmd import Git
    except ImportError:  # what GitPython says where there is no program either
        raise ToolError("git features are off here: there is no git program.", "no git") from None
    return Git(str(cwd))


def _collect(process: Popen[bytes], timeout_s: float) -> str:
    """What the process printed, cut at `OUTPUT_LIMIT_BYTES`. *Errors*: ToolError with what git said."""
    assert process.stdout is not None
    assert process.stderr is not None
    stderr = process.stderr
    errors: list[bytes] = []
    listener = threading.Thread(target=lambda: errors.append(stderr.read()), daemon=True)
    listener.start()
    too_late = threading.Event()

    def give_up() -> None:
        too_late.set()
        process.kill()

    timer = threading.Timer(timeout_s, give_up)
    timer.start()
    try:
        output = process.stdout.read(OUTPUT_LIMIT_BYTES)
        is_cut = bool(process.stdout.read(1))
        if is_cut:
            process.kill()
        exit_code = process.wait()
        listener.join()
    finally:
        timer.cancel()
        process.stdout.close()
        stderr.close()
    text = output.decode("utf-8", "replace")
    if is_cut:
        return f"{text}\n[… cut after {OUTPUT_LIMIT_BYTES} bytes: name paths, or ask for stat …]\n"
    if too_late.is_set():
        raise ToolError(f"git did not answer in {timeout_s:g} s. Narrow the call down, with paths.", "git timed out")
    if exit_code:
        raise _refusal(b"".join(errors).decode("utf-8", "replace").strip() or text.strip())
    return text


def _refusal(said: str) -> ToolError:
    if "tell me who you are" in said or "auto-detection is disabled" in said:
        return ToolError(
            "git knows no author for the commit, and nothing was committed. Ask the user to set one: "
            'git config --global user.name "…" and user.email "…".',
            "no author",
        )
    if "invalid object name: " in said:  # the rest is a line of whatever file `blame.ignoreRevsFile` names
        return ToolError("git refused: the file that blame.ignoreRevsFile names is no list of commits.", "git refused")
    if found := re.search(r"clean filter '(.*)' failed", said):
        return ToolError(
            f"the filter {found[1]!r} is set up by this repository itself, and this tool does not run it; storing its "
            "files without it would be wrong. Nothing was committed. Stage and commit with the bash tool instead.",
            "filter is off",
        )
    return ToolError(f"git refused: {said}", "git refused")


def _revisions(revision: str) -> list[str]:
    """*Errors*: ToolError for what git could take for an option."""
    if not revision:
        return []
    if revision.startswith("-") or not revision.isprintable():
        raise ToolError(f"not a revision: {revision!r}. Give a commit, branch or tag, or a range a..b.", "bad revision")
    return [revision]


def _paths(paths: Sequence[str]) -> list[str]:
    """*Errors*: ToolError for an empty path, which git would take for everything, and for a NUL byte."""
    for path in paths:
        if not path or "\0" in path:
            raise ToolError(f"not a path: {path!r}. Give paths relative to the working folder.", "bad path")
    return list(paths)
