from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from claw.protocol.details import CommandRun
from claw.protocol.events import ToolOutput
from claw.protocol.messages import text_of
from claw.tooling.base import Access, Effect, ToolResult, Workspace
from claw.tooling.registry import ToolRegistry
from claw.tools.bash import Bash
from tests.sandbox.conftest import eventually
from tests.tools.shell import ShellBench, shell_bench

BASH = Bash()


@pytest.fixture
async def shell(workspace: Workspace, tmp_path: Path) -> AsyncIterator[ShellBench]:
    async with shell_bench(workspace, tmp_path / "spill") as bench:
        yield bench


def without_time(result: ToolResult) -> ToolResult:
    assert isinstance(result.details, CommandRun)
    assert result.details.duration_s >= 0
    details = msgspec.structs.replace(result.details, duration_s=0.0)
    return ToolResult(result.content, result.brief, details, result.is_error)


async def test_a_command_that_succeeds(shell: ShellBench) -> None:
    result = await shell.run(BASH, command="echo hi")
    assert without_time(result) == ToolResult.of("hi", "exit 0", CommandRun("echo hi", 0, 0.0, 3))
    assert shell.events == [ToolOutput(call_id="call_1", text="hi\n")]


async def test_a_command_that_fails_is_a_result(shell: ShellBench) -> None:
    result = await shell.run(BASH, command="echo no >&2; exit 3")
    expected = ToolResult.of("no\n[exit code 3]", "exit 3", CommandRun("echo no >&2; exit 3", 3, 0.0, 3))
    assert without_time(result) == expected


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("true", "(no output)"),
        ("false", "[exit code 1]"),
        ("kill -9 $$", "[ended by signal SIGKILL]"),
        ("kill -40 $$", "[ended by signal 40]"),
        ("printf 'a\\rb\\033[1mc'", "bc"),
        ("printf '  indented\\n\\n'", "  indented\n"),
    ],
)
async def test_what_the_model_reads(shell: ShellBench, command: str, text: str) -> None:
    assert await shell.text(BASH, command=command) == text


async def test_a_time_out_moves_the_command_to_the_background(shell: ShellBench) -> None:
    command = "echo first; sleep 0.5; echo second"
    result = await shell.run(BASH, command=command, timeout_s=0.2)
    assert without_time(result) == ToolResult.of(
        "first\n[still running after 0.2 s: it goes on as background job 1. Its end will be told to you. "
        'To read what is new: background(action="read", job="1"); to end it: action="stop".]',
        "goes on as job 1",
        CommandRun(command, None, 0.0, 6, job="1"),
    )
    job = shell.workspace.jobs.get("1")
    n_events = len(shell.events)
    assert await job.command.wait(10) == 0
    assert job.command.output.read(job.offset_bytes, 100)[0] == "second\n"
    await asyncio.sleep(0)
    assert shell.told == ["1"]
    assert len(shell.events) == n_events  # what it prints now belongs to no call


async def test_long_output_is_cut_and_kept_whole(shell: ShellBench) -> None:
    result = await shell.run(BASH, command="seq 1 20000; exit 1")
    text = text_of(result.content)
    assert isinstance(result.details, CommandRun)
    whole = Path(result.details.output_blob)
    assert whole.read_text() == "".join(f"{number}\n" for number in range(1, 20_001))
    assert text.startswith("1\n2\n3\n")
    assert text.endswith(f"\n20000\n[the whole output of 108894 bytes is in {whole}]\n[exit code 1]")
    assert "characters left out" in text
    assert len(text) < 50_500
    assert result.details.output_bytes == 108_894


async def test_output_beyond_memory_is_kept_whole_too(shell: ShellBench, tmp_path: Path) -> None:
    result = await shell.run(BASH, command="seq 1 200000")
    assert isinstance(result.details, CommandRun)
    assert Path(result.details.output_blob).stat().st_size == result.details.output_bytes == 1_288_895
    assert "bytes left out" in text_of(result.content)
    assert list((tmp_path / "spill").iterdir()) == []


async def test_watching_is_limited(shell: ShellBench) -> None:
    await shell.run(BASH, command="for i in $(seq 60); do echo $i; sleep 0.01; done; seq 1 100000")
    pieces = [event.text for event in shell.events if isinstance(event, ToolOutput)]
    assert 3 <= len(pieces) <= 30
    assert max(map(len, pieces)) <= 8_000
    assert "".join(pieces).startswith("1\n2\n3\n")
    assert pieces[-1].endswith("100000\n")


async def test_an_interrupted_command_is_ended(shell: ShellBench) -> None:
    call = asyncio.create_task(shell.run(BASH, command="echo $$ > pid; sleep 600 & sleep 600"))
    assert await eventually((shell.cwd / "pid").exists)
    started = time.monotonic()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert time.monotonic() - started < 3
    assert not Path(f"/proc/{(shell.cwd / 'pid').read_text().strip()}").exists()


async def test_the_folder(shell: ShellBench, tmp_path: Path) -> None:
    (shell.cwd / "sub").mkdir()
    (shell.cwd / "file").touch()
    (shell.cwd / "out").symlink_to(tmp_path)
    assert await shell.text(BASH, command="pwd") == str(shell.cwd)
    assert await shell.text(BASH, command="pwd", workdir="sub") == str(shell.cwd / "sub")
    assert "lies outside the workspace" in await shell.error(BASH, command="touch x", workdir="..")
    assert "lies outside the workspace" in await shell.error(BASH, command="touch x", workdir="out")
    assert "is not a folder" in await shell.error(BASH, command="touch x", workdir="missing")
    assert "is not a folder" in await shell.error(BASH, command="touch x", workdir="file")
    assert not (tmp_path / "x").exists()


async def test_an_empty_command(shell: ShellBench) -> None:
    assert await shell.error(BASH, command=" \n") == "the command is empty. Nothing was run."


@pytest.mark.parametrize("timeout_s", [0, -1, 301])
def test_time_outs_have_bounds(timeout_s: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"command": "true", "timeout_s": timeout_s}, BASH.params)


def test_access_summary_and_spec(workspace: Workspace) -> None:
    params = BASH.params(command="a\n  b")
    assert BASH.access(params, workspace) == Access(Effect.EXECUTE, reads_all=True, command="a\n  b", cwd=workspace.cwd)
    assert BASH.summary(params) == "a b"
    (spec,) = ToolRegistry([BASH]).specs()
    assert spec.name == "bash"
    assert spec.parameters["required"] == ["command"]
    assert all("type" in prop for prop in spec.parameters["properties"].values())  # type: ignore[attr-defined]
