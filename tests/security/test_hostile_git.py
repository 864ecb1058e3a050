"""Every way in which a repository can have git run a program: git takes it, claw's own calls do not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from claw.code.git import git_state, locate, protective_options
from claw.code.repository import Repository
from claw.code.snapshot import changes_since, snapshot
from claw.errors import ToolError
from tests.code.conftest import ENVIRON, git, make_repository

HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-index-change", "reference-transaction")
GIT_VERSION = tuple(
    map(int, re.findall(r"\d+", subprocess.run(["git", "version"], capture_output=True).stdout.decode()))
)[:2]


class Trap:
    """A program that leaves a trace when it runs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.trace = folder / "trace"
        self.program = folder / "trap"
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >> "{self.trace}"\ncat </dev/null\nexit 0\n')
        self.program.chmod(0o755)

    def sprung(self) -> str:
        return self.trace.read_text() if self.trace.exists() else ""


def plain(folder: Path, *commands: str) -> None:
    """Git as anyone runs it, at a terminal, whatever comes of it."""
    environ = {**ENVIRON, "GIT_TERMINAL_PROMPT": "0", "TERM": "dumb", "PAGER": "cat"}
    for command in commands:
        ours, theirs = pty.openpty()
        argv = ["git", "-c", "protocol.file.allow=always", *command.split()]
        with subprocess.Popen(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            deadline = time.monotonic() + 20
            with contextlib.suppress(OSError):  # the other end is closed by all
                while time.monotonic() < deadline:
                    if select.select([ours], [], [], 0.5)[0] and not os.read(ours, 65536):
                        break
            process.kill()
        os.close(ours)


async def everything_claw_does(folder: Path) -> None:
    """All of claw's own calls, in a work tree with edits, whatever comes of them."""
    environ = {**ENVIRON, "PATH": os.environ["PATH"]}
    await git_state(folder, follow_pointers=True, timeout_s=20, environ=environ)
    before = await snapshot(folder, follow_pointers=True, timeout_s=20, environ=environ)
    (folder / "edited.txt").write_text("edited again\n")
    if before:
        await changes_since(before, timeout_s=20, environ=environ)

    def tool(call: Callable[[Repository], str]) -> None:
        with contextlib.suppress(ToolError):
            call(Repository(folder, follow_pointers=True))

    def act() -> None:
        tool(lambda repository: repository.status())
        tool(lambda each: each.diff(revision="", staged=False, stat=False, paths=[]))
        tool(lambda each: each.diff(revision="HEAD", staged=False, stat=True, paths=[]))
        tool(lambda each: each.diff(revision="HEAD~1..HEAD", staged=False, stat=False, paths=[]))
        tool(lambda each: each.diff(revision="", staged=True, stat=False, paths=[]))
        tool(lambda each: each.log(revision="", max_count=9, paths=[]))
        tool(lambda each: each.show(revision="HEAD", stat=False, paths=[]))
        tool(lambda each: each.show(revision="HEAD:edited.txt", stat=False, paths=[]))
        tool(lambda each: each.show(revision="HEAD:lost.txt", stat=False, paths=[]))
        tool(lambda each: each.blame(path="edited.txt", revision="", start_line=None, end_line=None))
        tool(lambda each: each.commit(message="all", paths=["."]))
        tool(lambda each: each.commit(message="nothing", paths=[]))
        tool(lambda each: each.commit(message="nothing", paths=["edited.txt"]))

    await asyncio.to_thread(act)
    if before:
        await changes_since(before, timeout_s=20, environ=environ)


def configure(folder: Path, **settings: str) -> None:
    for name, value in settings.items():
        git(folder, "config", name.replace("__", "."), value)


def attribute(folder: Path, attributes: str) -> None:
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text(f"* {attributes}\n")


def edit(folder: Path) -> None:
    """An edit that git must look into, since size and time do not tell."""
    (folder / "edited.txt").write_text("edited.txt xxx\nedited.txt two\n")
    os.utime(folder / "edited.txt", (0, 0))


def hooks(folder: Path, trap: Trap) -> None:
    for hook in HOOKS:
        (folder / ".git" / "hooks" / hook).symlink_to(trap.program)


def hooks_path(folder: Path, trap: Trap) -> None:
    (folder / "own").mkdir()
    for hook in HOOKS:
        (folder / "own" / hook).symlink_to(trap.program)
    configure(folder, core__hooksPath="own")


def configured_hook(folder: Path, trap: Trap) -> None:
    git(folder, "config", "hook.evil.command", str(trap.program))
    for hook in HOOKS:
        git(folder, "config", "--add", "hook.evil.event", hook)


def setting(**settings: str) -> Callable[[Path, Trap], None]:
    """Plant a configuration; `TRAP` stands for the program."""

    def plant(folder: Path, trap: Trap) -> None:
        configure(folder, **{name: value.replace("TRAP", str(trap.program)) for name, value in settings.items()})
        edit(folder)

    return plant


def driver(**settings: str) -> Callable[[Path, Trap], None]:
    """The same, with attributes that make git use the driver `evil`."""

    def plant(folder: Path, trap: Trap) -> None:
        attribute(folder, "filter=evil diff=evil merge=evil")
        setting(**settings)(folder, trap)

    return plant


def included_filter(folder: Path, trap: Trap) -> None:
    attribute(folder, "filter=evil")
    (folder / ".git" / "more").write_text(f'[filter "evil"]\n\tclean = {trap.program}\n')
    configure(folder, include__path="more")
    edit(folder)


def filter_of_the_work_tree(folder: Path, trap: Trap) -> None:
    attribute(folder, "filter=evil")
    configure(folder, extensions__worktreeConfig="true", core__repositoryFormatVersion="1")
    git(folder, "config", "--worktree", "filter.evil.clean", str(trap.program))
    edit(folder)


def signed_commit(folder: Path, trap: Trap) -> None:
    lines = git(folder, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----"
    raw = f"{lines[0]}\n{signature}\n\n{lines[2]}"
    argv = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    done = subprocess.run(argv, cwd=folder, env=ENVIRON, input=raw, capture_output=True, text=True, check=True)
    git(folder, "reset", "-q", "--hard", done.stdout.strip())
    configure(folder, log__showSignature="true", gpg__program=str(trap.program))


def partial_clone(**settings: str) -> Callable[[Path, Trap], None]:
    """An object is missing, and git fetches it from where the configuration says."""

    def plant(folder: Path, trap: Trap) -> None:
        (folder / "lost.txt").write_text("lost\n")
        git(folder, "add", "lost.txt")
        git(folder, "commit", "-qm", "lost")
        oid = git(folder, "rev-parse", "HEAD:lost.txt").strip()
        (folder / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
        configure(folder, core__repositoryFormatVersion="1", extensions__partialClone="origin")
        configure(folder, remote__origin__promisor="true")
        setting(**settings)(folder, trap)

    return plant


def submodule(inner_plant: Callable[[Path, Trap], None]) -> Callable[[Path, Trap], None]:
    """The trap is in the configuration of a submodule, and `.gitmodules` wants it looked into."""

    def plant(folder: Path, trap: Trap) -> None:
        inner = make_repository(folder.parent / f"{folder.name}-inner")
        git(folder, "submodule", "-q", "add", str(inner), "sub")
        git(folder, "config", "-f", ".gitmodules", "submodule.sub.ignore", "none")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "sub")
        (folder / ".git" / "modules" / "sub" / "info").mkdir(exist_ok=True)
        (folder / ".git" / "modules" / "sub" / "info" / "attributes").write_text("* filter=evil\n")
        inner_plant(folder / "sub", trap)

    return plant


def embedded(folder: Path, trap: Trap) -> None:
    """A repository within, that git takes for a submodule once it is staged."""
    inner = make_repository(folder / "embedded")
    git(folder, "-c", "advice.addEmbeddedRepo=false", "add", "embedded")
    git(folder, "commit", "-qm", "embedded")
    attribute(inner, "filter=evil")
    setting(filter__evil__clean="TRAP")(inner, trap)


WAYS: dict[str, tuple[Callable[[Path, Trap], None], tuple[str, ...]]] = {
    "hooks": (hooks, ("commit --allow-empty -m x",)),
    "core.hooksPath": (hooks_path, ("commit --allow-empty -m x",)),
    "core.fsmonitor": (setting(core__fsmonitor="TRAP"), ("status",)),
    "core.pager": (setting(core__pager="TRAP"), ("log",)),
    "pager.diff": (setting(pager__diff="TRAP"), ("diff",)),
    "core.editor": (setting(core__editor="TRAP"), ("commit --allow-empty",)),
    "alias": (setting(alias__zz="!TRAP"), ("zz",)),
    "diff.external": (setting(diff__external="TRAP"), ("diff",)),
    "diff driver": (driver(diff__evil__command="TRAP"), ("diff",)),
    "textconv": (driver(diff__evil__textconv="TRAP"), ("diff", "blame edited.txt", "show HEAD:edited.txt")),
    "clean filter": (driver(filter__evil__clean="TRAP"), ("status", "add .")),
    "smudge filter": (driver(filter__evil__smudge="TRAP"), ("checkout -- edited.txt",)),
    "filter process": (driver(filter__evil__process="TRAP"), ("status", "add .")),
    "required filter": (driver(filter__evil__clean="TRAP", filter__evil__required="true"), ("add .",)),
    "included filter": (included_filter, ("status", "add .")),
    "filter of the work tree": (filter_of_the_work_tree, ("status", "add .")),
    "signing": (setting(commit__gpgSign="true", gpg__program="TRAP"), ("commit --allow-empty -m x",)),
    "signing by ssh": (
        setting(commit__gpgSign="true", gpg__format="ssh", gpg__ssh__defaultKeyCommand="TRAP"),
        ("commit --allow-empty -m x",),
    ),
    "signature": (signed_commit, ("log",)),
    "fetch by ssh": (
        partial_clone(remote__origin__url="ssh://nowhere.invalid/x", core__sshCommand="TRAP"),
        ("show HEAD:lost.txt",),
    ),
    "fetch by a helper": (
        partial_clone(remote__origin__url="ext::TRAP", protocol__ext__allow="always"),
        ("show HEAD:lost.txt",),
    ),
    "fetch by a file": (
        partial_clone(remote__origin__url=".", remote__origin__uploadpack="TRAP", protocol__file__allow="always"),
        ("show HEAD:lost.txt",),
    ),
    "fetch through a proxy": (
        partial_clone(remote__origin__url="git://nowhere.invalid/x", core__gitProxy="TRAP"),
        ("show HEAD:lost.txt",),
    ),
    "monitor of a submodule": (submodule(setting(core__fsmonitor="TRAP")), ("status",)),
    "filter of a submodule": (submodule(setting(filter__evil__clean="TRAP")), ("status", "add .", "commit -m x")),
    "filter of a repository within": (embedded, ("status", "add .")),
}  # fmt: skip
if GIT_VERSION >= (2, 54):
    WAYS["configured hook"] = (configured_hook, ("commit --allow-empty -m x",))


@pytest.mark.parametrize("way", WAYS)
async def test_a_program_that_git_runs_and_claw_does_not(tmp_path: Path, way: str) -> None:
    plant, commands = WAYS[way]
    naive, careful = Trap(tmp_path / "naive"), Trap(tmp_path / "careful")
    folder = make_repository(tmp_path.resolve() / "one")
    plant(folder, naive)
    plain(folder, *commands)
    assert naive.sprung(), "this way is none: git ran nothing"

    folder = make_repository(tmp_path.resolve() / "two")
    plant(folder, careful)
    await asyncio.to_thread(careful.trace.unlink, missing_ok=True)  # what planting it set off
    await everything_claw_does(folder)
    assert careful.sprung() == ""


def test_hooks_of_the_configuration_are_switched_off_by_name(tmp_path: Path) -> None:
    folder = make_repository(tmp_path.resolve() / "repository")
    configured_hook(folder, Trap(tmp_path / "trap"))
    location = locate(folder)
    assert location
    options = protective_options(location, ENVIRON)
    assert "hook.evil.enabled=false" in options
    assert "hook.evil.event=" in options


async def test_a_bare_repository_within_is_not_entered(tmp_path: Path) -> None:
    """`safe.bareRepository` is newer than many a git."""
    trap = Trap(tmp_path / "trap")
    folder = make_repository(tmp_path.resolve() / "repository")
    inner = folder / "docs"
    git(folder, "init", "-q", "--bare", "docs")
    (inner / "config").write_text(
        f"[core]\n\trepositoryFormatVersion = 0\n\tbare = false\n\tworktree = ..\n\tfsmonitor = {trap.program}\n"
    )
    (inner / "index").write_bytes((folder / ".git" / "index").read_bytes())
    plain(inner, "status")
    assert trap.sprung()
    trap.trace.unlink()
    await everything_claw_does(inner)
    assert trap.sprung() == ""
    state = await git_state(inner, timeout_s=20, environ=ENVIRON)
    assert state is not None
    assert state.branch == "main"


def test_no_other_folder_is_committed(tmp_path: Path) -> None:
    """`core.worktree` would have git take its files from wherever it says."""
    private = tmp_path.resolve() / "private"
    private.mkdir()
    (private / "diary.txt").write_text("dear diary\n")
    folder = make_repository(tmp_path.resolve() / "repository")
    git(folder, "config", "core.worktree", str(private))
    assert "diary" in git(folder, "status", "--short")
    assert "diary" not in Repository(folder).status()


def test_an_error_does_not_show_a_file_elsewhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    folder = make_repository(tmp_path.resolve() / "repository")
    git(folder, "config", "blame.ignoreRevsFile", str(secret))
    naive = subprocess.run(["git", "blame", "kept.txt"], cwd=folder, env=ENVIRON, capture_output=True, text=True)
    assert "hunter2" in naive.stderr
    with pytest.raises(ToolError, match="is no list of commits") as caught:
        Repository(folder).blame(path="kept.txt", revision="", start_line=None, end_line=None)
    assert "hunter2" not in str(caught.value)


def test_what_is_shown_is_what_was_committed(tmp_path: Path) -> None:
    folder = make_repository(tmp_path.resolve() / "repository")
    other = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"],
        cwd=folder,
        env=ENVIRON,
        input="harmless\n",
        capture_output=True,
        text=True,
    ).stdout.strip()
    git(folder, "replace", git(folder, "rev-parse", "HEAD:kept.txt").strip(), other)
    assert git(folder, "show", "HEAD:kept.txt") == "harmless\n"
    assert Repository(folder).show(revision="HEAD:kept.txt", stat=False, paths=[]).startswith("kept.txt one")
