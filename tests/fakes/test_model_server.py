"""The fake server itself, seen by a plain blocking client."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.answers import DONE, Answer, answer_from, chunk
from tests.fakes.model_server import ModelServer, broken, call, hang, raw, say, slow, status


def _post(connection: http.client.HTTPConnection, body: object) -> http.client.HTTPResponse:
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    return connection.getresponse()


def test_answers_in_order_on_one_connection_and_keeps_the_requests() -> None:
    with ModelServer([say("one"), status(429, "rate_limit_reached_error", headers={"Retry-After": "3"})]) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        first = _post(connection, {"n": 1, "messages": [{"role": "user", "content": "ü"}]})
        assert (first.status, first.headers["Transfer-Encoding"]) == (200, "chunked")
        assert first.read().endswith(DONE)
        second = _post(connection, {"n": 2})
        assert (second.status, second.headers["Retry-After"]) == (429, "3")
        assert json.loads(second.read()) == {"error": {"message": "no", "type": "rate_limit_reached_error"}}
        third = _post(connection, {"n": 3})
        assert third.status == 400
        third.read()
        connection.close()
    one, two, three = server.requests
    assert [request.body["n"] for request in server.requests] == [1, 2, 3]
    assert one.messages == [{"role": "user", "content": "ü"}]
    assert (one.method, one.target, one.headers["content-type"]) == ("POST", "/v1/chat/completions", "application/json")
    assert {request.connection for request in server.requests} == {0}
    assert one.first_byte_s <= one.complete_s <= one.answered_s <= two.first_byte_s <= three.complete_s


def test_a_callable_sees_the_request() -> None:
    with ModelServer(lambda request: say(request.body["word"], n_pieces=1)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        assert b"parrot" in _post(connection, {"word": "parrot"}).read()
        connection.close()


def test_a_large_body_arrives_whole() -> None:
    with ModelServer([say("ok")]) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        _post(connection, {"text": "x" * 3_000_000}).read()
        connection.close()
    assert len(server.requests[0].body["text"]) == 3_000_000


def test_broken_cuts_the_body() -> None:
    with ModelServer([broken(30)]) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        response = _post(connection, {})
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
        assert len(caught.value.partial) == 30
        response.close()
        connection.close()


def test_hang_notices_that_the_client_left() -> None:
    with ModelServer([hang(60)]) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/v1/chat/completions", "{}")
        server.wait_for_requests(1)
        with pytest.raises(TimeoutError, match="1 of 2"):
            server.wait_for_requests(2, timeout_s=0.01)
        connection.close()
        assert server.requests[0].dropped.wait(5)


def test_leaving_ends_a_hanging_answer_at_once() -> None:
    started = time.monotonic()
    with ModelServer([hang(60, after_bytes=10)]) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        response = _post(connection, {})
        assert response.read(10)
    response.close()
    connection.close()
    assert time.monotonic() - started < 5


def test_constructors() -> None:
    assert say("ab", n_pieces=2, usage=None).body == b"".join(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "a"}),
            chunk({"content": "b"}),
            chunk({}, "stop"),
            DONE,
        ]
    )
    text = call(("f", {"x": 1}), ("g", "not json"), text="Go.", ids=["i", "j"]).body.decode()
    assert '"id":"i"' in text
    assert "not" in text
    assert '"usage":' in text
    assert slow(raw([b"a", b"b"]), 0.5).pieces == (b"a", 0.5, b"b", 0.5)
    assert raw(b"x", x_trace_id="t").headers["x-trace-id"] == "t"
    assert answer_from({"say": "hi", "reasoning": "hm"}) == say("hi", "hm")
    assert answer_from({"call": [["f", {}]]}) == call(("f", {}))
    assert answer_from({"raw": "aGk="}) == raw(b"hi")
    assert isinstance(answer_from({"status": 500}), Answer)
    with pytest.raises(ValueError, match="one of say"):
        answer_from({"sing": "la"})


def test_alone_in_a_process(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"say": "one"}\n{"say": "again", "n_pieces": 1}\n')
    root = Path(__file__).parents[2]
    command = [sys.executable, "-P", "-c", _ALONE, str(root), str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline().split(":")[2].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        bodies = [_post(connection, {}).read() for _ in range(3)]
        connection.close()
        process.stdin.close()
        figures = [json.loads(line) for line in process.stdout]
    assert [b"again" in body for body in bodies] == [False, True, True]
    assert [one["size_bytes"] for one in figures] == [2, 2, 2]


_ALONE = """
import runpy, sys
root, script = sys.argv[1:]
sys.path.insert(0, root)
sys.argv = ["model_server", script]
runpy.run_module("tests.fakes.model_server", run_name="__main__")
"""
