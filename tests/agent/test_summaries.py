"""The summaries of real runners, as they print them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.agent.evidence.summaries import Summary, clean, find_summaries

# Family, output, then passed, failing, total, failed of every summary in it.
OUTPUTS: list[tuple[str, str, list[tuple[bool, bool, int | None, int | None]]]] = [
    ("pytest", "===== 5 passed in 0.01s =====", [(True, False, 5, 0)]),
    ("pytest", "1 failed, 2 passed, 1 error in 0.12s", [(False, True, 4, 2)]),
    (
        "pytest",
        "\x1b[32m\x1b[1m2 passed\x1b[0m, \x1b[33m1 warning\x1b[0m\x1b[32m in 61.02s (0:01:01)\x1b[0m",
        [(True, False, 2, 0)],
    ),
    ("pytest", "4 workers [9 items]\n8 passed, 1 skipped in 1.2s", [(True, False, 9, 0)]),
    ("pytest", "=== no tests ran in 0.00s ===", [(False, False, 0, 0)]),
    ("pytest", "5 deselected in 0.02s", [(False, False, 0, 0)]),
    ("pytest", "3 skipped in 0.02s", [(False, False, 3, 0)]),
    ("pytest", "1 passed, 1 xfailed, 1 xpassed, 2 subtests passed in 0.02s", [(True, False, 3, 0)]),
    ("pytest", "FAILED tests/test_a.py::test_x - assert 1 == 2", [(False, True, None, None)]),
    ("pytest", "tests/test_a.py::test_x[a b] FAILED    [ 50%]", [(False, True, None, None)]),
    ("pytest", "I have passed 5 exams in 2.0s time\n5 apples in 2.0s\n5 passed", []),
    ("unittest", "Ran 12 tests in 0.003s\n\nOK", [(True, False, 12, 0)]),
    ("unittest", "Ran 12 tests in 0.003s\n\nOK (skipped=1, expected failures=1)", [(True, False, 12, 0)]),
    ("unittest", "Ran 3 tests in 0.003s\n\nOK (skipped=3)", [(False, False, 3, 0)]),
    ("unittest", "Ran 0 tests in 0.000s\n\nOK", [(False, False, 0, 0)]),
    ("unittest", "Ran 0 tests in 0.000s\n\nNO TESTS RAN", [(False, False, 0, 0)]),
    ("unittest", "Ran 9 tests in 0.003s\n\nFAILED (failures=1, errors=2, expected failures=4)", [(False, True, 9, 3)]),
    ("unittest", "Ran 1 test in 0.003s\n\nFAILED (unexpected successes=1)", [(False, True, 1, 1)]),
    ("unittest", "FAILED (failures=2)", [(False, True, None, 2)]),
    ("unittest", "OK", [(True, False, None, None)]),
    ("unittest", "OK\nbut more was printed", []),
    ("unittest", "FAIL: test_x (tests.test_a.A.test_x)", [(False, True, None, None)]),
    ("unittest", "Ran 3 tests in 0.010s\n\nPASSED (successes=3)", [(True, False, 3, 0)]),
    ("jest", "Test Suites: 2 passed, 2 total\nTests:       4 passed, 5 skipped, 9 total", [(True, False, 9, 0)]),
    ("jest", "Tests:       1 failed, 4 passed, 5 total", [(False, True, 5, 1)]),
    ("jest", "Test Suites: 1 failed, 1 total\nTests:       0 total", [(False, True, None, None)]),
    ("jest", " Test Files  1 passed (1)\n      Tests  3 passed (3)\n", [(True, False, 3, 0)]),
    ("jest", "      Tests  1 failed | 2 passed (3)", [(False, True, 3, 1)]),
    ("jest", "      Tests  3 passed (3)\n     Errors  1 error", [(True, False, 3, 0), (False, True, None, None)]),
    ("mocha", "  5 passing (12ms)\n  1 pending", [(True, False, 6, 0)]),
    ("mocha", "  5 passing (1s)\n  1 failing", [(False, True, 6, 1)]),
    ("node", "# tests 3\n# pass 2\n# fail 0\n# cancelled 0\n# skipped 1\n# todo 0", [(True, False, 3, 0)]),
    ("node", "ℹ pass 3\nℹ fail 1\nℹ cancelled 1", [(False, True, 5, 2)]),
    ("node", "# pass 3", []),
    ("bun", " 3 pass\n 1 fail\nRan 4 tests across 1 files. [12.00ms]", [(False, True, 4, 1)]),
    ("deno", "ok | 3 passed | 0 failed (12ms)", [(True, False, 3, 0)]),
    ("deno", "FAILED | 2 passed | 1 failed (12ms)", [(False, True, 3, 1)]),
    (
        "playwright",
        "  1 failed\n    [chromium] › a.spec.ts\n  2 passed (2.1s)",
        [(False, True, 1, 1), (True, False, 2, 0)],
    ),
    ("ava", "  2 tests passed", [(True, False, 2, 0)]),
    ("ava", "  1 test failed\n  2 tests passed", [(False, True, 1, 1), (True, False, 2, 0)]),
    (
        "cargo",
        "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        [(True, False, 4, 0)],
    ),
    ("cargo", "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out", [(False, True, 3, 2)]),
    ("cargo", "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", [(False, False, 0, 0)]),
    ("cargo", "     Summary [   0.012s] 3 tests run: 2 passed, 1 failed, 0 skipped", [(False, True, 3, 1)]),
    ("cargo", "error: test failed, to rerun pass `--lib`", [(False, True, None, None)]),
    ("go", "ok  \tx/a\t0.01s\n?   \tx/b\t[no test files]", [(True, False, None, 0)]),
    ("go", "ok  \tx/a\t(cached)\nFAIL\tx/b [build failed]\nFAIL", [(False, True, None, None)]),
    (
        "go",
        "=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n--- FAIL: TestB (0.00s)\nFAIL",
        [(False, True, 2, 1)],
    ),
    (
        "go",
        "=== RUN   TestA\n    --- PASS: TestA/x (0.00s)\n--- PASS: TestA (0.00s)\nPASS\nok  \tx\t0.1s",
        [(True, False, 1, 0)],
    ),
    ("go", "testing: warning: no tests to run\nPASS\nok  \tx\t0.1s [no tests to run]", [(False, False, None, 0)]),
    ("go", "panic: runtime error: index out of range", [(False, True, None, None)]),
    ("go", "DONE 5 tests, 1 skipped, 1 failure in 0.1s", [(False, True, 5, 1)]),
    (
        "maven",
        "Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s - in A\n"
        "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0",
        [(True, False, 3, 0)],
    ),
    (
        "maven",
        "[ERROR] Tests run: 3, Failures: 1, Errors: 1, Skipped: 0\n[INFO] BUILD FAILURE",
        [(False, True, 3, 2), (False, True, None, None)],
    ),
    ("gradle", "BUILD SUCCESSFUL in 3s", [(True, False, None, None)]),
    ("gradle", "> Task :test NO-SOURCE\nBUILD SUCCESSFUL in 3s", [(False, False, 0, 0)]),
    ("gradle", "3 tests completed, 1 failed\nBUILD FAILED in 2s", [(False, True, 3, 1), (False, True, None, None)]),
    ("ctest", "100% tests passed, 0 tests failed out of 2", [(True, False, 2, 0)]),
    ("ctest", "50% tests passed, 1 tests failed out of 2", [(False, True, 2, 1)]),
    ("ctest", "No tests were found!!!", [(False, False, 0, 0)]),
    ("rspec", "3 examples, 0 failures, 1 pending", [(True, False, 3, 0)]),
    ("rspec", "0 examples, 0 failures, 1 error occurred outside of examples", [(False, True, 1, 1)]),
    ("rspec", "1 doctest, 3 tests, 1 failure", [(False, True, 4, 1)]),
    ("minitest", "5 runs, 10 assertions, 1 failures, 1 errors, 0 skips", [(False, True, 5, 2)]),
    ("phpunit", "OK (3 tests, 3 assertions)", [(True, False, 3, 0)]),
    (
        "phpunit",
        "FAILURES!\nTests: 3, Assertions: 3, Failures: 1, Skipped: 1.",
        [(False, True, 3, 1), (False, True, None, None)],
    ),
    ("pest", "  Tests:    1 failed, 2 passed (3 assertions)", [(False, True, 3, 1)]),
    (
        "dotnet",
        "Passed!  - Failed:     0, Passed:     3, Skipped:     0, Total:     3, Duration: 1 ms - x.dll",
        [(True, False, 3, 0)],
    ),
    (
        "dotnet",
        "Failed!  - Failed:     1, Passed:     2, Skipped:     0, Total:     3, Duration: 12 ms",
        [(False, True, 3, 1)],
    ),
    (
        "swift",
        "\t Executed 2 tests, with 0 failures (0 unexpected) in 0.01 (0.02) seconds\n"
        "\t Executed 3 tests, with 1 failure (0 unexpected) in 0.01 (0.02) seconds",
        [(False, True, 3, 1)],
    ),
    ("bazel", "Executed 2 out of 3 tests: 2 tests pass and 1 fails locally.", [(False, True, 3, 1)]),
    ("tap", "1..2\nok 1 - a\nok 2 - b # SKIP no", [(True, False, 2, 0)]),
    ("tap", "1..3\nok 1\nok 2", []),
    ("tap", "ok 1\nnot ok 2 - b\nnot ok 3 # TODO later\n1..3", [(False, True, 3, 1)]),
    ("tap", "ok 1\nBail out! no disk", [(False, True, 1, 1)]),
    ("tap", "All tests successful.\nFiles=1, Tests=3,  0 wallclock secs\nResult: PASS", [(True, False, 3, None)]),
]


def facts(summary: Summary) -> tuple[bool, bool, int | None, int | None]:
    return summary.passed, summary.failing, summary.total, summary.failed


@pytest.mark.parametrize(("family", "output", "expected"), OUTPUTS)
def test_a_summary_of_one_runner(
    family: str, output: str, expected: list[tuple[bool, bool, int | None, int | None]]
) -> None:
    assert [facts(summary) for summary in find_summaries(clean(output), frozenset({family}))] == expected


@pytest.mark.parametrize(("family", "output", "expected"), OUTPUTS)
def test_a_wrapper_shows_the_same(
    family: str, output: str, expected: list[tuple[bool, bool, int | None, int | None]]
) -> None:
    """`make test`: any runner's summary may come, but not what only its own family can be trusted with."""
    found = [facts(summary) for summary in find_summaries(clean(output), frozenset())]
    if output not in ("OK", "panic: runtime error: index out of range"):
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
    else:
        assert found == []


