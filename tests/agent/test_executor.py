from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from claw.agent.executor import INTERRUPTED, NOT_STARTED
from claw.agent.middleware import Answered
from claw.protocol.messages import ToolCall
from tests.agent.bench import AgentBench


def calls(*arguments: str, name: str = "note") -> list[ToolCall]:
    return [ToolCall(str(i), name, text) for i, text in enumerate(arguments)]


async def run(bench: AgentBench, *arguments: str, name: str = "note") -> list[Answered]:
    batch = bench.executor.prepare(calls(*arguments, name=name))
    await batch.run()
    return batch.answered()


async def test_calls_run_side_by_side_and_answer_in_order(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [])
    started = time.monotonic()
    batch = await run(bench, *(f'{{"text": "{i}", "seconds": {0.3 - i * 0.03}}}' for i in range(8)))
    assert bench.tool.most == 8
    assert time.monotonic() - started < 1.5
    assert bench.tool.log == [str(i) for i in reversed(range(8))]
    assert [one.message.text for one in batch] == [f"noted {i}" for i in range(8)]


async def test_writers_of_one_file_keep_their_order(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [])
    path = str(tmp_path / "a")
    await run(bench, *(f'{{"text": "{i}", "path": "{path}", "seconds": {0.04 - i * 0.01}}}' for i in range(4)))
    assert bench.tool.log == ["0", "1", "2", "3"]
    assert bench.tool.most == 1


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("nope", "{}", "there is no tool 'nope'. The tools are: note."),
        ("note", '{"text": "half', "not valid JSON"),
        ("note", '{"text": 5}', "Expected `str`, got `int` - at `$.text`"),
        ("note", "[]", "do not fit the schema"),
        ("note", '{"text": "x", "path": "/elsewhere/a"}', "lies outside the folders"),
        ("note", '{"text": "x", "fail": true}', "x cannot be done"),
        ("note", '{"text": "x", "bug": true}', "claw failed in its own tool note: ZeroDivisionError: x"),
    ],
)
async def test_what_goes_wrong_is_an_error_result(
    tmp_path: Path, name: str, arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = AgentBench(tmp_path, [])
    batch = await run(bench, arguments, name=name)
    assert complaint in batch[0].message.text
    assert batch[0].message.is_error
    assert bench.tool.log == []
    assert bench.names() == ["ToolStarted", "ToolFinished"]
    assert ("Traceback" in capsys.readouterr().err) == ("bug" in arguments)


async def test_the_schema_comes_with_bad_arguments(tmp_path: Path) -> None:
    batch = await run(AgentBench(tmp_path, []), "{}")
    assert '"properties":{"text":{"type":"string"}' in batch[0].message.text


async def test_every_call_of_an_interrupted_batch_has_a_result(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [])
    batch = bench.executor.prepare(calls('{"text": "a"}', '{"text": "b", "seconds": 9}'))
    running = asyncio.create_task(batch.run())
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [one.message.text for one in batch.answered()] == ["noted a", INTERRUPTED]


async def test_a_batch_that_never_ran_has_results_and_events(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [])
    batch = bench.executor.prepare(calls('{"text": "a"}', '{"text": "b"}'))
    assert [one.message.text for one in batch.answered()] == [NOT_STARTED, NOT_STARTED]
    assert bench.names() == ["ToolStarted", "ToolFinished"] * 2
    assert bench.tool.log == []


async def test_a_long_result_is_kept_whole_in_a_blob(tmp_path: Path) -> None:
    batch = await run(AgentBench(tmp_path, []), '{"text": "' + "x" * 60_000 + '"}')
    text = batch[0].message.text
    assert len(text) < 51_000
    assert "the whole is in" in text
