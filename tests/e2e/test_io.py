"""What goes in and what comes out: stdin, formats, steering, sessions that go on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.e2e.conftest import Claw, wait_for
from tests.fakes.model_server import ModelServer, call, say, slow


def user_messages(server: ModelServer, request: int = -1) -> list[str]:
    return [m["content"] for m in server.requests[request].messages if m["role"] == "user"]


def test_stdin_is_appended_to_the_prompt(claw: Claw) -> None:
    with ModelServer([say("Seen.")]) as server:
        done = claw.exec(server, "explain", stdin="Traceback: boom\n")
    assert done.json["result"] == "Seen."
    assert user_messages(server)[0].startswith("explain\n\n<stdin>\nTraceback: boom\n")


def test_a_dash_makes_stdin_the_prompt(claw: Claw) -> None:
    with ModelServer([say("Seen.")]) as server:
        claw.exec(server, "-", stdin="do this")
    assert user_messages(server)[0].startswith("do this\n\n<context>\nDate: ")


def test_a_pipe_that_nobody_writes_to_does_not_hang(claw: Claw) -> None:
    with ModelServer([say("Hello.")]) as server:
        process = claw.start("exec", "--host", server.url, "hi", stdin=subprocess.PIPE)
        wait_for(lambda: process.poll() is not None)
        done = claw.finish(process)
    assert done.stdout == "Hello.\n"
    assert "nothing on stdin" in done.stderr


def test_text_in_a_pipe_is_the_answer_alone(claw: Claw, tmp_path: Path) -> None:
    with ModelServer([call(("bash", {"command": "echo noise"})), say("The answer.")]) as server:
        done = claw.exec(server, "hi", "--output-format", "text", "--output-last-message", str(tmp_path / "last"))
    assert done.stdout == "The answer.\n"
    assert done.stderr == "claw: tests: none were run\n"
    assert (tmp_path / "last").read_text() == "The answer."


def test_p_is_short_for_exec(claw: Claw) -> None:
    with ModelServer([say("Hello.")]) as server:
        assert claw.run("-p", "hi", "--host", server.url).stdout == "Hello.\n"


def test_stream_json_is_the_run_event_by_event(claw: Claw) -> None:
    with ModelServer([call(("bash", {"command": "echo hi"}), reasoning="hm"), say("Done.")]) as server:
        done = claw.exec(server, "go", "--output-format", "stream-json")
    kinds = [event["type"] for event in done.events]
    assert kinds[0] == "session_started"
    assert kinds[-2:] == ["run_finished", "session_ended"]
    assert list(done.events[0])[:4] == ["type", "session", "seq", "ts"]
    kept = [
        event["seq"] for event in done.events if not event["type"].endswith("_delta") and event["type"] != "tool_output"
    ]
    assert kept == list(range(len(kept)))
    assert done.of("reasoning_delta")[0]["text"]
    assert done.events[0]["sandbox"] in ("bubblewrap", "landlock", "seatbelt")


def test_ops_come_in_on_stdin_and_steer_in_the_middle(claw: Claw) -> None:
    script = [call(("bash", {"command": "touch started; sleep 1"})), say("Steered.")]
    with ModelServer(script) as server:
        process = claw.start(
            "exec", "--host", server.url, "--input-format", "stream-json", "--output-format", "stream-json",
            stdin=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write('{"type": "user_turn", "content": [{"type": "text", "text": "go"}]}\nnot an op\n')
        process.stdin.flush()
        wait_for(lambda: (claw.repository / "started").exists())
        process.stdin.write('{"type": "steer", "content": "mind the gap"}\n')
        done = claw.finish(process)
    assert done.code == 0
    assert user_messages(server)[-1] == "mind the gap"
    assert [event["source"] for event in done.of("user_message_added")] == ["user", "steer"]
    assert "not an op" in done.of("notice")[0]["text"]
    assert len(done.of("run_finished")) == 1


def test_several_turns_on_stdin_are_several_runs(claw: Claw) -> None:
    ops = "".join(json.dumps({"type": "user_turn", "content": text}) + "\n" for text in ("one", "two"))
    with ModelServer([say("1"), say("2")]) as server:
        done = claw.exec(
            server, "--input-format", "stream-json", "--output-format", "stream-json", stdin=ops
        )  # fmt: skip
    assert [event["result"] for event in done.of("run_finished")] == ["1", "2"]


def test_an_interrupt_op_ends_a_run_and_the_next_one_works(claw: Claw) -> None:
    script = [call(("bash", {"command": "touch started; sleep 60"})), say("Back.")]
    with ModelServer(script) as server:
        process = claw.start(
            "exec", "--host", server.url, "--input-format", "stream-json", "--output-format", "stream-json",
            stdin=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write('{"type": "user_turn", "content": "go"}\n')
        process.stdin.flush()
        wait_for(lambda: (claw.repository / "started").exists())
        process.stdin.write('{"type": "interrupt"}\n{"type": "user_turn", "content": "again"}\n')
        done = claw.finish(process)
    assert [event["status"] for event in done.of("run_finished")] == ["interrupted", "done"]


def test_no_turn_at_all_is_not_a_success(claw: Claw) -> None:
    with ModelServer() as server:
        done = claw.exec(server, "--input-format", "stream-json", stdin="")
    assert done.code == 2


def test_a_session_goes_on_after_an_ordinary_exit(claw: Claw) -> None:
    with ModelServer([call(("bash", {"command": "echo remembered"})), say("First.")]) as server:
        first = claw.exec(server, "one")
        before = server.requests[-1].raw
        server.script = [say("Second.")]
        second = claw.exec(server, "--resume", first.json["session"], "two")
        server.script = [say("Third.")]
        third = claw.exec(server, "--continue", "three")
    assert [done.json["session"] for done in (second, third)] == [first.json["session"]] * 2
    roles = [message["role"] for message in server.requests[-1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user", "assistant", "user"]
    assert third.json["result"] == "Third."
    # The same bytes as before, so that the host's cache still holds.
    sent = server.requests[-1].raw
    kept = before[: before.rindex(b'],"tools"')]
    assert b"remembered" in kept
    assert sent.startswith(kept)


def test_sessions_are_listed_shown_exported_and_deleted(claw: Claw) -> None:
    with ModelServer([call(("bash", {"command": "echo remembered"})), say("All done.")]) as server:
        session = claw.exec(server, "tidy up").json["session"]
    assert session in claw.run("sessions", "list").stdout
    (listed,) = claw.run("sessions", "list", "--json").events
    assert (listed["id"], listed["title"], listed["status"]) == (session, "tidy up", "done")
    assert "tidy up" in claw.run("sessions", "show", session).stdout
    exported = claw.run("sessions", "export", session).stdout
    assert "remembered" in exported
    assert "All done." in exported
    assert claw.run("sessions", "delete", session, "--yes").code == 0
    assert claw.run("sessions", "show", session).code == 2


def test_deltas_arrive_as_they_are_streamed(claw: Claw) -> None:
    with ModelServer([slow(say("one two three", n_pieces=3), 0.2)]) as server:
        process = claw.start("exec", "--host", server.url, "--output-format", "stream-json", "hi")
        assert process.stdout
        for line in process.stdout:
            if json.loads(line)["type"] == "text_delta":
                break
        assert server.requests[0].answered_s == 0.0
        claw.finish(process)
