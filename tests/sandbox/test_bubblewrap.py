"""Workspaces in odd places and with odd names, in real bubblewraps."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from claw.sandbox.base import Policy
from claw.sandbox.bubblewrap import needed_folders
from tests.sandbox.backends import open_session

BOTH = ("bubblewrap", "bubblewrap-once")
NAMES = ["with space", "new\nline", os.fsdecode(b"byte\xff"), "Ünïcode 漢", "--help", "quote'\"$x`", "a:b\\c"]


@pytest.mark.parametrize("back_end", [*BOTH, "landlock"])
@pytest.mark.parametrize("name", NAMES)
async def test_odd_names(base: Path, back_end: str, name: str) -> None:
    session = open_session(base, back_end, workspace=base / name)
    await session.run("echo hi > file; mkdir .vscode; echo x > .vscode/x")
    assert (session.workspace / "file").read_text() == "hi\n"
    assert not (session.workspace / ".vscode").exists()
    assert [event.paths for event in session.restored] == [(str(session.workspace / ".vscode"),)]
    await session.commands.close()


@pytest.mark.parametrize("back_end", BOTH)
async def test_a_workspace_below_tmp(tmp_path: Path, back_end: str) -> None:
    (tmp_path / "secret").write_text("secret")
    session = open_session(tmp_path, back_end)
    said = await session.says(f"echo hi > file; cat {tmp_path}/secret; echo own > /tmp/own; ls {tmp_path}")
    assert "secret\n" not in said.replace("/secret", "")
    assert (session.workspace / "file").read_text() == "hi\n"
    assert (session.policy.tmp / "own").read_text() == "own\n"
    await session.commands.close()


@pytest.mark.parametrize("back_end", [*BOTH, "landlock"])
async def test_roots_inside_roots_and_a_home_with_keys(base: Path, back_end: str) -> None:
    home = base / "home"
    (home / "project/.git").mkdir(parents=True)
    (home / ".ssh").mkdir()
    (home / ".ssh/id").write_text("secret")

    (home / "project/.vscode").mkdir()
    (home / "project/.vscode/key").write_text("secret")
    # Under Landlock a home folder with keys cannot be the workspace: its self-test refuses it.
    roots = (home / "project", home) if back_end != "landlock" else (home / "project",)

    def change(policy: Policy) -> Policy:
        hidden = [home / ".ssh"] + [home / "project/.vscode/key"] * (back_end != "landlock")
        return msgspec.structs.replace(policy, writable=roots, hidden=tuple(hidden))

    session = open_session(base, back_end, workspace=home, change=change)
    project = home / "project"
    line = f"echo a > a; cat {home}/.ssh/id .vscode/key; mkdir -p .git/hooks; echo x > .git/hooks/x"
    said = (await session.run(line if roots[1:] else line.replace(".vscode/key", ""), cwd=project)).output
    assert "secret" not in said.text(1000)
    assert (project / "a").exists()
    assert not (project / ".git/hooks").exists()
    assert [event.paths for event in session.restored] == [(str(project / ".git/hooks"),)]
    await session.commands.close()


@pytest.mark.parametrize("back_end", [*BOTH, "landlock"])
async def test_nothing_is_written_in_read_only_mode(tmp_path: Path, back_end: str) -> None:
    def change(policy: Policy) -> Policy:
        return msgspec.structs.replace(policy, writable=(), visible=policy.writable)

    session = open_session(tmp_path, back_end, change=change)
    (session.workspace / "old").write_text("old\n")
    said = await session.says("cat old; echo x > new; echo x > old; echo t > $TMPDIR/t; cat $TMPDIR/t")
    assert said.startswith("old\n")
    assert said.endswith("t\n")
    assert {path.name: path.read_text() for path in session.workspace.iterdir()} == {"old": "old\n"}
    await session.commands.close()


@pytest.mark.parametrize("back_end", BOTH)
async def test_a_server_on_the_loopback(base: Path, back_end: str) -> None:
    session = open_session(base, back_end)
    code = "import socket as s; a = s.create_server(('127.0.0.1', 0)); s.create_connection(a.getsockname()); print(1)"
    assert await session.says(f'/usr/bin/env python3 -c "{code}"') == "1\n"
    await session.commands.close()


@pytest.mark.parametrize("back_end", [*BOTH, "landlock"])
async def test_a_large_file_ends_its_command_and_says_so(base: Path, back_end: str) -> None:
    def change(policy: Policy) -> Policy:
        return msgspec.structs.replace(policy, limits=msgspec.structs.replace(policy.limits, file_bytes=1 << 20))

    session = open_session(base, back_end, change=change)
    done = await session.run("yes > file")
    assert done.exit_code != 0
    assert (session.workspace / "file").stat().st_size <= 1 << 20
    if back_end != "bubblewrap-once":
        assert done.note == "it was killed because it wrote a larger file than a command may"
    await session.commands.close()


def test_what_lies_below_tmp_and_is_needed() -> None:
    folders = needed_folders({"PATH": "/tmp/venv/bin:/tmp/bin:relative:/run/wrappers/bin::/usr/bin:/tmp"})
    assert {Path("/tmp/venv"), Path("/tmp/bin"), Path("/run/wrappers"), Path("/usr")} <= set(folders)
    assert not {Path("/tmp"), Path("/run"), Path("relative")} & set(folders)
