"""What holds on every back-end, with real commands."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claw.errors import ToolError
from tests.sandbox.backends import LINUX, Session, open_session, with_hidden
from tests.sandbox.conftest import eventually
from tests.sandbox.test_process import is_alive


@pytest.fixture(params=LINUX)
async def session(request: pytest.FixtureRequest, base: Path) -> AsyncIterator[Session]:
    home = base / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/id_rsa").write_text("secret")
    (home / ".netrc").write_text("secret")
    session = open_session(base, request.param, change=with_hidden(home / ".ssh", home / ".netrc"))
    yield session
    await session.commands.close(grace_s=0.2)


async def test_output_exit_code_and_signals(session: Session) -> None:
    done = await session.run("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.output.text(100), done.note) == (3, "out\nerr\n", "")
    assert (await session.run("kill -9 $$")).exit_code in (-signal.SIGKILL, 137)  # bubblewrap itself says 137


async def test_writes_end_at_the_workspace(session: Session) -> None:
    (session.outside / "file").write_text("old")
    (session.workspace / "link").symlink_to(session.outside / "file")
    done = await session.run(
        f"echo in > inside; echo x > {session.outside}/new; echo x > link; echo x >> {session.outside}/file; "
        f"ln {session.outside}/file hard; rm {session.outside}/file; mv {session.outside}/file .; rm -f file; "
        "cat inside"
    )
    assert done.output.text(10_000).endswith("in\n")
    assert sorted(path.name for path in session.workspace.iterdir() if path.name != ".claw") == ["inside", "link"]
    assert (session.outside / "file").read_text() == "old"
    assert [path.name for path in session.outside.iterdir()] == ["file"]


async def test_temporary_files_and_caches(session: Session) -> None:
    said = await session.says('echo 1 > "$TMPDIR/a"; echo 2 > "$XDG_CACHE_HOME/b"; cat "$TMPDIR/a" "$XDG_CACHE_HOME/b"')
    assert said == "1\n2\n"
    assert (session.policy.tmp / "a").read_text() == "1\n"


async def test_keys_are_not_read(session: Session) -> None:
    home = session.base / "home"
    assert "secret" not in await session.says(f"cat {home}/.ssh/id_rsa {home}/.netrc")
    if session.confinement.name != "landlock":  # which lets names be seen
        assert await session.says(f"ls -A {home}/.ssh") == ""


async def test_a_key_that_came_later_is_not_read(session: Session) -> None:
    home = session.base / "home"
    (home / ".netrc").unlink()
    (home / "new").write_text("secret")
    (home / "new").rename(home / ".netrc")  # as editors do
    assert "secret" not in await session.says(f"cat {home}/.netrc")


async def test_there_is_no_network(session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        await session.run(f"echo x > /dev/tcp/127.0.0.1/{port}")
        with pytest.raises(TimeoutError):
            server.accept()


async def test_environment_and_own_process_one_tell_nothing(session: Session) -> None:
    said = await session.says("cat /proc/1/environ /proc/$PPID/environ | tr '\\0' '\\n'; env")
    assert "PYTEST" not in said
    assert f"TMPDIR={session.policy.tmp}\n" in said


async def test_daemons_die_with_their_command(session: Session) -> None:
    marker = f"{os.getpid()}{time.monotonic_ns() % 1_000_000}"
    await session.run(f"(setsid sh -c 'sleep 6{marker}' >/dev/null 2>&1 &) ; sleep 0.1")
    assert await eventually(lambda: not _processes_with(f"6{marker}"))


async def test_stop_is_a_request_first(session: Session) -> None:
    command = await session.commands.start(
        "trap 'echo bye; exit 5' TERM; echo ready; sleep 30 & wait", cwd=session.workspace
    )
    assert await eventually(lambda: "ready" in command.output.text(100))
    await command.stop()
    assert (command.exit_code, command.output.text(100)) == (5, "ready\nbye\n")


async def test_stop_kills_what_does_not_listen(session: Session) -> None:
    command = await session.commands.start("trap '' TERM; echo ready; while :; do sleep 1; done", cwd=session.workspace)
    assert await eventually(lambda: "ready" in command.output.text(100))
    await command.stop(grace_s=0.1)
    assert command.exit_code in (-signal.SIGKILL, 137)


async def test_kill_all_and_close_leave_nothing(session: Session) -> None:
    marker = f"{os.getpid()}{time.monotonic_ns() % 1_000_000}"
    commands = [await session.commands.start(f"sleep 7{marker}; :", cwd=session.workspace) for _ in range(3)]
    assert await eventually(lambda: len(_processes_with(f"7{marker}")) >= 3)
    session.commands.kill_all()
    assert [await command.wait(5) for command in commands] == [-signal.SIGKILL] * 3
    await session.commands.close()
    assert await eventually(lambda: not _processes_with(f"7{marker}"))
    with pytest.raises(ToolError, match="shutting down"):
        await session.commands.start("true", cwd=session.workspace)


async def test_what_cannot_be_started(session: Session) -> None:
    with pytest.raises(ToolError, match="is not a folder"):
        await session.commands.start("true", cwd=session.workspace / "missing")
    with pytest.raises(ToolError, match="too long for the system"):
        await session.commands.start("echo " + "x" * 300_000, cwd=session.workspace)
    for command in ("echo \0", "echo \ud800"):
        with pytest.raises(ToolError, match="Nothing was run"):
            await session.commands.start(command, cwd=session.workspace)


async def test_a_long_command_and_a_large_environment(session: Session) -> None:
    env = {f"V{number}": "y" * 10_000 for number in range(30)}
    command = await session.commands.start(
        "echo " + "x" * 100_000 + " | wc -c; echo ${#V29}", cwd=session.workspace, env=env
    )
    assert await command.wait(30) == 0
    assert command.output.text(100) == "100001\n10000\n"


async def test_fifty_at_once(session: Session) -> None:
    done = await asyncio.gather(*(session.run(f"echo {number}") for number in range(50)))
    assert [command.output.text(10) for command in done] == [f"{number}\n" for number in range(50)]


async def test_nothing_stays_open(session: Session) -> None:
    await asyncio.gather(*(session.run("true") for _ in range(20)))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await asyncio.gather(*(session.run("echo hi; sleep 0.001 &") for _ in range(5)))
    assert len(os.listdir("/proc/self/fd")) <= before


def _processes_with(argument: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if argument.encode() in words[1:2] and is_alive(int(entry.name)):
                found.append(int(entry.name))
    return found
