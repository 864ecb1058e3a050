"""Real commands in a temporary folder."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommand, ShellCommands


async def eventually(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Whether `condition` came true: of what another process does there is no event to wait for."""
    for _ in range(int(within_s / 0.01)):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return condition()


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that is not below `/tmp`: of that confined commands see another one."""
    with tempfile.TemporaryDirectory(prefix="claw-test-", dir="/var/tmp") as folder:
        yield Path(folder).resolve()


Run = Callable[..., Awaitable[ShellCommand]]


@pytest.fixture
async def commands(tmp_path: Path) -> AsyncIterator[ShellCommands]:
    spill_folder = tmp_path / "spill"
    spill_folder.mkdir()
    commands = ShellCommands(os.environ, spill_folder, Plain())
    yield commands
    await commands.close(grace_s=0.2)


@pytest.fixture
def run(commands: ShellCommands, tmp_path: Path) -> Run:
    """Run a command to its end."""

    async def run(command: str, timeout_s: float | None = 30) -> ShellCommand:
        started = await commands.start(command, cwd=tmp_path)
        await started.wait(timeout_s)
        return started

    return run
