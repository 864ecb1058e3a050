"""What commands may not leave behind, on each back-end: the same end, by mounts or by putting it back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.sandbox.base import Policy
from claw.sandbox.guard import Guard
from claw.sandbox.new_repository import harmless_config
from tests.sandbox.backends import LINUX, Session, open_session, with_hidden

CONFIG = "[core]\n\trepositoryformatversion = 0\n"


@pytest.fixture(params=LINUX)
async def session(request: pytest.FixtureRequest, base: Path) -> AsyncIterator[Session]:
    """A work tree whose configuration, hook, editor settings and shell file a command would like to change."""
    workspace = base / "workspace"
    (workspace / ".git/hooks").mkdir(parents=True)
    (workspace / ".git/objects").mkdir()
    (workspace / ".git/refs").mkdir()
    (workspace / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (workspace / ".git/config").write_text(CONFIG)
    (workspace / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    (workspace / ".vscode").mkdir()
    (workspace / ".vscode/settings.json").write_text("{}")
    (workspace / ".envrc").write_text("old\n")
    (base / "home").mkdir()
    (base / "home/.bashrc").write_text("old\n")
    session = open_session(base, request.param, change=with_hidden(workspace / ".ssh"))
    yield session
    await session.commands.close(grace_s=0.2)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, b"" if path.is_dir() else path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(
    "command",
    [
        "echo evil >> .git/config",
        "git config core.fsmonitor evil",
        "echo evil > .git/hooks/pre-commit; echo evil > .git/hooks/post-checkout; chmod +x .git/hooks/*",
        "rm -rf .git/hooks; ln -s /tmp .git/hooks",
        "mv .git g; mkdir -p .git/hooks; echo evil > .git/config",
        "mv .git/config c; echo evil > .git/config",
        "echo evil > .vscode/settings.json; echo evil > .vscode/tasks.json",
        "rm -rf .vscode; mkdir .vscode; echo evil > .vscode/tasks.json",
        "echo evil > .envrc",
        "rm .envrc; echo evil > .envrc",
        "chmod 777 .envrc .vscode .git/hooks",
        "echo evil > .mcp.json; mkdir .idea .husky; echo evil > .idea/x; echo evil > .husky/pre-commit",
        "ln -s /etc/passwd .gitmodules; ln -s /tmp .zed",
        "mkdir -p .claw; echo evil > .claw/config.toml",
        "mkdir -p .git/modules/x/hooks .git/info; echo evil > .git/modules/x/config; echo evil > .git/info/attributes",
        "echo evil > .git/commondir; echo evil > .git/config.worktree",
        "mkdir .ssh; echo evil > .ssh/authorized_keys",
    ],
)
async def test_what_is_protected_is_as_before(session: Session, command: str) -> None:
    await session.run("true")
    before = tree(session.workspace)
    assert ".claw" in before
    await session.run(command)
    after = tree(session.workspace)
    for made in ("c", "g"):  # harmless: what was moved away, or came back from there
        after = {path: value for path, value in after.items() if path.split("/")[0] != made}
    assert after == before
    assert all(event.command == command and event.paths for event in session.restored)


async def test_a_command_works_as_usual(session: Session) -> None:
    said = await session.says(
        "echo x > file; mkdir -p src; echo y > src/a; git add -A . && git status --short src file"
    )
    assert "A  src/a" in said
    assert session.restored == []


async def test_files_come_and_go_in_git(session: Session) -> None:
    await session.run(
        "echo x > .git/ORIG_HEAD; mkdir -p .git/refs/heads; echo y > .git/refs/heads/main; rm .git/ORIG_HEAD"
    )
    assert (session.workspace / ".git/refs/heads/main").read_text() == "y\n"
    assert session.restored == []


async def test_a_new_repository_is_kept_without_what_it_would_run(session: Session) -> None:
    workspace = session.workspace
    for name in ("config", "HEAD", "hooks/pre-commit"):
        (workspace / ".git" / name).unlink()
    for name in ("hooks", "objects", "refs", ""):
        (workspace / ".git" / name).rmdir()
    command = (
        "git init -q && git config user.name Ada && git config user.email a@b && git commit -q --allow-empty -m x "
        "&& git config core.fsmonitor evil && git config alias.x '!evil' && echo evil > .git/hooks/pre-commit "
        "&& ln -s /tmp/x .git/hooks/y.sample && mkdir -p .git/modules/x && echo evil > .git/info/attributes"
    )
    done = await session.run(command)
    assert (done.exit_code, done.output.text(1000)) == (0, "")
    git = workspace / ".git"
    (event,) = session.restored
    assert set(event.paths) == {
        str(git / name) for name in ("config", "hooks/pre-commit", "hooks/y.sample", "info/attributes", "modules")
    }
    assert event.kept.startswith(str(session.base / "claw/taken"))
    config = (git / "config").read_text()
    assert "fsmonitor" not in config
    assert "evil" not in config
    assert "name = Ada" in config
    log = subprocess.run(["git", "log", "--format=%s %an"], cwd=workspace, capture_output=True, text=True, check=True)
    assert log.stdout == "x Ada\n"
    assert await session.says("echo evil > .git/hooks/pre-commit; git status -s") != ""
    assert not (git / "hooks/pre-commit").exists()


async def test_metadata_of_dotfiles_is_put_back(session: Session) -> None:
    bashrc = session.base / "home/.bashrc"
    before = os.lstat(bashrc)
    await session.run(f"chmod 777 {bashrc} {bashrc.parent}; touch -d @1 {bashrc}")
    after = os.lstat(bashrc)
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)


async def test_what_claw_itself_writes_stays(session: Session) -> None:
    command = await session.commands.start("sleep 0.3", cwd=session.workspace)
    for path in (session.workspace / ".envrc", session.workspace / ".mcp.json"):
        path.write_text("by the user's leave\n")
        session.confinement.accept(path)
    await command.wait()
    assert (session.workspace / ".envrc").read_text() == "by the user's leave\n"
    assert (session.workspace / ".mcp.json").exists()
    assert session.restored == []


async def test_a_background_command_that_is_later_than_others(session: Session) -> None:
    slow = await session.commands.start("sleep 0.4; echo evil > .mcp.json", cwd=session.workspace)
    await session.run("true")
    await slow.wait()
    assert not (session.workspace / ".mcp.json").exists()
    assert [event.paths for event in session.restored] == [(str(session.workspace / ".mcp.json"),)]


async def test_the_place_holder_goes_with_the_session(session: Session) -> None:
    await session.run("true")
    assert (session.workspace / ".claw").is_dir()
    await session.commands.close()
    assert not (session.workspace / ".claw").exists()


def test_quarantine_on_another_file_system(tmp_path: Path) -> None:
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    root = tmp_path / "root"
    root.mkdir()
    events = []
    elsewhere = Path(f"/dev/shm/claw-test-{os.getpid()}")
    guard = Guard(Policy((root,), tmp_path, tmp_path), elsewhere, events.append, contents=False)
    watch = guard.begin("x")
    (root / ".mcp.json").write_text("evil")
    guard.end(watch)
    guard.close()
    elsewhere.rmdir()
    (kept,) = root.iterdir()
    assert kept.name.startswith("kept-by-claw-")
    assert [event.kept for event in events] == [str(kept)]


def test_an_ordinary_configuration_is_harmless() -> None:
    text = (
        '[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote "origin"]\n\turl = git@host:a/b.git\n'
        '\tfetch = +refs/heads/*:refs/remotes/origin/*\n[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n'
    )
    assert harmless_config(text) == text


LINES = st.sampled_from([
    "[core]", "[ CORE ]", '[remote "x"]', "[alias]", "[core] fsmonitor = evil", '[include "x"]', "[filter.x]",
    "\turl = u\\", "\tfsmonitor = evil", "\tbare = false # \\", "\tsshCommand=evil", "\tpath = evil", "\tx = !evil",
    '\turl = "a', "evil", "\tclean = evil", "\x0b[core]", "\tfetch = a\x0b", "\u2028[alias]", "\tname", ";[core]",
    "\tuploadpack = evil", "", "\turl = x\rfsmonitor = evil", '[core "x"]', "[core", "\tworktree = /",
    "\thooksPath = evil", "[user]", "[branch]", "\tbare = true", "\tfetch = a", "[remote.x]", "\u00a0url = x",
])  # fmt: skip


@given(st.lists(LINES, max_size=8))
def test_what_is_left_of_any_configuration_sets_nothing_else(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    kept = harmless_config(text)
    assert harmless_config(kept) == kept
    listed = subprocess.run(
        ["git", "config", "--file", "-", "--name-only", "--list"],
        input=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, (kept, listed.stderr)
    allowed = {"url", "fetch", "bare", "name"}
    assert {name.rpartition(".")[2] for name in listed.stdout.split("\n") if name} <= allowed
