"""The one object of `--output-format json`, and the closing line of text mode."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from claw.errors import ClawError
from claw.printable import one_line
from claw.protocol.events import RunFinished, Tests
from claw.protocol.messages import Usage


class Result(Struct, kw_only=True):
    """What a script reads. `structured` is filled where an output schema was given."""

    session: str | None
    status: str
    result: str
    structured: Any = None
    usage: Usage = Usage()
    cost_usd: float | None = None
    cost_by_tool: dict[str, float | None] = {}
    turns: int = 0
    tool_calls: int = 0
    changed_files: tuple[str, ...] = ()
    tests: Tests = Tests()
    sandbox: str | None = None
    duration_s: float = 0.0
    error: str | None = None


def result_of(finished: RunFinished, sandbox: str) -> Result:
    return Result(
        session=finished.session,
        status=finished.status,
        result=finished.result,
        structured=finished.structured,
        usage=finished.usage,
        cost_usd=finished.cost_usd,
        cost_by_tool=finished.cost_by_tool,
        turns=finished.n_turns,
        tool_calls=finished.n_tool_calls,
        changed_files=finished.changed_files,
        tests=finished.tests,
        sandbox=sandbox,
        duration_s=finished.duration_s,
        error=finished.error,
    )


def result_of_error(error: ClawError) -> Result:
    """A run that did not begin."""
    return Result(session=None, status=error.exit_code.name.lower(), result="", error=str(error))


def describe_tests(tests: Tests) -> str:
    """What was seen of the tests, as one line."""
    if not tests.ran:
        return "tests: none were run"
    state = {True: "passed", False: "FAILED", None: "ran, but no summary was seen"}[tests.passed]
    counts = ""
    if tests.total is not None:
        counts = f" ({tests.failed or 0} of {tests.total} failed)" if tests.failed else f" ({tests.total})"
    stale = "; STALE: files changed after that run" if tests.stale else ""
    return f"tests: {state}{counts}: {one_line(tests.command or '', 400)}{stale}"
