from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from claw.agent.executor import NOT_STARTED, Executor
from claw.errors import ToolError
from claw.permissions.base import Asked, Decision, Verdict
from claw.protocol import events
from claw.protocol.details import Preview
from claw.protocol.messages import ToolCall
from claw.redact import Redactor
from claw.tooling.base import Access, Tool, Workspace
from claw.tooling.boundary import Boundary
from claw.tooling.registry import ToolRegistry
from tests.fakes.blobs import FakeBlobs
from tests.fakes.services import FakeCommands, FakeJobs
from tests.fakes.tools import Note, WriteNote


class FixedGate:
    """Says the same of every call."""

    def __init__(self, decision: Decision) -> None:
        self.verdict = Verdict(decision, "the house rules", suggestion="note(*)")

    def judge(self, tool: str, access: Access) -> Verdict:
        return self.verdict


class Person:
    """Answers after `delay_s`, and remembers what was shown."""

    def __init__(self, answer: Asked, delay_s: float = 0.0) -> None:
        self.answer = answer
        self.delay_s = delay_s
        self.shown: list[Preview] = []

    async def ask(self, call: ToolCall, summary: str, verdict: Verdict, preview: Preview) -> Asked:
        self.shown.append(preview)
        await asyncio.sleep(self.delay_s)
        return self.answer


class CannotWork(WriteNote):
    async def preview(self, params: Note, workspace: Workspace) -> Preview:
        raise ToolError("`old` was not found", "not found")


class Desk:
    """An executor with one tool, one gate and perhaps a person."""

    def __init__(self, folder: Path, decision: Decision, person: Person | None, tool: Tool[Note] | None = None) -> None:
        self.tool = tool or WriteNote()
        self.events: list[events.Event] = []
        workspace = Workspace(folder, Boundary((folder,)), FakeBlobs(folder / "blobs"), FakeCommands(), FakeJobs())
        self.executor = Executor(
            ToolRegistry([self.tool]), FixedGate(decision), workspace, self.events.append, approver=person,
            redact=Redactor(("hunter2hunter2",)),
        )  # fmt: skip

    async def call(self, text: str = "x") -> events.ToolFinished:
        batch = self.executor.prepare([ToolCall("1", "note", f'{{"text": "{text}", "path": "/tmp/n"}}')])
        await batch.run()
        return batch.answered()[0].result


@pytest.mark.parametrize(
    ("decision", "answer", "ran", "said"),
    [
        (Decision.ALLOW, None, True, "noted x"),
        (Decision.DENY, Asked(True), False, "denied: the house rules"),
        (Decision.ASK, None, False, "denied: the house rules; it needs permission, and nobody is here to give it"),
        (Decision.ASK, Asked(True), True, "noted x"),
        (Decision.ASK, Asked(False, note="use b"), False,
         "denied: the house rules; permission was asked for and not given. They say: use b"),
    ],
)  # fmt: skip
async def test_a_call_runs_only_when_it_may(
    tmp_path: Path, decision: Decision, answer: Asked | None, ran: bool, said: str
) -> None:
    person = Person(answer) if answer else None
    desk = Desk(tmp_path, decision, person)
    finished = await desk.call()
    assert (finished.denied, finished.content[0].text) == (not ran, said)  # type: ignore[union-attr]
    assert [type(event).__name__ for event in desk.events] == ["ToolStarted", "ToolFinished"]
    asked = decision is Decision.ASK and person is not None
    assert (person.shown if person else []) == ([Preview(writes=("/tmp/n",))] if asked else [])


async def test_nobody_is_asked_about_a_call_that_cannot_work(tmp_path: Path) -> None:
    person = Person(Asked(True))
    finished = await Desk(tmp_path, Decision.ASK, person, CannotWork()).call()
    assert (finished.is_error, finished.denied, person.shown) == (True, False, [])


async def test_an_interrupt_while_a_question_is_open_runs_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Decision.ASK, Person(Asked(True), delay_s=30))
    batch = desk.executor.prepare([ToolCall("1", "note", '{"text": "x"}')])
    running = asyncio.create_task(batch.run())
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert batch.answered()[0].message.text == NOT_STARTED
    assert [type(event).__name__ for event in desk.events] == ["ToolStarted", "ToolFinished"]


async def test_the_time_of_the_question_is_not_the_time_of_the_tool(tmp_path: Path) -> None:
    finished = await Desk(tmp_path, Decision.ASK, Person(Asked(True), delay_s=0.3)).call()
    assert finished.duration_s < 0.25


async def test_a_secret_in_a_result_reaches_nobody(tmp_path: Path) -> None:
    finished = await Desk(tmp_path, Decision.ALLOW, None).call("the word is hunter2hunter2")
    assert "hunter2" not in str(finished.content)
