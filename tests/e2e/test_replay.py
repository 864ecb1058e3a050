"""A recorded run plays again against the real tools, without a server."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import PROJECT, RUN_TESTS, Claw, make_repository
from tests.e2e.test_honesty import REPAIR, TEST
from tests.fakes.model_server import ModelServer, call, say


def record(claw: Claw, cassette: Path) -> None:
    script = [
        TEST,
        call(("grep", {"pattern": "return", "path": str(claw.repository / "calc")})),
        REPAIR,
        TEST,
        say("Ok."),
    ]
    with ModelServer(script) as server:
        done = claw.exec(server, "--record", str(cassette), "make the tests pass")
    assert done.code == 0, done.stderr


def test_the_same_run_again_elsewhere(claw: Claw, tmp_path: Path) -> None:
    record(claw, tmp_path / "run.jsonl")
    assert str(claw.repository) not in (tmp_path / "run.jsonl").read_text()
    again = Claw(make_repository(tmp_path.resolve() / "elsewhere" / "deep", PROJECT), claw.home)
    done = again.run("exec", "--replay", str(tmp_path / "run.jsonl"), "--output-format", "json")
    assert (done.code, done.json["result"]) == (0, "Ok."), done.stdout
    assert done.json["tests"]["passed"] is True
    assert done.json["usage"] == {"input": 500, "cached": 400, "output": 100, "reasoning": 0}
    assert "a + b" in (again.repository / "calc/add.py").read_text()


def test_a_divergence_stops_and_says_where(claw: Claw, tmp_path: Path) -> None:
    record(claw, tmp_path / "run.jsonl")
    other = {**PROJECT, "calc/half.py": "def half(a):\n    return a / 2\n"}
    again = Claw(make_repository(tmp_path.resolve() / "other", other), claw.home)
    done = again.run("exec", "--replay", str(tmp_path / "run.jsonl"), "--output-format", "json")
    assert (done.code, done.json["status"]) == (1, "error")
    assert RUN_TESTS in done.json["error"]
    assert "test_half" in done.json["error"]
    assert "a - b" in (again.repository / "calc/add.py").read_text(), "nothing is edited after a divergence"
