from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from claw.errors import ToolError
from claw.sandbox.jobs import BackgroundJobs
from claw.sandbox.process import ShellCommands
from claw.tooling.services import Job
from tests.sandbox.conftest import eventually


class Told:
    """Keeps the jobs whose end was told."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, job: Job) -> None:
        assert job.command.exit_code is not None
        self.ids.append(job.id)


async def test_an_end_is_told_once(commands: ShellCommands, tmp_path: Path) -> None:
    told = Told()
    jobs = BackgroundJobs(told)
    started = [jobs.adopt(await commands.start(f"exit {code}", cwd=tmp_path)) for code in (0, 1)]
    assert await eventually(lambda: len(told.ids) == 2)
    await asyncio.sleep(0.05)
    assert sorted(told.ids) == ["1", "2"]
    assert [job.command.exit_code for job in started] == [0, 1]
    assert jobs.all() == tuple(started)


async def test_an_end_that_was_waited_for_is_not_told(commands: ShellCommands, tmp_path: Path) -> None:
    told = Told()
    jobs = BackgroundJobs(told)
    jobs.adopt(await commands.start("sleep 0.2; exit 7", cwd=tmp_path))
    first, second = await asyncio.gather(jobs.wait("1", 10), jobs.wait(" 1 ", 10))
    assert first is second
    assert first.command.exit_code == 7
    await asyncio.sleep(0.05)
    assert told.ids == []


async def test_a_wait_that_gave_up_leaves_the_end_to_be_told(commands: ShellCommands, tmp_path: Path) -> None:
    told = Told()
    jobs = BackgroundJobs(told)
    jobs.adopt(await commands.start("sleep 0.3", cwd=tmp_path))
    assert (await jobs.wait("1", 0.05)).command.exit_code is None
    waiting = asyncio.create_task(jobs.wait("1", 10))
    await asyncio.sleep(0.05)
    waiting.cancel()
    assert await eventually(lambda: told.ids == ["1"])


async def test_a_stop_is_not_told(commands: ShellCommands, tmp_path: Path) -> None:
    told = Told()
    jobs = BackgroundJobs(told)
    jobs.adopt(await commands.start("sleep 600", cwd=tmp_path))
    assert (await jobs.stop("1")).command.exit_code == -signal.SIGTERM
    await asyncio.sleep(0.05)
    assert told.ids == []


async def test_nothing_is_told_after_the_close(commands: ShellCommands, tmp_path: Path) -> None:
    told = Told()
    jobs = BackgroundJobs(told)
    job = jobs.adopt(await commands.start("sleep 600", cwd=tmp_path))
    await jobs.close()
    await commands.close()
    assert (job.command.exit_code, told.ids) == (-signal.SIGTERM, [])


async def test_an_unknown_job(commands: ShellCommands, tmp_path: Path) -> None:
    jobs = BackgroundJobs(Told())
    with pytest.raises(ToolError, match=r"no job '1'\. No job was started"):
        jobs.get("1")
    jobs.adopt(await commands.start("true", cwd=tmp_path))
    with pytest.raises(ToolError, match=r"no job '9'\. The jobs are: 1\."):
        await jobs.stop("9")
    await jobs.close()
