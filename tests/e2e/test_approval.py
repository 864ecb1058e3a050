"""Questions go out as events, and answers come in as ops."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.e2e.conftest import Claw
from tests.fakes.model_server import ModelServer, call, say


def converse(claw: Claw, server: ModelServer, answers: list[dict[str, Any]], *args: str) -> list[dict[str, Any]]:
    """Give the prompt, answer each question with the next of `answers`, and return all events."""
    process = claw.start(
        *("exec", "--host", server.url, "--input-format", "stream-json", "--output-format", "stream-json", *args),
        stdin=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout

    def send(op: dict[str, Any]) -> None:
        assert process.stdin
        process.stdin.write(json.dumps(op) + "\n")
        process.stdin.flush()

    send({"type": "user_turn", "content": "go"})
    waiting, seen = iter(answers), []
    for line in process.stdout:
        event = json.loads(line)
        seen.append(event)
        if event["type"] == "approval_asked":
            send({"type": "answer", "approval": event["approval"], **next(waiting)})
        if event["type"] == "run_finished":
            process.stdin.close()
            break
    seen += [json.loads(line) for line in process.stdout]
    assert process.wait(30) is not None
    process.stdout.close()
    assert process.stderr
    process.stderr.close()
    return seen


def of(kind: str, seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in seen if event["type"] == kind]


def test_a_yes_for_the_session_is_asked_for_once(claw: Claw) -> None:
    command = ("bash", {"command": "touch made && echo done"})
    with ModelServer([call(command), call(command), say("Done.")]) as server:
        seen = converse(claw, server, [{"allow": True, "scope": "session"}], "--mode", "ask")
    (asked,) = of("approval_asked", seen)
    assert asked["preview"]["command"] == "touch made && echo done"
    assert asked["preview"]["cwd"] == str(claw.repository)
    assert asked["segments"] == ["touch made"]
    assert [answer["scope"] for answer in of("approval_answered", seen)] == ["session"]
    assert [finished["is_error"] for finished in of("tool_finished", seen)] == [False, False]
    assert of("run_finished", seen)[0]["status"] == "done"


def test_a_no_comes_with_a_word_for_the_model(claw: Claw) -> None:
    change = ("write", {"path": "made.txt", "content": "one\n"})
    with ModelServer([call(change), say("I did not.")]) as server:
        seen = converse(claw, server, [{"allow": False, "note": "call it other.txt"}], "--mode", "ask")
    (asked,) = of("approval_asked", seen)
    assert "+one\n" in asked["preview"]["changes"][0]["diff"]
    (finished,) = of("tool_finished", seen)
    assert finished["denied"]
    assert "They say: call it other.txt" in server.requests[1].messages[-1]["content"]
    assert not (claw.repository / "made.txt").exists()


def test_an_answer_for_the_project_counts_in_the_next_session(claw: Claw) -> None:
    command = ("bash", {"command": "touch made"})
    with ModelServer([call(command), say("Done.")]) as server:
        converse(claw, server, [{"allow": True, "scope": "project"}], "--mode", "ask")
    with ModelServer([call(command), say("Done.")]) as server:
        done = claw.exec(server, "--mode", "ask", "again")
    assert (done.code, done.json["status"]) == (0, "done")
    assert not (claw.repository / ".claw").exists()
