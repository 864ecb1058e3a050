"""Limits and guards, each driven through the real loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from claw.agent.budget import CostLimit, TimeLimit, TokenLimit, TurnLimit
from claw.agent.guards import RepeatedFailures, UnfinishedReplies
from claw.agent.middleware import Middleware
from claw.agent.verdict import SaidBlocked
from claw.protocol import events
from claw.protocol.messages import AssistantMessage, Usage
from claw.providers.base import Reply
from tests.agent.bench import AgentBench
from tests.fakes.provider import Step, call, say

NOTE = ("note", {"text": "a"})
FAIL = ("note", {"text": "a", "fail": True})


async def outcome(folder: Path, script: list[Step], *middleware: Middleware) -> tuple[str, str | None, int]:
    finished = await AgentBench(folder, script, middleware).work("go")
    return finished.status, finished.error, finished.n_turns


async def test_turn_limit(tmp_path: Path) -> None:
    script: list[Step] = [call(NOTE)] * 9
    assert await outcome(tmp_path, script, TurnLimit(3)) == ("limit", "limit reached: 3 turns", 3)


async def test_an_answer_in_the_last_turn_is_within_the_limit(tmp_path: Path) -> None:
    assert await outcome(tmp_path, [call(NOTE), say("Done.")], TurnLimit(2)) == ("done", None, 2)


async def test_cost_limit(tmp_path: Path) -> None:
    script: list[Step] = [call(NOTE, cost_usd=0.04)] * 9
    assert await outcome(tmp_path, script, CostLimit(0.1)) == ("limit", "limit reached: $0.1200 of $0.1 spent", 3)


async def test_an_unknown_price_cannot_keep_a_cost_limit(tmp_path: Path) -> None:
    status, error, n_turns = await outcome(tmp_path, [call(NOTE, cost_usd=None)] * 9, CostLimit(0.1))
    assert (status, n_turns) == ("limit", 1)
    assert error == "limit reached: an unknown amount of $0.1 spent"


async def test_token_limit(tmp_path: Path) -> None:
    script: list[Step] = [call(NOTE, usage=Usage(90, 80, 10))] * 9
    assert await outcome(tmp_path, script, TokenLimit(200)) == ("limit", "limit reached: 200 of 200 tokens used", 2)


async def test_time_limit_stops_a_running_tool(tmp_path: Path) -> None:
    bench: AgentBench

    limit = TimeLimit(0.1, lambda outcome: bench.agent.stop(outcome))
    bench = AgentBench(tmp_path, [call(("note", {"text": "a", "seconds": 30}))], [limit])
    finished = await bench.work("go")
    assert (finished.status, finished.error) == ("limit", "limit reached: 0.1 s")
    assert bench.tool.live == 0


async def test_the_same_failing_call_is_remarked_on_and_then_ends_the_run(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [call(FAIL)] * 9, [RepeatedFailures(remind_after=2, stop_after=4)])
    finished = await bench.work("go")
    assert (finished.status, finished.n_turns) == ("error", 4)
    assert finished.error == "stopped: the model made the same failing note call 4 times in a row (a cannot be done)"
    reminders = [event.message.text for event in bench.of(events.UserMessageAdded) if event.source == "reminder"]
    assert len(reminders) == 1
    assert "2 times in a row" in reminders[0]


async def test_a_success_between_starts_the_count_anew(tmp_path: Path) -> None:
    script: list[Step] = [call(FAIL), call(FAIL), call(NOTE), call(FAIL), call(FAIL), say("Done.")]
    assert await outcome(tmp_path, script, RepeatedFailures(remind_after=3, stop_after=3)) == ("done", None, 6)


async def test_eight_failures_in_one_reply_count_once(tmp_path: Path) -> None:
    script: list[Step] = [call(*[FAIL] * 8, ids=[str(i) for i in range(8)]), say("Done.")]
    assert await outcome(tmp_path, script, RepeatedFailures(remind_after=2, stop_after=2)) == ("done", None, 2)


def cut(text: str, finish_reason: str) -> Reply:
    return Reply(AssistantMessage(text), finish_reason, None, 0.0)


@pytest.mark.parametrize("unfinished", [cut("", "stop"), cut("  \n", "stop"), cut("I was about to", "length")])
async def test_an_unfinished_reply_is_asked_for_again(tmp_path: Path, unfinished: Reply) -> None:
    assert await outcome(tmp_path, [unfinished, say("Done.")], UnfinishedReplies()) == ("done", None, 2)
    status, error, n_turns = await outcome(tmp_path, [unfinished] * 9, UnfinishedReplies(max_reminders=2))
    assert (status, error, n_turns) == ("error", "the model gave no usable reply 3 times in a row", 3)


async def test_a_filtered_reply_is_an_error(tmp_path: Path) -> None:
    status, error, _ = await outcome(tmp_path, [cut("", "content_filter")], UnfinishedReplies())
    assert (status, error) == ("error", "the host's content filter stopped the reply")


@pytest.mark.parametrize("answer", ["BLOCKED: no key", "I tried.\n\n**BLOCKED:** no key", "> BLOCKED : no key"])
async def test_a_model_may_say_that_it_is_blocked(tmp_path: Path, answer: str) -> None:
    status, error, _ = await outcome(tmp_path, [say(answer)], SaidBlocked())
    assert (status, str(error).replace("*", "").replace(":  ", ": ")) == ("blocked", "blocked: no key")


async def test_the_word_in_passing_is_no_such_thing(tmp_path: Path) -> None:
    assert await outcome(tmp_path, [say("The port was BLOCKED: I freed it.")], SaidBlocked()) == ("done", None, 1)
