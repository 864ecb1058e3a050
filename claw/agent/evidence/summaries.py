"""What test runners say at the end of a run, read from their output.

A form stands here only if the runner itself prints it; where a runner prints nothing that can be told
from ordinary output, its exit status is all there is. Patterns are kept as text and compiled when first
used: most processes never see a test run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct

MAX_LINE_CHARS = 400

Shown = Literal["line", "end", "exit"]


class Summary(Struct, frozen=True):
    """One summary. `text` is what was matched; `total` and `failed` are None where the runner gives no count.

    `passed`: it says that tests ran and none failed. `failing`: it says that something failed. Neither:
    nothing was tested.

    `proof` tells what a passing summary is worth when the exit status is hidden: `line` says all by
    itself; `end` only if the end of the output is there; `exit` nothing, since failures may stand on a
    line that was filtered away.
    """

    text: str
    passed: bool
    failing: bool
    total: int | None = None
    failed: int | None = None
    proof: Shown = "line"


_N = Callable[[str], int]


def _counted(text: str, n_passed: int, n_failed: int, n_other: int = 0, proof: Shown = "line") -> Summary:
    total = n_passed + n_failed + n_other
    return Summary(text, n_passed > 0 and n_failed == 0, n_failed > 0, total, n_failed, proof)


def _of_total(text: str, total: int, n_failed: int, n_skipped: int = 0, proof: Shown = "line") -> Summary:
    return _counted(text, max(total - n_failed - n_skipped, 0), n_failed, min(n_skipped, total), proof)


def _said(text: str, *, passed: bool, proof: Shown = "line") -> Summary:
    return Summary(text, passed, not passed, proof=proof)


def _numbers(text: str) -> Callable[[str], int]:
    """A function that adds the numbers standing before or after any of the words in its argument."""

    def number_of(words: str) -> int:
        found = re.findall(rf"(\d{{1,9}}) (?:{words})\b|\b(?:{words})[:=] {{0,8}}(\d{{1,9}})", text, re.IGNORECASE)
        return sum(int(before or after) for before, after in found)

    return number_of


def _pytest(match: re.Match[str], n: _N) -> Summary:
    bad = n("failed|errors?")
    return _counted(match[0], n("passed|xpassed"), bad, n("skipped|xfailed"))


def _unittest(match: re.Match[str], n: _N) -> Summary:
    total, verdict = int(match[1] or 0), match[2]
    why = re.findall(r"(?<!expected )(?:failures|errors)=(\d{1,9})|unexpected successes=(\d{1,9})", match[0])
    failed = sum(int(bad or worse) for bad, worse in why)
    if verdict.startswith("FAILED"):
        return Summary(match[0], False, True, total or None, max(failed, 1))
    if not verdict.startswith(("OK", "PASSED")):
        return Summary(match[0], False, False, total, 0)
    return _of_total(match[0], total, 0, n("skipped|skips"))


def _jest(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("passed"), n("failed"), n("skipped|todo|pending"))


def _mocha(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("passing"), n("failing"), n("pending"), "end")


def _node(match: re.Match[str], n: _N) -> Summary:
    def count(word: str) -> int:
        found = re.search(rf"^[#ℹ] +{word} +(\d+)", match[0], re.MULTILINE)
        return int(found[1]) if found else 0

    return _counted(match[0], count("pass"), count("fail") + count("cancelled"), count("skipped") + count("todo"))


def _pass_fail(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("pass(?:ed)?"), n("fail(?:ed)?"), n("ignored|skip(?:ped)?"))


def _playwright(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("passed"), n("failed"), n("skipped|flaky"), "exit")


def _ava(match: re.Match[str], n: _N) -> Summary:
    text = match[0]
    return _counted(text, *((0, int(match[1])) if "failed" in text else (int(match[1]), 0)), proof="exit")


def _cargo(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("passed"), n("failed|timed out"), n("ignored|skipped"))


def _maven(match: re.Match[str], n: _N) -> Summary:
    return _of_total(match[0], int(match[1]), int(match[2]) + int(match[3]), int(match[4]))


def _gradle(match: re.Match[str], n: _N) -> Summary:
    return _of_total(match[0], n("tests? completed"), n("failed"), n("skipped"))


def _ctest(match: re.Match[str], n: _N) -> Summary:
    return _of_total(match[0], int(match[2]), int(match[1]))


def _examples(match: re.Match[str], n: _N) -> Summary:
    """RSpec, ExUnit, Jasmine, minitest, test-unit: a total, then what went wrong with how many."""
    n_total = n("examples?|specs?|runs|doctests?|properties|tests?")
    return _of_total(match[0], n_total, n("failures?|errors?(?: occurred outside of examples)?|invalid"),
                     n("pending|pendings|omissions|skips|skipped|excluded"))  # fmt: skip


def _phpunit_ok(match: re.Match[str], n: _N) -> Summary:
    return _of_total(match[0], n("tests?"), 0)


def _phpunit(match: re.Match[str], n: _N) -> Summary:
    return _of_total(match[0], n("Tests"), n("Failures|Errors"), n("Skipped|Incomplete"))


def _pest(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("passed"), n("failed"), n("skipped|todos?|incomplete|risky"))


def _dotnet(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("Passed"), n("Failed"), n("Skipped"))


def _swift(match: re.Match[str], n: _N) -> Summary:
    return _of_total(match[0], int(match[1]), int(match[2]), proof="end")


def _bazel(match: re.Match[str], n: _N) -> Summary:
    return _counted(match[0], n("tests? pass|tests? passes"), n("fails?(?: locally| remotely)?|was skipped"))


def _no_tests(match: re.Match[str], n: _N) -> Summary:
    return Summary(match[0], False, False, 0, 0)


def _failed(match: re.Match[str], n: _N) -> Summary:
    return _said(match[0], passed=False)


def _gradle_successful(match: re.Match[str], n: _N) -> Summary:
    """Gradle counts nothing when all is well, and says of a task without tests that it has no source."""
    if re.search(r"^> Task \S*[tT]est NO-SOURCE$", match.string, re.MULTILINE):
        return _no_tests(match, n)
    return _said(match[0], passed=True)


_COUNT = r"\d{1,9} [a-z]+(?: [a-z]+)?"
_PYTEST_WORD = r"(?=.{0,200}\b(?:passed|failed|errors?|skipped|deselected|xfailed|xpassed|no tests)\b)"
_JEST_COUNTS = r"(?:\d{1,9} (?:failed|passed|skipped|todo|pending)(?:, | \| | ))+"
_UNITTEST_WHY = r"(?:failures|errors|skipped|expected failures|unexpected successes|successes)="
_MAVEN_COUNTS = r"Tests run: (\d{1,9}), Failures: (\d{1,9}), Errors: (\d{1,9}), Skipped: (\d{1,9})"
_MINITEST_COUNTS = r"\d{1,9} (?:runs|tests), \d{1,9} assertions, \d{1,9} failures, \d{1,9} errors"
_EXAMPLES = r"\d{1,9} (?:examples?|specs?|tests?), \d{1,9} failures?(?:, \d{1,9} [a-z ]+)*"

# Family, pattern, reader: for one family the whole summary comes before its parts.
_FORMS: tuple[tuple[str, str, Callable[[re.Match[str], _N], Summary]], ...] = (
    (
        "pytest",
        rf"^(?:=+ )?{_PYTEST_WORD}(?:no tests (?:ran|collected)|{_COUNT})(?:, {_COUNT}){{0,9}}"
        r" in [\d.]+(?:s| seconds)(?: \([\d:]+\))?(?: =+)?$",
        _pytest,
    ),
    ("pytest", r"^(?:FAILED|ERROR) [^\s:]+\.py(?:::.*)?(?: - .*)?$", _failed),
    ("pytest", r"^[^\s:]+\.py::\S.* (?:FAILED|ERROR)(?: +\[ *\d+%\])?$", _failed),
    ("unittest", r"^Ran (\d{1,9}) tests? in [\d.]+s\n{1,3}(OK|FAILED|PASSED|NO TESTS RAN)(?: \(.*\))?$", _unittest),
    ("unittest", rf"^()(FAILED) \({_UNITTEST_WHY}.*\)$", _unittest),
    ("unittest", r"^(?:FAIL|ERROR): \w+ \(.*\).*$", _failed),
    ("jest", rf"^ {{0,8}}Tests:? {{1,12}}{_JEST_COUNTS}(?:\d+ total|\(\d+\))$", _jest),
    ("jest", r"^ {0,8}(?:Test Suites:|Test Files) {1,12}\d{1,9} failed.*$", _failed),
    ("jest", r"^ {0,8}Errors {1,12}\d{1,9} errors?$", _failed),
    ("mocha", r"^ {0,8}\d{1,9} passing(?: \([\d.]+[a-z]{1,2}\))?(?:\n {0,8}\d{1,9} (?:pending|failing)){0,2}$", _mocha),
    ("mocha", r"^ {0,8}\d{1,9} failing$", _mocha),
    ("node", r"^[#ℹ] +pass +\d+\n[#ℹ] +fail +\d+(?:\n[#ℹ] +(?:cancelled|skipped|todo) +\d+){0,3}$", _node),
    ("node", r"^[#ℹ] +fail +[1-9]\d*$", _node),
    ("bun", r"^ {0,4}\d{1,9} pass(?:\n {0,4}\d{1,9} (?:skip|todo)){0,2}\n {0,4}\d{1,9} fail$", _pass_fail),
    ("deno", r"^(?:ok|FAILED) \| \d{1,9} passed(?: \(\d+ steps?\))? \| \d{1,9} failed.*$", _pass_fail),
    ("playwright", r"^ {1,4}\d{1,9} (?:failed|passed \([\d.]+[a-z]{1,2}\))$", _playwright),
    ("ava", r"^ {0,4}(\d{1,9}) tests? (?:passed|failed)$", _ava),
    ("cargo", r"^test result: (?:ok|FAILED)\. \d{1,9} passed; \d{1,9} failed;.*$", _cargo),
    ("cargo", r"^ {0,8}Summary \[ *[\d.]+s\] \d{1,9}(?:/\d+)? tests? run: \d{1,9} passed.*$", _cargo),
    ("cargo", r"^test \S+ \.\.\. FAILED$", _failed),
    ("cargo", r"^error: (?:test failed, to rerun|\d+ targets? failed|could not compile|test run failed).*$", _failed),
    ("maven", rf"^(?:\[[A-Z]+\] )?{_MAVEN_COUNTS}$", _maven),
    ("maven", r"^(?:\[[A-Z]+\] )?BUILD FAILURE$", _failed),
    ("gradle", r"^\d{1,9} tests? completed, \d{1,9} (?:failed|skipped).*$", _gradle),
    ("gradle", r"^BUILD FAILED in .*$", _failed),
    ("gradle", r"^BUILD SUCCESSFUL in .*$", _gradle_successful),
    ("ctest", r"^\d{1,3}% tests passed, (\d{1,9}) tests? failed out of (\d{1,9})$", _ctest),
    ("ctest", r"^No tests were found!*$", _no_tests),
    ("rspec", rf"^(?:\d{{1,9}} (?:doctests?|propert(?:y|ies)), ){{0,2}}{_EXAMPLES}$", _examples),
    ("minitest", rf"^{_MINITEST_COUNTS}(?:, \d{{1,9}} [a-z]+)*$", _examples),
    ("phpunit", r"^OK \(\d{1,9} tests?, \d{1,9} assertions?\)$", _phpunit_ok),
    ("phpunit", r"^Tests: \d{1,9}, Assertions: \d{1,9}(?:, [A-Z][A-Za-z ]+: \d{1,9})*\.$", _phpunit),
    ("phpunit", r"^(?:FAILURES|ERRORS)!$", _failed),
    ("phpunit", r"^No tests executed!$", _no_tests),
    ("pest", r"^ {0,4}Tests: {1,8}(?:\d{1,9} [a-z]+(?:, )?)+ \(\d+ assertions?\)$", _pest),
    ("dotnet", r"^ {0,4}(?:Passed|Failed)! +- Failed: +\d+, Passed: +\d+, Skipped: +\d+, Total: +\d+.*$", _dotnet),
    ("swift", r"^\t? {0,4}Executed (\d{1,9}) tests?, with (?:\d+ tests? skipped and )?(\d{1,9}) failures?.*$", _swift),
    ("bazel", r"^Executed \d+ out of \d+ tests?: .*$", _bazel),
)


def clean(output: str) -> str:
    """`output` without colours, carriage returns and trailing blanks, and without lines that are too long to matter."""
    output = re.sub(r"\x1b\[[0-9;?]{0,40}[A-Za-z]|\x1b\][^\x07\x1b]{0,400}(?:\x07|\x1b\\)", "", output)
    lines = (line.rsplit("\r", 1)[-1].rstrip() for line in output.replace("\r\n", "\n").split("\n"))
    return "\n".join(line if len(line) <= MAX_LINE_CHARS else "" for line in lines)


def find_summaries(output: str, families: frozenset[str]) -> list[Summary]:
    """The summaries in a `clean` output, of the `families` given or, with none given, of any."""
    found: list[Summary] = []
    for family, pattern, reader in _FORMS:
        if not families or family in families or (family == "phpunit" and "pest" in families):
            matches = re.finditer(pattern, output, re.MULTILINE)
            found += _unless_within(found, [reader(match, _numbers(match[0])) for match in matches])
    if "unittest" in families and "\nRan " not in "\n" + output and (bare := _bare_ok(output)):
        found.append(bare)
    if not families or "go" in families:
        found += _go(output, sure="go" in families)
    if "swift" in families or not families:
        found = _outermost_suite(found)
    if not found or "tap" in families:
        found += _tap(output) if not families or families & {"tap", "node"} else []
    return found


def _unless_within(found: list[Summary], more: list[Summary]) -> list[Summary]:
    """`more` less what is only a part of a summary that was found already."""
    return [summary for summary in more if not any(summary.text in earlier.text for earlier in found)]


def _bare_ok(output: str) -> Summary | None:
    """unittest's verdict where only the last line is left, as `| tail -1` leaves it."""
    last = output.rstrip().rsplit("\n", 1)[-1]
    return _said(last, passed=True) if re.fullmatch(r"OK(?: \([a-z ]+=\d+(?:, [a-z ]+=\d+)*\))?", last) else None


