from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claw.protocol.details import CommandRun
from claw.tooling.base import Access, Effect, Workspace
from claw.tooling.registry import ToolRegistry
from claw.tools.background import Background
from tests.tools.shell import ShellBench, shell_bench

BACKGROUND = Background()


@pytest.fixture
async def shell(workspace: Workspace, tmp_path: Path) -> AsyncIterator[ShellBench]:
    async with shell_bench(workspace, tmp_path / "spill") as bench:
        yield bench


async def call(shell: ShellBench, action: str, **arguments: object) -> str:
    """The result's text, its times taken out."""
    text = await shell.text(BACKGROUND, action=action, **arguments)
    return re.sub(r"\d+\.\d s", "… s", text)


async def test_start_read_stop(shell: ShellBench) -> None:
    command = "echo ready; read -r < fifo; echo more; sleep 600"
    await (await shell.workspace.commands.start("mkfifo fifo", cwd=shell.cwd)).wait()
    assert await call(shell, "start", command=command) == "job 1 runs for … s\nready"
    assert await call(shell, "read", job="1") == "job 1 runs for … s\n(nothing new was printed)"
    (shell.cwd / "fifo").write_text("go\n")
    assert await call(shell, "wait", job="1", timeout_s=0.2) == "job 1 runs for … s\nmore"
    assert await call(shell, "list") == f"1  runs for … s  {command}"
    ended = "job 1 ended after … s: ended by signal SIGTERM"
    assert await call(shell, "stop", job="1") == f"{ended}\n(nothing new was printed)"
    assert await call(shell, "read", job="1") == f"{ended}\n(nothing new was printed)"
    assert shell.told == []


async def test_a_job_that_ends_at_once_is_reported_at_once(shell: ShellBench) -> None:
    result = await shell.run(BACKGROUND, action="start", command="echo port in use; exit 98")
    assert isinstance(result.details, CommandRun)
    assert (result.details.exit_code, result.details.job, result.is_error) == (98, "1", False)
    assert re.fullmatch(r"job 1 ended after 0\.\d s: exit code 98", result.brief)
    assert shell.told == []


async def test_the_end_of_a_job_that_nobody_waits_for_is_told(shell: ShellBench) -> None:
    await call(shell, "start", command="sleep 0.5")
    await shell.workspace.jobs.get("1").command.wait()
    assert await call(shell, "wait", job="1") == "job 1 ended after … s: exit code 0\n(nothing new was printed)"
    assert shell.told == ["1"]


async def test_much_news_is_its_newest_and_the_whole_is_kept(shell: ShellBench) -> None:
    await call(shell, "start", command="sleep 0.4; seq 1 20000")
    text = await call(shell, "wait", job="1")
    found = re.search(r"\[the whole output of 108894 bytes is in (.*)\]\n\[… 58894 bytes passed over …\]\n", text)
    assert found
    assert text.endswith("\n19999\n20000")
    assert Path(found[1]).stat().st_size == 108_894
    assert "(nothing new was printed)" in await call(shell, "read", job="1")


async def test_much_news_of_a_job_that_runs(shell: ShellBench) -> None:
    await call(shell, "start", command="seq 1 20000; sleep 600")
    assert "(nothing new" in await call(shell, "read", job="1")
    job = shell.workspace.jobs.get("1")
    job.offset_bytes = 0
    text = await call(shell, "read", job="1")
    assert text.startswith("job 1 runs for … s\n[… 58894 bytes passed over …]\n")
    assert text.endswith("\n20000")


async def test_errors(shell: ShellBench) -> None:
    assert await call(shell, "list") == "No job was started in this session."
    assert await shell.error(BACKGROUND, action="read") == (
        "read needs `job`, the id of a job. The jobs are: none yet."
    )
    assert "there is no job '7'" in await shell.error(BACKGROUND, action="stop", job="7")
    assert await shell.error(BACKGROUND, action="start") == "the command is empty. Nothing was run."
    assert "lies outside" in await shell.error(BACKGROUND, action="start", command="true", workdir="/")
    assert shell.jobs == []


def test_access_summary_and_spec(workspace: Workspace) -> None:
    start = BACKGROUND.params(action="start", command="make  serve")
    read = BACKGROUND.params(action="read", job="1")
    assert BACKGROUND.access(start, workspace) == Access(
        Effect.EXECUTE, reads_all=True, command="make  serve", cwd=workspace.cwd
    )
    assert BACKGROUND.access(read, workspace) == Access(Effect.NONE)
    assert [BACKGROUND.summary(params) for params in (start, read)] == ["start make serve", "read 1"]
    (spec,) = ToolRegistry([BACKGROUND]).specs()
    assert spec.parameters["required"] == ["action"]
