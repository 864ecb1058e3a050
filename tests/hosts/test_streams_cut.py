"""Recorded and made streams cut off after any number of bytes: nothing half is ever run or called a success."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from claw.agent.context import Conversation
from claw.agent.executor import Executor
from claw.agent.loop import Agent
from claw.agent.outcome import Outcome, Run
from claw.agent.queues import EventBus
from claw.config import Rules
from claw.permissions.policy import PolicyGate
from claw.permissions.rules import RuleBook
from claw.protocol import events
from claw.protocol.messages import Prefix
from claw.protocol.ops import UserTurn
from claw.providers.catalog import Endpoint
from claw.providers.openai_chat import OpenAIChat
from claw.providers.retry import Retry
from claw.tooling.base import Tool, ToolContext, ToolResult, Workspace
from claw.tooling.boundary import Boundary
from claw.tooling.registry import ToolRegistry
from claw.tools.write import Write
from tests.fakes.answers import Answer
from tests.fakes.blobs import FakeBlobs
from tests.fakes.model_server import ModelServer, call, raw, say
from tests.fakes.services import FakeCommands, FakeJobs

CASES_FILE = Path(__file__).parents[2].parent / "shared/fixtures/openai_sse_streams/cases.jsonl"
CASES = [json.loads(line) for line in CASES_FILE.read_text("utf-8").splitlines()] if CASES_FILE.exists() else []
N_SAMPLED = 6
fixtures = pytest.mark.skipif(not CASES, reason=f"the fixtures are absent: {CASES_FILE}")


class Anything(Struct):
    """Any JSON object will do."""


class Canary(Tool[Anything]):
    """A tool of any name that notes that it ran."""

    params = Anything

    def __init__(self, name: str, ran: list[str]) -> None:
        self.name = name  # type: ignore[misc]
        self._ran = ran

    def summary(self, params: Anything) -> str:
        return ""

    async def run(self, params: Anything, context: ToolContext) -> ToolResult:
        self._ran.append(self.name)
        return ToolResult.of("ran")


class Cutter:
    """Runs the loop on streams that end too early. `ran` are the tools that ran in the last run."""

    def __init__(self, server: ModelServer, folder: Path, tools: Iterable[str]) -> None:
        self.ran: list[str] = []
        self.folder = folder
        self._server = server
        self._registry = ToolRegistry([Write(), *(Canary(name, self.ran) for name in tools)])
        endpoint = Endpoint(host="test", base_url=server.url, model="kimi-k2.6")
        self._provider = OpenAIChat(endpoint, thinking=True, retry=Retry(attempts=1), idle_timeout_s=5.0)

    async def run(self, answer: Answer) -> events.RunFinished:
        self.ran.clear()
        self._server.script = [answer, say("Done.")]
        ended: list[events.Event] = []
        bus = EventBus("cut")
        bus.subscribe(ended.append)
        boundary = Boundary((self.folder,))
        workspace = Workspace(self.folder, boundary, FakeBlobs(self.folder), FakeCommands(), FakeJobs())
        gate = PolicyGate("auto-edit", boundary, RuleBook(Rules()), confined=True, cwd=self.folder)
        executor = Executor(self._registry, gate, workspace, bus.publish)
        chat = self._provider.open(Prefix("You are claw."))
        agent = Agent(chat, Conversation(), executor, bus, (), _moment, _report)
        agent.submit(UserTurn.of("go"))
        agent.end_of_input()
        await agent.serve()
        finished = ended[-1]
        assert isinstance(finished, events.RunFinished)
        return finished

    async def close(self) -> None:
        await self._provider.close()


async def _moment() -> str:
    return ""


def _report(run: Run, outcome: Outcome) -> events.RunFinished:
    return events.RunFinished(run=run.number, status=outcome.status, result=run.result, error=outcome.error)


def _body(case: dict[str, Any]) -> bytes:
    if case["body"] is not None:
        return str(case["body"]).encode()
    return b"".join(base64.b64decode(piece) for piece in case["body_b64_pieces"])


def _cut(body: bytes, n_bytes: int, gone: bool) -> Answer:
    """The first bytes of `body`; then the body ends in good order, or the connection is `gone`."""
    answer = raw([body[:n_bytes]] if n_bytes else [])
    return Answer(answer.pieces, headers=answer.headers, cut=gone)


def _is_complete(body: bytes) -> bool:
    """Whether these bytes hold a finish reason or `[DONE]`, by a reading that has nothing in common with claw's."""
    for line in re.split(rb"\r\n|\n|\r", body):
        data = line.removeprefix(b"\xef\xbb\xbf").removeprefix(b"data:").strip()
        if data == b"[DONE]" or re.search(rb'"finish_reason": ?"', data):
            try:
                return data == b"[DONE]" or bool(json.loads(data))
            except ValueError:
                return False
    return False


