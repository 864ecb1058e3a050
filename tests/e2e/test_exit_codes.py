"""Every row of the table of exit codes, as a script would meet it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Claw
from tests.fakes.model_server import Answer, ModelServer, Request, broken, call, say, status

ECHO = call(("bash", {"command": "echo hi"}))
HANG = call(("bash", {"command": "touch started; sleep 60; touch survived"}))
FAST_RETRY = {"CLAW_RETRY_ATTEMPTS": "2", "CLAW_RETRY_BASE_S": "0.01"}


def for_ever(answer: Answer) -> ModelServer:
    return ModelServer(lambda request: answer)


def test_0_done(claw: Claw) -> None:
    with ModelServer([say("Hello.")]) as server:
        done = claw.exec(server, "hi")
    assert (done.code, done.json["status"]) == (0, "done")


def test_1_the_host_refuses(claw: Claw) -> None:
    with ModelServer([status(400, "invalid_request_error", "no such field")]) as server:
        done = claw.exec(server, "hi")
    assert (done.code, done.json["status"]) == (1, "error")
    assert "no such field" in done.json["error"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [401, 403])
def test_1_a_refused_key_is_not_tried_again(claw: Claw, code: int) -> None:
    with for_ever(status(code, "invalid_authentication_error", "Invalid key")) as server:
        done = claw.exec(server, "hi", CLAW_API_KEY="sk-wrong-key-0123456789")
    assert (done.code, len(server.requests)) == (1, 1)
    assert "sk-wrong-key" not in done.stdout + done.stderr


def test_1_an_empty_quota_is_not_tried_again(claw: Claw) -> None:
    with for_ever(status(429, "exceeded_current_quota_error", "your account balance is empty")) as server:
        done = claw.exec(server, "hi")
    assert (done.code, len(server.requests)) == (1, 1)


def test_1_the_same_failing_call_again_and_again(claw: Claw) -> None:
    with for_ever(call(("read", {"path": "absent.py"}))) as server:
        done = claw.exec(server, "hi")
    assert done.code == 1
    assert "same failing read call" in done.json["error"]
    assert len(server.requests) < 12


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["exec", "hi"], "MOONSHOT_API_KEY"),
        (["exec", "--host", "nowhere", "hi"], "'nowhere'"),
        (["exec", "--model", "gpt-9", "hi"], "gpt-9"),
        (["exec", "--mode", "yolo", "hi"], "auto-edit"),
        (["exec", "--max-turns", "0", "hi"], "must be more than 0"),
        (["exec", "--max-time", "soon", "hi"], "not a duration"),
        (["exec", "--cwd", "/no/such", "hi"], "no such folder"),
        (["exec", "--resume", "20200101-000000-abcd", "hi"], "20200101-000000-abcd"),
        (["exec", "--nope", "hi"], "--nope"),
        (["exec", "--api-key", "sk-1", "hi"], "can be read by every process"),
        (["exec"], "no prompt"),
        (["exec", "--replay", "/no/such.jsonl"], "/no/such.jsonl"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_2_usage(claw: Claw, args: list[str], complaint: str) -> None:
    environ = {"MOONSHOT_API_KEY": "k" * 20} if {"--model", "--host", "--resume"} & {*args} else {}
    done = claw.run(*args, **environ)
    assert done.code == 2, done.stderr
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_2_a_missing_key_is_one_line(claw: Claw) -> None:
    assert len(claw.run("exec", "hi").stderr.splitlines()) == 1


def test_2_json_is_json_also_for_usage(claw: Claw) -> None:
    done = claw.run("exec", "--output-format", "json", "hi")
    assert (done.code, done.json["status"], done.json["session"]) == (2, "usage", None)


def test_3_blocked(claw: Claw) -> None:
    with ModelServer([say("I looked.\nBLOCKED: the database password is missing")]) as server:
        done = claw.exec(server, "hi")
    assert (done.code, done.json["error"]) == (3, "blocked: the database password is missing")


@pytest.mark.parametrize(
    ("args", "tool", "arguments"),
    [
        (["--mode", "read-only"], "write", {"path": "made", "content": "x"}),
        (["--mode", "ask"], "bash", {"command": "touch made"}),
        (["--deny", "bash(touch *)"], "bash", {"command": "true && touch made"}),
        (["--mode", "ask"], "write", {"path": "made", "content": "x"}),
        ([], "write", {"path": "/usr/made", "content": "x"}),
        ([], "write", {"path": ".git/hooks/pre-commit", "content": "x"}),
    ],
)
def test_4_denied(claw: Claw, args: list[str], tool: str, arguments: dict[str, str]) -> None:
    with ModelServer([call((tool, arguments)), say("I could not.")]) as server:
        done = claw.exec(server, *args, "hi")
    assert (done.code, done.json["status"]) == (4, "denied")
    assert "denied: " in server.requests[1].messages[-1]["content"]
    assert not (claw.repository / "made").exists()
    assert not Path("/usr/made").exists()


def test_a_folder_that_was_added_may_be_written(claw: Claw, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / "made"
    with ModelServer([call(("write", {"path": str(path), "content": "x"})), say("Done.")]) as server:
        done = claw.exec(server, "--add-dir", str(tmp_path / "other"), "hi")
    assert (done.code, path.read_text()) == (0, "x")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["--max-turns", "3"], "limit reached: 3 turns"),
        (["--max-tokens", "300"], "limit reached: 360 of 300 tokens used"),
        (["--max-cost", "0.0003"], "spent"),
    ],
)
def test_5_limits(claw: Claw, args: list[str], error: str) -> None:
    with for_ever(ECHO) as server:
        done = claw.exec(server, *args, "hi")
    assert (done.code, done.json["status"]) == (5, "limit")
    assert error in done.json["error"]
    assert len(server.requests) == 3


def test_5_time_is_kept_in_the_middle_of_a_command(claw: Claw) -> None:
    with for_ever(HANG) as server:
        done = claw.exec(server, "--max-time", "2s", "hi")
    assert (done.code, done.json["error"]) == (5, "limit reached: 2 s")
    assert not (claw.repository / "survived").exists()


@pytest.mark.parametrize(
    "answer",
    [status(503, "server_error", "down"), status(429, "rate_limit_reached_error", "slow"), broken(200)],
    ids=["503", "429", "broken stream"],
)
def test_75_retry_later(claw: Claw, answer: Answer) -> None:
    with for_ever(answer) as server:
        done = claw.exec(server, "hi", **FAST_RETRY)
    assert (done.code, done.json["status"]) == (75, "retry_later")
    assert len(server.requests) == 2


def test_75_nobody_listens(claw: Claw) -> None:
    done = claw.run("exec", "--host", "http://127.0.0.1:9/v1", "--output-format", "json", "hi", **FAST_RETRY)
    assert (done.code, done.json["status"]) == (75, "retry_later")


def test_a_short_outage_is_ridden_out(claw: Claw) -> None:
    with ModelServer([status(503), broken(150), status(429, "rate_limit_reached_error"), say("Hello.")]) as server:
        done = claw.exec(server, "hi", CLAW_RETRY_BASE_S="0.01")
    assert (done.code, done.json["result"], len(server.requests)) == (0, "Hello.", 4)


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 143, "terminated")],
)
def test_signals_end_the_run_in_good_order(claw: Claw, number: signal.Signals, code: int, name: str) -> None:
    with for_ever(HANG) as server:
        done = claw.signalled(server, number, "hi")
    assert (done.code, done.json["status"]) == (code, name)
    assert not os.path.exists(claw.repository / "survived")


def test_no_half_call_is_ever_run(claw: Claw) -> None:
    def script(request: Request) -> Answer:
        return broken(end, canary) if len(server.requests) < 2 else say("Done.")

    canary = call(("bash", {"command": "touch canary"}))
    end = canary.body.index(b'"finish_reason":"tool_calls"')

    with ModelServer(script) as server:
        done = claw.exec(server, "hi", CLAW_RETRY_BASE_S="0.01")
    assert done.code == 0
    assert not (claw.repository / "canary").exists()


def test_6_the_answer_does_not_fit_the_schema(claw: Claw, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    with for_ever(say('{"n": "three"}')) as server:
        done = claw.exec(server, "--output-schema", str(schema), "hi")
    assert (done.code, done.json["status"], len(server.requests)) == (6, "schema", 3)
    assert "$.n: 'three' is not of type 'integer'" in done.json["error"]


def test_an_answer_that_fits_after_a_repair(claw: Claw, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}')
    with ModelServer([say("It is three."), say('```json\n{"n": 3}\n```')]) as server:
        done = claw.exec(server, "--output-schema", str(schema), "hi")
    assert (done.code, done.json["structured"]) == (0, {"n": 3})
