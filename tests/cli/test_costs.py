"""`claw sessions show ID --cost`, through the typer app."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from claw.cli.sessions import app
from claw.errors import UsageError
from claw.paths import find_home
from claw.protocol import events as ev
from claw.protocol.messages import AssistantMessage, ToolCall, Usage, UserMessage, as_content
from claw.session.base import SessionFolder
from claw.session.store import SessionStore
from tests.session.arbitrary import keep

CALL = ToolCall("x", "ba\x1bsh", "a" * 95)
HISTORY: list[ev.Event] = [
    ev.RunStarted(run=1),
    ev.UserMessageAdded(message=UserMessage(as_content("repair it"))),
    ev.TurnStarted(turn=1),
    ev.ReplyFinished(message=AssistantMessage("w" * 100, None, (CALL,)), finish_reason="tool_calls"),
    ev.UsageReported(usage=Usage(1000, 0, 100, 0), cost_usd=0.00135),  # the price of Kimi K2.6
    ev.ToolFinished(call_id="x", name=CALL.name, content=as_content("r" * 200), is_error=True),
    ev.TurnStarted(turn=2),
    ev.ReplyFinished(message=AssistantMessage("done"), finish_reason="stop"),
    ev.UsageReported(usage=Usage(1400, 1000, 50, 0), cost_usd=0.00074, reported=False),
    ev.RunFinished(run=1, status="done"),
    ev.RunStarted(run=2),
]


def _run(home: Path, *argv: str) -> Result:
    return CliRunner().invoke(app, ["show", *argv], env={"CLAW_HOME": str(home)})


def _session(home: Path, history: list[ev.Event]) -> SessionFolder:
    folder = SessionStore(find_home({"CLAW_HOME": str(home)})).create(home)
    for seq, event in enumerate(history):
        event.session, event.seq, event.ts = folder.id, seq, 1_795_462_476.0
    keep(folder, *history)
    return folder


def test_the_table(tmp_path: Path) -> None:
    result = _run(tmp_path, _session(tmp_path, HISTORY).id, "--cost")
    assert (result.exit_code, result.exception) == (0, None)
    assert result.stdout.splitlines() == [
        "RUN  STATUS      TURNS  FRESH  CACHED   HIT   OUT  THINKING      COST",
        "1    done            2  ~1400   ~1000  ~42%  ~150        ~0  ~$0.0021",
        "2    unfinished      0      0       0    0%     0         0   $0.0000",
        "all                  2  ~1400   ~1000  ~42%  ~150        ~0  ~$0.0021",
        "",
        "TOOL            CALLS  ERRORS   IN  OUT     COST  SHARE",
        "ba\\x1bsh            1       1  200   50  $0.0004    19%",
        "(conversation)                           $0.0017    81%",
        "",
        "next turn: about 1451 in (1400 cached), 75 out, $0.0006",
        "",
        "~ the host reported no usage for 1 of 2 requests: estimated",
    ]


def test_as_json(tmp_path: Path) -> None:
    result = _run(tmp_path, _session(tmp_path, HISTORY).id, "--cost", "--json")
    (line,) = result.stdout.splitlines()
    record = json.loads(line)
    assert line.isascii()
    assert list(record) == ["total", "runs", "turns", "tools", "conversation_usd", "forecast"]
    assert record["total"] == {
        "usage": {"input": 2400, "cached": 1000, "output": 150, "reasoning": 0},
        "cost_usd": pytest.approx(0.00209),
        "n_requests": 2,
        "n_estimated": 1,
        "fresh": 1400,
        "cache_share": pytest.approx(1000 / 2400),
    }
    assert [(turn["turn"], turn["cost"]["fresh"], turn["cost"]["n_estimated"]) for turn in record["turns"]] == [
        *((1, 1000, 0), (2, 400, 1)),
    ]
    (tool,) = record["tools"]
    assert tool["cost_usd"] == pytest.approx((50 * 4.00 + 200 * 0.95) / 1e6)
    assert tool["cost_usd"] + record["conversation_usd"] == pytest.approx(0.00209)


def test_an_empty_session_and_an_unknown_price(tmp_path: Path) -> None:
    assert _run(tmp_path, _session(tmp_path, []).id, "--cost").stdout.splitlines()[1].split() == [
        *("all", "0", "0", "0", "0%", "0", "0", "$0.0000"),
    ]
    unknown = [*HISTORY[:4], ev.UsageReported(usage=Usage(1, 0, 1), cost_usd=None)]
    lines = _run(tmp_path, _session(tmp_path, unknown).id, "--cost").stdout.splitlines()
    assert lines[1].split()[-1] == "unknown"
    assert lines[-1].endswith("out, unknown")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [(["--json"], "--json goes with --cost"), (["--events", "--cost"], "--events and --cost show different things")],
)
def test_options_that_do_not_go_together(tmp_path: Path, argv: list[str], complaint: str) -> None:
    result = _run(tmp_path, _session(tmp_path, []).id, *argv)
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(complaint)