def _at_boundary(body: bytes, n_bytes: int) -> bool:
    return body[:n_bytes].endswith((b"\n\n", b"\r\n\r\n", b"\r\r")) or n_bytes == len(body)


def _offsets(case: dict[str, Any]) -> list[int]:
    """The same few of each case each time: the ends, about the finish reason, and anywhere."""
    body = _body(case)
    dice = random.Random(case["id"])
    around = [
        match.start() + shift for match in re.finditer(rb'"finish_reason": ?"|\[DONE\]', body) for shift in (0, 17)
    ]
    offsets = {0, len(body) - 1, *around, *dice.sample(range(len(body)), min(N_SAMPLED, len(body)))}
    return sorted(offset for offset in offsets if offset < len(body))


async def _check(cutter: Cutter, case: dict[str, Any], n_bytes: int, gone: bool) -> None:
    body, expected = _body(case), case["expected"]
    finished = await cutter.run(_cut(body, n_bytes, gone))
    where = f"cut at {n_bytes} of {len(body)} bytes: {finished.status}, {finished.error}"
    complete = _is_complete(body[:n_bytes]) and not expected["error"]
    if finished.status == "done":
        assert complete, where
        runs = expected.get("run_calls", True)
        assert sorted(cutter.ran) == sorted(one["name"] for one in expected["tool_calls"] if runs), where
        assert finished.result == ("Done." if expected["tool_calls"] else expected["content"]), where
    else:
        assert finished.status in ("retry_later", "error"), where
        assert finished.error
        assert cutter.ran == [], where
        assert not (complete and not gone and _at_boundary(body, n_bytes)), where


def _tools(case: dict[str, Any]) -> set[str]:
    return {one["name"] for one in case["expected"]["tool_calls"]} - {"write"}


@fixtures
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_cut_at_some_offsets(case: dict[str, Any], tmp_path: Path) -> None:
    with ModelServer() as server:
        cutter = Cutter(server, tmp_path, _tools(case))
        for number, n_bytes in enumerate(_offsets(case)):
            await _check(cutter, case, n_bytes, gone=bool(number % 2))
        await cutter.close()


@fixtures
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_cut_at_every_offset(case: dict[str, Any], tmp_path: Path) -> None:
    with ModelServer() as server:
        cutter = Cutter(server, tmp_path, _tools(case))
        for n_bytes in range(len(_body(case))):
            await _check(cutter, case, n_bytes, gone=False)
            if n_bytes % 13 == 0:  # each costs a connection, of which a machine has only so many a minute
                await _check(cutter, case, n_bytes, gone=True)
        await cutter.close()


@pytest.mark.parametrize("gone", [False, True], ids=["ended", "gone"])
async def test_a_canary_is_not_written_by_half_a_call(gone: bool, tmp_path: Path) -> None:
    """Arguments that are whole JSON before the stream is whole: closed braces alone run nothing."""
    canary = tmp_path / "canary"
    answer = call(("write", '{"path": "canary", "content": "half"}        '), reasoning="Hm.", usage=None)
    body = answer.body
    with ModelServer() as server:
        cutter = Cutter(server, tmp_path, ())
        for n_bytes in range(0, len(body), 1 if not gone else 7):
            finished = await cutter.run(_cut(body, n_bytes, gone))
            assert canary.exists() == (finished.status == "done"), n_bytes
            assert _is_complete(body[:n_bytes]) or not canary.exists(), n_bytes
            canary.unlink(missing_ok=True)
        assert (await cutter.run(answer)).status == "done"
        assert canary.exists()
        await cutter.close()
