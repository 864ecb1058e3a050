"""What the run's outcome really is: the model's last word held against what was executed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from claw.agent.evidence import Evidence
from claw.agent.middleware import Middleware, Reminder, Word
from claw.agent.outcome import Outcome, Run
from claw.code.base import WorkTree
from claw.errors import ClawError, ExitCode
from claw.protocol.events import Event, VerifyFinished
from claw.protocol.messages import AssistantMessage
from claw.tooling.services import Commands

_BLOCKED = re.compile(r"^\W*BLOCKED\W*:\s*(?P<why>.*)", re.MULTILINE)


class Verify(Middleware):
    """The definition of done: claw runs `command` itself whenever the model wants to stop.

    A failure goes back to the model. A model that answers `max_idle` failures in a row without calling
    one tool has given up, and the run ends as contradicted.
    """

    def __init__(
        self, command: str, commands: Commands, cwd: Path, publish: Callable[[Event], None], max_idle: int = 3
    ) -> None:
        self._command = command
        self._commands = commands
        self._cwd = cwd
        self._publish = publish
        self._max_idle = max_idle
        self._n_idle = 0
        self._calls_before = 0

    async def run_started(self, run: Run) -> None:
        self._n_idle, self._calls_before = 0, 0

    async def before_rest(self, run: Run, reply: AssistantMessage, finish_reason: str) -> Word:
        running = await self._commands.start(self._command, cwd=self._cwd)
        try:
            exit_code = await running.wait()
        except asyncio.CancelledError:
            await running.stop()
            raise
        output = running.output.text(20_000)
        run.verified = exit_code == 0
        self._publish(VerifyFinished(command=self._command, passed=run.verified, exit_code=exit_code, output=output))
        if run.verified:
            return None
        self._n_idle = self._n_idle + 1 if run.n_tool_calls == self._calls_before else 1
        self._calls_before = run.n_tool_calls
        if self._n_idle >= self._max_idle:
            return Outcome(
                ExitCode.CONTRADICTED,
                f"`{self._command}` exits {exit_code}, and the model went on saying that it was done",
            )
        return Reminder(
            f"The work is not done: `{self._command}` must exit 0 and exits {exit_code}. Its output:\n\n"
            f"{output}\n\nFind the cause, repair it, and finish again.",
            source="verify",
        )


class SaidBlocked(Middleware):
    """A final answer with a line `BLOCKED: reason` ends the run as blocked, before anything is verified."""

    async def before_rest(self, run: Run, reply: AssistantMessage, finish_reason: str) -> Word:
        if said := _BLOCKED.search(reply.content):
            return Outcome(ExitCode.BLOCKED, f"blocked: {said.group('why').strip(' *_`')}")
        return None


class Executed(Middleware):
    """Holds "done" against what ran: a denied call, a failing last test run, files changed by commands.

    A passed `--verify` settles all of it. Files that changed on disk after the last test run, by
    whatever hand, make its result stale.
    """

    def __init__(self, evidence: Evidence, work_tree: WorkTree) -> None:
        self._evidence = evidence
        self._work_tree = work_tree

    async def run_started(self, run: Run) -> None:
        self._work_tree.watch()

    async def before_tools(self, run: Run) -> None:
        await self._work_tree.ready()

    async def run_ended(self, run: Run, outcome: Outcome) -> Outcome:
        if run.n_tool_calls:
            await self._work_tree.look()
        tests = self._evidence.tests()
        if (ended := self._evidence.last_run_ended_at) and self._work_tree.changed_after(ended):
            self._evidence.mark_stale()
        if not outcome.is_done or run.verified:
            return outcome
        if run.n_denied:
            return Outcome(ExitCode.DENIED, f"{run.n_denied} tool call(s) were denied; see the log for which")
        if tests.ran and tests.passed is False:
            return Outcome(ExitCode.CONTRADICTED, f"the last test run failed: {tests.command}")
        return outcome


class PlayedToTheEnd(Middleware):
    """A replay whose last run ends before its recording does has diverged too. `finish` raises ClawError then."""

    def __init__(self, finish: Callable[[], None], is_last_run: Callable[[], bool]) -> None:
        self._finish = finish
        self._is_last_run = is_last_run

    async def run_ended(self, run: Run, outcome: Outcome) -> Outcome:
        if outcome.is_done and self._is_last_run():
            try:
                self._finish()
            except ClawError as error:
                return Outcome.of(error)
        return outcome
