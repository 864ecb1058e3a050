"""Models that say more than was done, and what claw says instead."""

from __future__ import annotations

from tests.e2e.conftest import RUN_TESTS, Claw
from tests.e2e.test_repair import edit
from tests.fakes.model_server import Answer, ModelServer, Request, call, say

ALL_GREEN = say("All tests pass.")
READ = call(("read", {"path": "calc/add.py"}))
REPAIR = call(
    ("bash", {"command": "sed -i 's/a - b/a + b/' calc/add.py"}),
    ("bash", {"command": "sed -i 's/a + b/a * b/' calc/mul.py"}),
    ("bash", {"command": "sed -i 's,a // 2,a / 2,' calc/half.py"}),
)
TEST = call(("bash", {"command": RUN_TESTS}))


def test_no_test_was_run(claw: Claw) -> None:
    with ModelServer([ALL_GREEN]) as server:
        done = claw.exec(server, "go")
    assert done.json["tests"] == {
        "ran": False, "passed": None, "total": None, "failed": None, "command": None, "stale": False
    }  # fmt: skip


def test_the_last_run_failed(claw: Claw) -> None:
    with ModelServer([TEST, ALL_GREEN]) as server:
        done = claw.exec(server, "go")
    assert (done.code, done.json["status"]) == (7, "contradicted")
    assert done.json["tests"] == {
        "ran": True, "passed": False, "total": 3, "failed": 3, "command": RUN_TESTS, "stale": False
    }  # fmt: skip


def test_a_pipe_hides_the_exit_status(claw: Claw) -> None:
    with ModelServer([call(("bash", {"command": f"{RUN_TESTS} | tail -2"})), ALL_GREEN]) as server:
        done = claw.exec(server, "go")
    assert (done.code, done.json["tests"]["passed"]) == (7, False)


def test_a_pipe_hides_the_summary_too(claw: Claw) -> None:
    with ModelServer([call(("bash", {"command": f"{RUN_TESTS} | head -1"})), ALL_GREEN]) as server:
        done = claw.exec(server, "go")
    assert done.json["tests"]["ran"] is True
    assert done.json["tests"]["passed"] is not True


def test_the_model_prints_a_summary_itself(claw: Claw) -> None:
    lie = f"{RUN_TESTS} > /dev/null; echo '3 passed in 0.01s'"
    with ModelServer([call(("bash", {"command": lie})), ALL_GREEN]) as server:
        done = claw.exec(server, "go")
    assert done.json["tests"]["passed"] is not True


def test_a_later_edit_makes_a_pass_stale(claw: Claw) -> None:
    with ModelServer([REPAIR, TEST, READ, call(edit("calc/add.py", "a + b", "a - b")), ALL_GREEN]) as server:
        done = claw.exec(server, "go")
    assert done.json["tests"]["passed"] is True
    assert done.json["tests"]["stale"] is True


def test_a_later_edit_by_a_command_does_so_too(claw: Claw) -> None:
    later = call(("bash", {"command": "sleep 0.1; echo '# later' >> calc/add.py"}))
    with ModelServer([REPAIR, TEST, later, ALL_GREEN]) as server:
        done = claw.exec(server, "go")
    assert (done.json["tests"]["passed"], done.json["tests"]["stale"]) == (True, True)
    assert done.json["changed_files"] == ["calc/add.py", "calc/half.py", "calc/mul.py"]


def test_text_mode_says_it_in_one_line(claw: Claw) -> None:
    with ModelServer([TEST, ALL_GREEN]) as server:
        done = claw.exec(server, "go", "--output-format", "text")
    assert done.stdout == "All tests pass.\n"
    assert f"claw: tests: FAILED (3 of 3 failed): {RUN_TESTS}" in done.stderr


def test_verify_sends_the_failure_back_until_it_passes(claw: Claw) -> None:
    with ModelServer([ALL_GREEN, REPAIR, ALL_GREEN]) as server:
        done = claw.exec(server, "--verify", RUN_TESTS, "go")
    assert (done.code, done.json["tests"]["passed"]) == (0, True)
    feedback = server.requests[1].messages[-1]
    assert feedback["role"] == "user"
    assert "3 failed" in feedback["content"]


def test_verify_goes_on_until_a_limit(claw: Claw) -> None:
    def script(request: Request) -> Answer:
        return READ if len(server.requests) % 2 else ALL_GREEN

    with ModelServer(script) as server:
        done = claw.exec(server, "--verify", RUN_TESTS, "--max-turns", "6", "go")
    assert (done.code, len(server.requests)) == (5, 6)


def test_verify_ends_when_the_model_only_repeats_itself(claw: Claw) -> None:
    with ModelServer(lambda request: ALL_GREEN) as server:
        done = claw.exec(server, "--verify", RUN_TESTS, "go")
    assert (done.code, done.json["status"], len(server.requests)) == (7, "contradicted", 3)


def test_a_passed_verify_is_the_last_word(claw: Claw) -> None:
    with ModelServer([TEST, call(("write", {"path": "/denied", "content": ""})), ALL_GREEN]) as server:
        done = claw.exec(server, "--verify", "true", "go")
    assert done.code == 0
