from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from claw.config import Rules
from claw.paths import Home
from claw.permissions.base import Asked, Decision, Verdict
from claw.permissions.broker import Broker
from claw.permissions.rules import RuleBook
from claw.permissions.store import RuleStore
from claw.protocol.details import Preview
from claw.protocol.events import ApprovalAnswered, ApprovalAsked, Event, Notice
from claw.protocol.messages import ToolCall
from claw.protocol.ops import Answer

MAKE = Verdict(Decision.ASK, "the mode is ask", ("make",), "bash(make)")
UNIQUE = Verdict(Decision.ASK, "the rule ask bash(x) is about it")


class Bench:
    def __init__(self, folder: Path, *, answerable: bool = True) -> None:
        self.events: list[Event] = []
        self.book = RuleBook(Rules())
        self.store = RuleStore(Home(folder / "config", folder, folder), folder)
        self.broker = Broker(self.events.append, self.book, self.store, answerable=answerable)

    async def ask(self, call_id: str = "1", verdict: Verdict = MAKE) -> asyncio.Task[Asked]:
        call = ToolCall(call_id, "bash", '{"command":"make"}')
        task = asyncio.create_task(self.broker.ask(call, "make", verdict, Preview(command="make")))
        await asyncio.sleep(0)
        return task

    @property
    def asked(self) -> list[ApprovalAsked]:
        return [event for event in self.events if isinstance(event, ApprovalAsked)]

    @property
    def answered(self) -> list[tuple[str, bool, str, str]]:
        return [(event.call_id, event.allowed, event.scope, event.by) for event in self.events
                if isinstance(event, ApprovalAnswered)]  # fmt: skip

    def remembered(self) -> list[str]:
        return [rule.text for rule in self.book.allow]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_question_and_its_answer(bench: Bench) -> None:
    task = await bench.ask()
    (question,) = bench.asked
    assert question == ApprovalAsked(
        approval=question.approval,
        call_id="1",
        name="bash",
        summary="make",
        reason="the mode is ask",
        preview=Preview(command="make"),
        segments=("make",),
        suggestion="bash(make)",
        scopes=("once", "session", "project", "user"),
    )
    bench.broker.answer(Answer("unknown", True))
    assert not task.done()
    bench.broker.answer(Answer(question.approval, False, "session", "rather not"))
    bench.broker.answer(Answer(question.approval, True))
    assert await task == Asked(False, "once", "rather not")
    assert bench.events[1:] == [
        ApprovalAnswered(approval=question.approval, call_id="1", allowed=False, note="rather not")
    ]
    assert bench.remembered() == []


async def test_nobody_there_is_no_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answerable=False)
    assert await (await bench.ask()) == Asked(False)
    assert bench.events == []


@pytest.mark.parametrize("scope", ["once", "session", "project", "user"])
async def test_what_is_allowed_is_remembered_as_long_as_was_said(bench: Bench, scope: str, tmp_path: Path) -> None:
    task = await bench.ask()
    bench.broker.answer(Answer(bench.asked[0].approval, True, scope))  # type: ignore[arg-type]
    assert await task == Asked(True, scope)
    assert bench.remembered() == ([] if scope == "once" else ["bash(make)"])
    later, elsewhere = RuleBook(Rules()), RuleBook(Rules())
    bench.store.recall(later)
    RuleStore(Home(tmp_path / "config", tmp_path, tmp_path), tmp_path / "other").recall(elsewhere)
    assert len(later.allow) == (scope in ("project", "user"))
    assert len(elsewhere.allow) == (scope == "user")


async def test_one_answer_for_all_that_wait_for_the_same(bench: Bench) -> None:
    first, second, other = await bench.ask("1"), await bench.ask("2"), await bench.ask("3", UNIQUE)
    bench.broker.answer(Answer(bench.asked[0].approval, True, "session"))
    assert (await first, await second) == (Asked(True, "session"), Asked(True, "session"))
    assert not other.done()
    assert await (await bench.ask("4")) == Asked(True, "session")
    assert bench.answered == [("1", True, "session", "user"), ("2", True, "session", "user")]
    bench.broker.close()
    await other


async def test_once_is_for_one(bench: Bench) -> None:
    first, second = await bench.ask("1"), await bench.ask("2")
    bench.broker.answer(Answer(bench.asked[1].approval, True))
    assert await second == Asked(True)
    assert not first.done()
    bench.broker.close()
    assert await first == Asked(False)
    assert bench.answered == [("2", True, "once", "user"), ("1", False, "once", "withdrawn")]
    assert await (await bench.ask("3")) == Asked(False)
    assert len(bench.asked) == 2


async def test_a_scope_that_was_not_offered_counts_as_once(bench: Bench) -> None:
    task = await bench.ask(verdict=UNIQUE)
    assert bench.asked[0].scopes == ("once",)
    bench.broker.answer(Answer(bench.asked[0].approval, True, "user"))
    assert await task == Asked(True)
    assert bench.remembered() == []


async def test_a_cancelled_call_withdraws_its_question(bench: Bench) -> None:
    task = await bench.ask()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.answered == [("1", False, "once", "withdrawn")]
    bench.broker.answer(Answer(bench.asked[0].approval, True, "session"))
    assert bench.remembered() == []


async def test_an_answer_in_the_moment_of_the_cancellation_is_too_late(bench: Bench) -> None:
    task = await bench.ask()
    task.cancel()
    bench.broker.answer(Answer(bench.asked[0].approval, True))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(bench.answered) == 1


async def test_a_store_that_cannot_be_written_leaves_it_at_the_session(bench: Bench) -> None:
    bench.store.file.parent.write_text("a file", "utf-8")
    task = await bench.ask()
    bench.broker.answer(Answer(bench.asked[0].approval, True, "user"))
    assert await task == Asked(True, "user")
    assert bench.remembered() == ["bash(make)"]
    assert [type(event) for event in bench.events] == [ApprovalAsked, ApprovalAnswered, Notice]
