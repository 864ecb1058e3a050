"""What a command line tells of the tests, and what a session's events tell of the last test run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.agent.evidence import observe
from claw.protocol.events import (
    TestsObserved,
)

PASS, FAIL = "2 passed in 0.01s", "1 failed, 2 passed in 0.12s"
UNITTEST_OK = "Ran 3 tests in 0.001s\n\nOK"

# Command, exit code, output, and what `passed` must be.
VERDICTS: list[tuple[str, int | None, str, bool | None]] = [
    ("pytest", 0, PASS, True),
    ("pytest", 1, FAIL, False),
    ("pytest", 0, "", None),
    ("pytest", 2, "ERROR collecting", False),
    ("pytest", None, PASS, None),
    ("pytest", -15, "", None),
    ("pytest", 143, "..", None),
    ("pytest", -11, "..", False),
    ("timeout 60 pytest", 124, "..", False),
    ("pytest", 5, "no tests ran in 0.00s", False),
    ("pytest | tail", 0, "no tests ran in 0.00s", None),
    ("pytest", 1, PASS + "\nFAIL Required test coverage of 90% not reached.", False),
    # The status hidden: the summary decides.
    ("pytest | tail -1", 0, PASS, True),
    ("pytest | tail -1", 0, FAIL, False),
    ("pytest | head -1", 0, "collected 3 items", None),
    ("pytest -q > /dev/null", 0, "", None),
    ("pytest -q > /dev/null; cat old.log", 0, PASS, None),
    ("pytest -q > new.log 2>&1; tail -1 new.log", 0, PASS, True),
    ("pytest || true", 0, FAIL, False),
    ("pytest || true", 0, PASS, True),
    ("pytest; true", 0, FAIL, False),
    ("set +e\npytest\necho done", 0, FAIL + "\ndone", False),
    ("pytest | grep -c FAILED", 1, "0", None),
    ("pytest | grep FAILED", 0, "FAILED tests/test_a.py::test_x - assert", False),
    ("pytest && ruff check", 1, PASS + "\nE501", None),
    ("pytest && ruff check", 0, PASS + "\nAll checks passed!", True),
    ("pytest && echo fine", 1, "crash", False),
    ("pytest || exit 1", 1, "crash", False),
    ("set -o pipefail; pytest | tee log", 1, "crash", False),
    ("pytest | tee log; exit ${PIPESTATUS[0]}", 2, "crash", False),
    ("pytest > log; rc=$?; tail log; exit $rc", 2, "crash", False),
    ("set -e; pytest; echo ok", 2, "crash", False),
    ("pytest; ruff check", 1, "crash", None),
    # Summaries that the command itself printed.
    ('pytest -q | true; echo "2 passed in 0.01s"', 0, PASS, None),
    ("pytest --version; pytest > /dev/null; printf '%d passed in %ss\\n' 2 0.01", 0, PASS, None),
    ("pytest -q > /dev/null\ncat <<EOF\n2 passed in 0.01s\nEOF", 0, PASS, None),
    ("python -c \"print(2, 'passed in 0.01s')\"; pytest | true", 0, PASS, None),
    ("pytest && echo PASSED", 0, PASS + "\nPASSED", True),
    ("python -m unittest && echo OK", 0, UNITTEST_OK + "\nOK", True),
    ("python -m unittest 2>/dev/null && echo OK", 0, "OK", None),
    ("python -m unittest 2>&1 | tail -1", 0, "OK", True),
    ("python -m unittest 2>&1 | tail -1", 0, "FAILED (failures=1)", False),
    # Several runs.
    ("pytest a; pytest b", 0, f"{FAIL}\n{PASS}", False),
    ("pytest a; pytest b", 0, f"{PASS}\n{PASS}", True),
    ("pytest a -qq; pytest b", 0, PASS, None),
    ("pytest a -qq && pytest b", 0, PASS, True),
    ("pytest || python -m unittest", 0, f"bash: pytest: command not found\n{UNITTEST_OK}", True),
    # Summaries that say less than all.
    ("npx mocha", 0, "  5 passing (1s)", True),
    ("npx mocha | tail -3", 0, "  5 passing (1s)", True),
    ("npx mocha | grep passing", 0, "  5 passing (1s)", None),
    ("go test ./... | grep ok", 0, "ok  \tx/a\t0.01s", None),
    ("npx playwright test | tail -1", 0, "  2 passed (2.1s)", None),
    ("npx playwright test", 0, "  2 passed (2.1s)", True),
    # Wrappers and unknown runners.
    ("make test", 0, PASS, True),
    ("make test", 2, "make: *** [test] Error 1", False),
    ("npm test", 0, "all good", None),
    ("bash -c 'cd x && pytest -q' | tail -1", 0, PASS, True),
    ("python test_x.py", 0, UNITTEST_OK, True),
]


@pytest.mark.parametrize(("command", "exit_code", "output", "passed"), VERDICTS)
def test_verdict(command: str, exit_code: int | None, output: str, passed: bool | None) -> None:
    seen = observe(command, exit_code, output)
    assert seen is not None
    assert seen.passed is passed


@pytest.mark.parametrize(
    ("command", "exit_code", "output"),
    [
        ("grep pytest x", 0, PASS),
        ("cat test.log", 0, PASS),
        ("echo '5 passed in 0.01s'", 0, PASS),
        ("python test_x.py", 0, "hello"),
        ("mvn package", 1, "no compiler"),
        ("pytest", 127, "bash: line 1: pytest: command not found"),
        ("pytest | tail -1", 0, "bash: line 1: pytest: command not found"),
        ("python -m pytest; true", 0, "/usr/bin/python: No module named pytest"),
        ("cd nowhere && pytest", 1, "bash: line 1: cd: nowhere: No such file or directory"),
    ],
)
def test_nothing_was_tested(command: str, exit_code: int, output: str) -> None:
    assert observe(command, exit_code, output) is None


def test_counts_are_added() -> None:
    seen = observe("pytest a; python -m unittest", 1, "1 failed, 2 passed in 0.1s\nRan 4 tests in 0.1s\n\nOK\n")
    assert seen == TestsObserved(command="pytest a; python -m unittest", passed=False, total=7, failed=1)


@given(st.text(max_size=80), st.one_of(st.none(), st.integers(-70, 300)), st.text(max_size=200))
def test_odd_input_never_fails(command: str, exit_code: int | None, output: str) -> None:
    observe(f"pytest {command}", exit_code, output)
    assert observe(f"cat {command!r}", exit_code, output) is None or "\\" in command or "'" in command


GOOD = "import unittest\n\nclass T(unittest.TestCase):\n    def test_a(self): pass\n    def test_b(self): pass\n"
BAD = GOOD + "    def test_c(self): self.fail()\n"


REAL_RUNS = [
    ("python -m unittest test_it.py", True, False),
    ("python -m unittest test_it.py 2>&1 | tail -1", True, False),
    ("python -m unittest test_it.py 2>&1 | head -1", None, None),
    ("python -m unittest test_it.py > /dev/null 2>&1", None, False),
    ("python -m unittest test_it.py > /dev/null 2>&1; true", None, None),
    ("python -m unittest test_it.py 2>&1 || true", True, False),
    ("if python -m unittest test_it.py > log 2>&1; then echo y; else echo n; fi; cat log", True, False),
    ("bash -c 'python -m unittest test_it.py 2>&1 | cat'", True, False),
    ("python -m pytest test_it.py", True, False),
    ('out=$(python -m pytest test_it.py 2>&1); echo "$out"', True, False),
    ("python -m pytest -q test_it.py | tail -1", True, False),
]


@pytest.mark.parametrize(("command", "when_good", "when_bad"), REAL_RUNS)
def test_real_runs(tmp_path: Path, command: str, when_good: bool | None, when_bad: bool | None) -> None:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    verdicts = []
    for source in (GOOD, BAD):
        (tmp_path / "test_it.py").write_text(source)
        run = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seen = observe(command, run.returncode, run.stdout)
        assert seen is not None
        verdicts.append(seen.passed)
    assert verdicts == [when_good, when_bad]
