"""Commands as real processes: how they start, end, and what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from claw.errors import ToolError
from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommands
from tests.sandbox.conftest import Run, eventually


def is_alive(pid: int) -> bool:
    """A zombie counts as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> bool:
    return await eventually(lambda: not is_alive(pid))


async def pid_in(file: Path) -> int:
    assert await eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


async def test_output_and_exit_code(run: Run) -> None:
    done = await run("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.output.text(100), done.output.size_bytes) == (3, "out\nerr\n", 8)
    assert 0 < done.duration_s < 5


async def test_a_signal_is_a_negative_exit_code(run: Run) -> None:
    assert (await run("kill -9 $$")).exit_code == -signal.SIGKILL


@pytest.mark.parametrize("command", ["-l", "--version", "-c 'echo hi'"])
async def test_a_command_is_never_an_option_of_the_shell(run: Run, command: str) -> None:
    assert (await run(command)).exit_code == 127


async def test_stdin_is_empty_and_there_is_no_terminal(run: Run) -> None:
    done = await run("cat; (: < /dev/tty) 2>/dev/null || echo no terminal")
    assert done.output.text(100) == "no terminal\n"


@pytest.mark.parametrize("where", ["missing", "file"])
async def test_a_folder_that_is_none(commands: ShellCommands, tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolError, match="is not a folder"):
        await commands.start("true", cwd=tmp_path / where)


@pytest.mark.parametrize("command", ["echo \0", "echo \ud800"])
async def test_a_command_that_no_shell_can_read(commands: ShellCommands, tmp_path: Path, command: str) -> None:
    with pytest.raises(ToolError, match="Nothing was run"):
        await commands.start(command, cwd=tmp_path)


async def test_a_command_that_is_too_long(commands: ShellCommands, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"too long for the system \(300005 bytes\)"):
        await commands.start("echo " + "x" * 300_000, cwd=tmp_path)


async def test_a_child_that_holds_the_pipe_does_not_hold_the_call(run: Run, tmp_path: Path) -> None:
    started = time.monotonic()
    done = await run("sleep 600 & echo $! > pid; echo hi")
    assert done.exit_code == 0
    assert done.output.text(100) == "hi\n"
    assert time.monotonic() - started < 2
    assert await gone(await pid_in(tmp_path / "pid"))


async def test_a_child_without_the_pipe_is_killed_too(run: Run, tmp_path: Path) -> None:
    await run("sleep 600 >/dev/null 2>&1 & echo $! > pid")
    assert await gone(await pid_in(tmp_path / "pid"))


async def test_a_child_that_prints_for_ever_does_not_hold_the_call(run: Run) -> None:
    started = time.monotonic()
    done = await run("yes & echo hi")
    assert done.exit_code == 0
    assert time.monotonic() - started < 3


async def test_a_reader_behind_the_shell_may_finish(run: Run) -> None:
    done = await run("echo hi > >(sleep 0.1; cat)")
    assert done.output.text(100) == "hi\n"


async def test_a_wait_that_ends_leaves_the_command_running(commands: ShellCommands, tmp_path: Path) -> None:
    command = await commands.start("sleep 0.3; echo late", cwd=tmp_path)
    assert await command.wait(0.05) is None
    assert command.exit_code is None
    first, second = await asyncio.gather(command.wait(), command.wait(10))
    assert (first, second, command.output.text(100)) == (0, 0, "late\n")


async def test_a_wait_that_is_cancelled_leaves_the_command_running(commands: ShellCommands, tmp_path: Path) -> None:
    command = await commands.start("sleep 0.3; echo late", cwd=tmp_path)
    waiting = asyncio.create_task(command.wait())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert await command.wait() == 0


async def test_stop_is_a_request_first(commands: ShellCommands, tmp_path: Path) -> None:
    command = await commands.start("trap 'echo bye; exit 5' TERM; echo ready; sleep 600 & wait", cwd=tmp_path)
    assert await eventually(lambda: command.output.size_bytes > 0)
    await command.stop()
    assert (command.exit_code, command.output.text(100)) == (5, "ready\nbye\n")
    await command.stop()


async def test_stop_kills_what_does_not_listen(commands: ShellCommands, tmp_path: Path) -> None:
    command = await commands.start("trap '' TERM; echo $$ > pid; while :; do sleep 1; done", cwd=tmp_path)
    pid = await pid_in(tmp_path / "pid")
    await command.stop(grace_s=0.2)
    assert command.exit_code == -signal.SIGKILL
    assert await gone(pid)


async def test_stop_that_is_cancelled_still_kills(commands: ShellCommands, tmp_path: Path) -> None:
    command = await commands.start("trap '' TERM; echo $$ > pid; while :; do sleep 1; done", cwd=tmp_path)
    await pid_in(tmp_path / "pid")
    stopping = asyncio.create_task(command.stop(grace_s=0.3))
    await asyncio.sleep(0.05)
    stopping.cancel()
    assert await command.wait(5) == -signal.SIGKILL


async def test_stop_reaches_a_suspended_command(commands: ShellCommands, tmp_path: Path) -> None:
    command = await commands.start("echo $$ > pid; kill -STOP $$", cwd=tmp_path)
    await pid_in(tmp_path / "pid")
    await command.stop()
    assert command.exit_code == -signal.SIGTERM
    assert command.duration_s < 4


async def test_close_ends_everything_and_starts_nothing_more(tmp_path: Path) -> None:
    commands = ShellCommands(os.environ, tmp_path, Plain())
    running = [await commands.start("sleep 600 & sleep 600", cwd=tmp_path) for _ in range(3)]
    await commands.close()
    assert [command.exit_code for command in running] == [-signal.SIGTERM] * 3
    with pytest.raises(ToolError, match="shutting down"):
        await commands.start("true", cwd=tmp_path)


async def test_kill_all_is_immediate(commands: ShellCommands, tmp_path: Path) -> None:
    command = await commands.start("trap '' TERM; sleep 600 & echo $! > pid; wait", cwd=tmp_path)
    pid = await pid_in(tmp_path / "pid")
    commands.kill_all()
    assert await command.wait(5) == -signal.SIGKILL
    assert await gone(pid)


async def test_eight_commands_take_the_time_of_one(run: Run) -> None:
    started = time.monotonic()
    done = await asyncio.gather(*(run(f"sleep 0.5; echo {number}") for number in range(8)))
    assert time.monotonic() - started < 1.0
    assert [command.output.text(10) for command in done] == [f"{number}\n" for number in range(8)]


async def test_fifty_starts_leave_the_loop_room(commands: ShellCommands, tmp_path: Path) -> None:
    n_rounds = 0

    async def count() -> None:
        nonlocal n_rounds
        while True:
            n_rounds += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    started = await asyncio.gather(*(commands.start("sleep 0.1", cwd=tmp_path) for _ in range(50)))
    counting.cancel()
    assert n_rounds >= 50  # each start was in a round of its own
    assert await asyncio.gather(*(command.wait() for command in started)) == [0] * 50


async def test_nothing_is_left_behind(run: Run) -> None:
    def count() -> tuple[int, int]:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return len(os.listdir("/proc/self/fd")), len(children)

    await run("true")
    before = count()
    for _ in range(20):
        await asyncio.gather(*(run("echo hi; sleep 0.001 &") for _ in range(10)))
    assert count() == before


def test_without_pidfd_a_thread_waits(tmp_path: Path) -> None:
    code = """
import asyncio, os, resource, sys
del os.pidfd_open  # what Python on macOS has not
from pathlib import Path
from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommands

async def main():
    commands = ShellCommands(os.environ, Path.cwd(), Plain())
    first = await commands.start("sleep 600 & echo hi; exit 4", cwd=Path.cwd())
    second = await commands.start("sleep 600", cwd=Path.cwd())
    print(await first.wait(10), first.output.text(10).strip())
    await second.stop()
    print(second.exit_code)
    await commands.close()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("4 hi\n-15\n", "")
