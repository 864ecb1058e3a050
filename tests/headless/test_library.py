from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from claw.config import Settings
from claw.errors import MissingKey
from claw.headless.library import run
from claw.protocol.events import Event, ToolStarted
from tests.e2e.conftest import wait_for
from tests.fakes.model_server import ModelServer, call, say

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CLAW_HOME": str(tmp_path / "home")}


async def test_a_structured_answer(tmp_path: Path) -> None:
    with ModelServer([say("three"), say('{"n": 3}')]) as server:
        result = await run(
            Settings(cwd=tmp_path, host=server.url, output_schema=SCHEMA), "How many?", environ=environ(tmp_path)
        )
    assert (result.status, result.structured, result.turns) == ("done", {"n": 3}, 2)


async def test_a_run_that_cannot_begin_raises(tmp_path: Path) -> None:
    with pytest.raises(MissingKey):
        await run(Settings(cwd=tmp_path), "hi", environ=environ(tmp_path))


async def test_cancelling_stops_what_was_started(tmp_path: Path) -> None:
    seen: list[Event] = []
    with ModelServer([call(("bash", {"command": "touch started; sleep 30; touch survived"}))]) as server:
        running = asyncio.create_task(
            run(Settings(cwd=tmp_path, host=server.url), "go", environ=environ(tmp_path), subscribers=[seen.append])
        )
        await asyncio.to_thread(wait_for, (tmp_path / "started").exists)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert any(isinstance(event, ToolStarted) for event in seen)
    assert not (tmp_path / "survived").exists()