def _outermost_suite(found: list[Summary]) -> list[Summary]:
    """XCTest prints a summary for each suite, the outermost last."""
    suites = [summary for summary in found if "Executed" in summary.text and "with" in summary.text]
    return [summary for summary in found if summary not in suites[:-1]]


def _go(output: str, *, sure: bool) -> Iterator[Summary]:
    """`go test`: a line for each package, with -v one for each test; gotestsum's `DONE`."""
    if done := re.search(r"^DONE (\d{1,9}) tests?(?:, .*)? in [\d.]+s$", output, re.MULTILINE):
        n = _numbers(done[0])
        yield _of_total(done[0], int(done[1]), n("failures?|errors?"), n("skipped"))
        return
    package = r"^(?:ok|FAIL) {0,4}\t\S+(?:\t| \[).*$"
    packages = re.findall(package, output, re.MULTILINE)
    tests = re.findall(r"^--- (PASS|FAIL|SKIP): ", output, re.MULTILINE)
    verdicts = packages + re.findall(r"^(?:FAIL|PASS|panic: .*)$", output, re.MULTILINE)
    if not (packages or tests or (verdicts and sure)):
        return
    text = "\n".join(verdicts)
    failing = "FAIL" in tests or any(verdict.startswith(("FAIL", "panic: ")) for verdict in verdicts)
    empty = r"\[no test(?:s to run| files)\]$"
    ran = any(v == "PASS" or (v.startswith("ok") and not re.search(empty, v)) for v in verdicts)
    if any(v == "PASS" for v in verdicts) and "testing: warning: no tests to run" in output:
        ran = "PASS" in tests
    total = len(tests) if re.search(r"^=== RUN ", output, re.MULTILINE) else None
    failed = tests.count("FAIL") if failing else 0
    yield Summary(text, ran and not failing, failing, total, failed or (None if failing else 0), "end")