def test_summaries_of_several_runs_are_all_found() -> None:
    output = "2 passed in 0.1s\nRan 3 tests in 0.1s\n\nOK\n2 passed in 0.1s\n"
    found = find_summaries(output, frozenset({"pytest", "unittest"}))
    assert [facts(summary) for summary in found] == [(True, False, 2, 0), (True, False, 2, 0), (True, False, 3, 0)]


def test_this_machines_own_runners_are_understood(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import unittest\n\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"
        "    def test_b(self): self.fail()\n    @unittest.skip('x')\n    def test_c(self): pass\n"
    )
    for module in ("pytest", "unittest"):
        run = subprocess.run(
            [sys.executable, "-m", module, "test_it.py"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        found = find_summaries(clean(run.stdout + run.stderr), frozenset({module}))
        assert (False, True, 3, 1) in [facts(summary) for summary in found]


@given(st.text(max_size=300))
def test_any_output_is_read_without_failing(output: str) -> None:
    find_summaries(clean(output), frozenset())


def test_a_long_output_is_read_quickly() -> None:
    noise = "".join(
        f"tests/test_{i}.py::test_something[{i}] PASSED   [ 50%] 1 passed, 2 failed in a\n" for i in range(700)
    )
    began = time.perf_counter()
    assert find_summaries(clean(noise + "7 passed in 1.0s"), frozenset({"pytest"}))[-1].total == 7
    find_summaries(clean("1 passed, " * 5_000 + "\n" * 40_000 + "ok " * 10_000), frozenset())
    assert time.perf_counter() - began < 1.0
