"""429 in its meanings, 5xx and broken streams, in the middle of a long run: each tried again, or not, as it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from claw.protocol import events
from tests.fakes.answers import Answer, broken, status
from tests.hosts.bench import drive
from tests.hosts.conversation import N_TURNS, final_answer
from tests.hosts.enforcing_server import Fault
from tests.hosts.rules import RULES

AFTER_S = 7.0
TRANSIENT = {
    "requests": ("rate_limit_reached_error", "Your account reached max request: 50, please try again after 1 seconds"),
    "concurrency": ("rate_limit_reached_error", "Your account reached max organization concurrency: 3"),
    "tokens": ("rate_limit_reached_error", "Your account reached organization TPM rate limit, current: 5, limit: 4"),
    "overloaded": ("rate_limit_error", "The engine is currently overloaded, please try again later"),
}
FINAL = {
    "quota": (
        429,
        "exceeded_current_quota_error",
        "You exceeded your current token quota: please check your account balance",
    ),
    "suspended": (429, "exceeded_current_quota_error", "Your account is suspended, please check your plan and billing"),
    "balance-403": (403, "permission_denied_error", "Your account has insufficient balance, please recharge"),
}


def instead(answer: Answer) -> Fault:
    return lambda _: answer


@pytest.mark.parametrize("told", [False, True], ids=["silent", "retry-after"])
@pytest.mark.parametrize("kind", TRANSIENT)
async def test_a_429_that_passes(kind: str, told: bool, tmp_path: Path) -> None:
    error_type, words = TRANSIENT[kind]
    refusal = status(429, error_type, words, {"Retry-After": f"{AFTER_S:g}"} if told else None)
    ended = await drive(RULES["moonshot"], tmp_path, faults={11: instead(refusal), 12: instead(refusal)})
    assert (ended.run.status, ended.run.structured) == ("done", final_answer())
    assert ended.run.n_turns == N_TURNS
    assert list(ended.slept_s) == ([AFTER_S, AFTER_S] if told else [0.5, 1.0])
    retries = [event for event in ended.seen if isinstance(event, events.RetryScheduled)]
    assert [retry.attempt for retry in retries] == [1, 2]
    assert all(words.split(",")[0] in retry.reason for retry in retries)
    assert ended.server.requests[11].raw == ended.server.requests[13].raw


@pytest.mark.parametrize("kind", FINAL)
async def test_a_429_that_does_not(kind: str, tmp_path: Path) -> None:
    code, error_type, words = FINAL[kind]
    ended = await drive(RULES["moonshot"], tmp_path, faults={11: instead(status(code, error_type, words))})
    assert ended.run.status == "error"
    assert words.split(",")[0] in str(ended.run.error)
    assert "no balance or quota left" in str(ended.run.error)
    assert ended.slept_s == []
    assert ended.host.n_requests == 12


@pytest.mark.parametrize("code", [500, 502, 503, 504, 529])
async def test_5xx(code: int, tmp_path: Path) -> None:
    faults = {5: instead(status(code, "server_error", "oops")), 20: instead(status(code, "", ""))}
    ended = await drive(RULES["fireworks"], tmp_path, faults=faults)
    assert (ended.run.status, ended.run.structured) == ("done", final_answer())
    assert list(ended.slept_s) == [0.5, 0.5]


async def test_a_host_that_stays_down_is_given_up(tmp_path: Path) -> None:
    down = instead(status(503, "server_error", "maintenance"))
    ended = await drive(RULES["baseten"], tmp_path, faults=dict.fromkeys(range(9, 99), down))
    assert ended.run.status == "retry_later"
    assert "Gave up after 4 attempts" in str(ended.run.error)
    assert ended.run.n_turns == 10


@pytest.mark.parametrize("host", RULES)
async def test_a_stream_that_breaks_is_tried_again_and_no_tool_runs_twice(host: str, tmp_path: Path) -> None:
    """Each reply breaks once: after a few bytes, in the middle, and just before its finish reason."""

    def cut(turn: int) -> Fault:
        return lambda answer: broken((10, 400, answer.body.rindex(b'"finish_reason":"'))[turn % 3], answer)

    faults = {2 * turn: cut(turn) for turn in range(N_TURNS)}
    ended = await drive(RULES[host], tmp_path, faults=faults)
    assert (ended.run.status, ended.run.structured) == ("done", final_answer())
    assert ended.host.model.complaints == []
    assert ended.host.n_requests == 2 * N_TURNS
    requests = ended.server.requests
    assert all(requests[2 * turn].raw == requests[2 * turn + 1].raw for turn in range(N_TURNS))
    started = [event.call_id for event in ended.seen if isinstance(event, events.ToolStarted)]
    assert len(started) == ended.run.n_tool_calls