def _tap(output: str) -> Iterator[Summary]:
    """*Source*: TAP version 13. A pass needs the plan and as many results."""
    if result := re.search(r"^Result: (PASS|FAIL|NOTESTS)$", output, re.MULTILINE):
        n_tests = re.search(r"^Files=\d+, Tests=(\d{1,9})", output, re.MULTILINE)
        ran = result[1] != "NOTESTS"
        total = int(n_tests[1]) if n_tests else None
        yield Summary(result[0], result[1] == "PASS", result[1] == "FAIL", total if ran else 0, None if ran else 0)
        return
    plan = re.search(r"^1\.\.(\d{1,9})(?: .*)?$", output, re.MULTILINE)
    results = re.findall(r"^(not ok|ok)\b[^#\n]*(# *(?i:TODO|SKIP))?", output, re.MULTILINE)
    n_failed = sum(1 for verdict, directive in results if verdict == "not ok" and not directive)
    if bail := re.search(r"^Bail out!.*$", output, re.MULTILINE):
        yield Summary(bail[0], False, True, len(results), max(n_failed, 1))
    elif plan and (n_failed or len(results) == int(plan[1])):
        n_skipped = sum(1 for _, directive in results if directive)
        yield _of_total(plan[0], len(results), n_failed, n_skipped)
    elif n_failed:
        yield Summary("not ok", False, True, None, n_failed)
