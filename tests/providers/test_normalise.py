"""What is replaced before two runs are compared, and what is not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.providers.normalise import Normaliser

HERE = Normaliser(Path("/home/ada/demo"), Path("/home/ada"), Path("/tmp"))
HASH = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
BLOB = "/home/ada/.local/state/claw/sessions/20261123-193436-a1b2/blobs/" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ada/demo/a.py /home/ada/x", "{cwd}/a.py {home}/x"),
        ("in /home/ada/demo.", "in {cwd}."),
        ("/home/ada/demo2 /home/ada/demo-x /home/ada/demo.bak", "{home}/demo2 {home}/demo-x {home}/demo.bak"),
        ("file:///home/ada/demo/x", "file://{cwd}/x"),
        ("/srv/home/ada/demo", "/srv/home/ada/demo"),
        ("/tmp/tmpab12_x/a /tmp/pytest-of-ada/pytest-12/x", "{tmp}/{name}/a {tmp}/{name}/x"),
        (f"the whole is in {BLOB}]", "the whole is in {blob}]"),
        ("session 20261123-193436-a1b2", "session {session}"),
        ("0.03s 12 ms 1.5 seconds 0m0.012s 17µs", "{duration} {duration} {duration} {duration} {duration}"),
        ("Ran 3 tests in 0.003s", "Ran 3 tests in {duration}"),
        ("done in 2 seconds, Time: 1 s", "done in {duration}, Time: {duration}"),
        ("sleep 10s; timeout=60; v0.03s; 3 items; 5 s", "sleep 10s; timeout=60; v0.03s; 3 items; 5 s"),
        ("==== 2 passed in 0.03s ====", "==== 2 passed in {duration} ===="),
        ("======= 2 passed in 10.03s (0:00:10) =======", "==== 2 passed in {duration} (0:00:10) ===="),
        ("2026-11-23T19:34:36.12Z 2026-11-23 19:34:36 +0100", "{time} {time}"),
        ("Date:   Mon Nov 23 19:34:36 2026 +0000", "Date:   {time}"),
        ("Mon, 23 Nov 2026 19:34:36 GMT", "{time}"),
        ("-rw-r--r-- 1 ada ada 12 Nov 23 19:34 a.py", "-rw-r--r-- 1 ada ada 12 {time} a.py"),
        ("3 minutes ago", "{ago}"),
        ("spent on 2026-11-23: 12.50", "spent on 2026-11-23: 12.50"),
        (f"commit {HASH}\nMerge: 1a2b3c4 5d6e7f8", "commit {commit}\nMerge: {commit}"),
        ("[main 1a2b3c4] repair", "[main {commit}] repair"),
        ("[main (root-commit) 1a2b3c4] start", "[main (root-commit) {commit}] start"),
        ("index 1a2b3c4..5d6e7f8 100644", "index {commit}..{commit} 100644"),
        ("* 1a2b3c4 (HEAD -> main) repair", "* {commit} (HEAD -> main) repair"),
        ("HEAD is now at 1a2b3c4 repair", "HEAD is now at {commit} repair"),
        ("the colour is deadbeef, 12345678 items", "the colour is deadbeef, 12345678 items"),
        ("<A object at 0x7f12> 0x7f1234567890 0xff", "<A object at {address}> {address} 0xff"),
        ("pid 123, PID=45 (process 9) [1] 77", "pid {pid}, PID={pid} (process {pid}) [1] 77"),
        ("[1] 4711", "[1] {pid}"),
        ("==4711== lost", "=={pid}== lost"),
    ],
)
def test_only_what_differs_by_nature_is_replaced(text: str, expected: str) -> None:
    assert HERE.normalise(text) == expected


def test_the_root_is_never_replaced() -> None:
    assert Normaliser(Path("/"), Path("/"), Path("/")).normalise("/etc/x / y") == "/etc/x / y"


@pytest.mark.parametrize(
    "text", ["x" * 200_000, "=" * 200_000, "1" * 200_000, "[" * 200_000, "/" * 200_000, "a " * 100_000]
)
def test_long_odd_text_takes_no_long_time(text: str) -> None:
    started = time.process_time()
    HERE.normalise(text)
    assert time.process_time() - started < 2


paths = st.sampled_from(
    ["/home/ada/demo", "/home/ada/demo/x.py", "{{claw:", "{{claw:cwd}}", "{{claw:open}}", '"', "\\", "\n"]
)
texts = st.lists(paths | st.text(max_size=5)).map("".join)


@given(texts)
def test_the_folder_can_be_taken_out_and_put_back(text: str) -> None:
    assert HERE.put_cwd_in(HERE.take_cwd_out(text)) == text


@given(st.recursive(texts | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_arguments_come_back_as_they_were(value: object) -> None:
    arguments = json.dumps(value)
    taken = HERE.take_cwd_out_of_json(arguments)
    assert json.loads(HERE.put_cwd_into_json(taken)) == value
    if "/home/ada/demo" not in arguments and "{{claw:" not in arguments:
        assert taken == arguments


def test_a_folder_after_an_escape_in_json_is_found() -> None:
    arguments = json.dumps({"command": "cd x\n/home/ada/demo/run"})
    there = Normaliser(Path("/srv/b"))
    moved = there.put_cwd_into_json(HERE.take_cwd_out_of_json(arguments))
    assert json.loads(moved) == {"command": "cd x\n/srv/b/run"}


def test_arguments_that_are_no_json_are_text() -> None:
    assert HERE.take_cwd_out_of_json('{"path": "/home/ada/demo/x') == '{"path": "{{claw:cwd}}/x'


def test_half_a_surrogate_pair_stays_an_escape() -> None:
    taken = HERE.take_cwd_out_of_json('{"a": "\\ud800", "b": "/home/ada/demo"}')
    assert json.loads(taken) == {"a": "\ud800", "b": "{{claw:cwd}}"}
    assert taken.isascii()
