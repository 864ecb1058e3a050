"""Whether the tests pass, taken from what was executed and never from what was said.

A run has passed only if its runner's own summary says so and nothing else speaks against it: no failing
summary, no exit status that is not 0, no summary that the command itself printed or that a filter may have
cut short. What cannot be known is None, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from claw.agent.evidence.commandline import SimpleCommand
from claw.agent.evidence.exit_status import StatusOf, status_of
from claw.agent.evidence.launchers import program_of, without_launchers
from claw.agent.evidence.runners import Runner, TestRun, find_test_runs, split_line
from claw.agent.evidence.summaries import Summary, clean, find_summaries
from claw.protocol.details import CommandRun
from claw.protocol.events import (
    BackgroundFinished,
    Event,
    FileChanged,
    RunStarted,
    Tests,
    TestsObserved,
    ToolFinished,
    ToolStarted,
    VerifyFinished,
)
from claw.protocol.messages import text_of

MAX_JOB_CHARS = 200_000

# Ended from outside: SIGHUP, SIGINT, SIGKILL, SIGTERM, as a signal or as a shell reports it. The tests had no say.
_STOPPED = frozenset({-1, -2, -9, -15, 129, 130, 137, 143})
_PRINTERS = frozenset({"echo", "printf", "cat", "awk", "perl", "ruby", "node", "python", "python3", "print"})


def observe(command: str, exit_code: int | None, output: str) -> TestsObserved | None:
    """What a command tells of the tests; None if it ran none.

    `exit_code` is None while the command runs; negative is the signal that ended it. `output` is stdout
    and stderr as they were seen, whole or cut.
    """
    commands = split_line(command)
    runs = find_test_runs(commands)
    return _judge(command, commands, runs, exit_code, output) if runs else None


def _judge(
    command: str, commands: Sequence[SimpleCommand], runs: Sequence[TestRun], exit_code: int | None, output: str
) -> TestsObserved | None:
    text = clean(output)
    families = frozenset(run.runner.family for run in runs)
    summaries = find_summaries(text, frozenset() if "" in families else families)
    shown = any(_is_shown(commands, run) for run in runs)
    summaries = [s for s in summaries if s.failing or (shown and not _was_printed(s, command, commands))]
    sure = [run for run in runs if run.runner.sure]
    if not summaries and (not sure or _never_started(commands, sure, exit_code, text)):
        return None
    totals = [s.total for s in summaries if s.total is not None]
    failures = [s.failed for s in summaries if s.failed is not None]
    return TestsObserved(
        command=command,
        passed=_verdict(summaries, sure or runs, commands, exit_code),
        total=sum(totals) if totals else None,
        failed=sum(failures) if failures and (sum(failures) or not any(s.failing for s in summaries)) else None,
    )


def _verdict(
    summaries: Sequence[Summary], runs: Sequence[TestRun], commands: Sequence[SimpleCommand], exit_code: int | None
) -> bool | None:
    if any(summary.failing for summary in summaries):
        return False
    if exit_code is None or exit_code in _STOPPED:
        return None
    statuses = [status_of(commands, run.index) for run in runs]
    if exit_code != 0:
        return False if any(status.other for status in statuses) else None
    passing = [summary for summary in summaries if summary.passed]
    if not passing or not all(_is_proof(summary, statuses) for summary in passing):
        return None
    # A fallback (`pytest || python -m pytest`) need not have run; any other run that is silent may have failed.
    n_expected = sum(1 for run in runs if commands[run.index].joined != "||")
    silent = len(passing) < n_expected and not all(status.zero for status in statuses)
    return None if silent else True


def _is_proof(summary: Summary, statuses: Sequence[StatusOf]) -> bool:
    if summary.proof == "line" or all(status.zero for status in statuses):
        return True
    return summary.proof == "end" and all(status.end_shown for status in statuses)


def _is_shown(commands: Sequence[SimpleCommand], run: TestRun) -> bool:
    """Whether the runner's words can be in the output: not after `pytest > log`, unless `log` is read later."""
    file = commands[run.index].stdout_to
    if not file or file.startswith("/dev/std") or file == "/dev/tty":
        return True
    later = [word for command in commands[run.index + 1 :] for word in command.words]
    return file != "/dev/null" and any(word == file or word.endswith("/" + file) for word in later)


def _was_printed(summary: Summary, command: str, commands: Sequence[SimpleCommand]) -> bool:
    """Whether the summary is the command's own text: verbatim, or its letters in what `echo` and its like are given."""
    if summary.text.strip() in command:
        return True
    letters = _letters(summary.text)
    return len(letters) > 3 and any(
        letters in _letters(" ".join((*words[1:], line.here_doc)))
        for line in commands
        if program_of(words := without_launchers(line.words)) in _PRINTERS
    )


def _letters(text: str) -> str:
    """Its letters alone: `printf '%d passed in %ss' 5 0.1` and the line that it prints come out alike."""
    return re.sub(r"%[-0-9.]*[a-z]|\\[a-z]|[^A-Za-z]", "", text)


def _never_started(
    commands: Sequence[SimpleCommand], runs: Sequence[TestRun], exit_code: int | None, output: str
) -> bool:
    """Whether the runner is missing, or the folder to run it in."""
    if exit_code in (126, 127):
        return True
    programs = "|".join({re.escape(program_of(without_launchers(commands[run.index].words))) for run in runs})
    missing = rf"(?:^|[\s:/])(?:{programs}): (?:command )?not found$|^\S*python\S*: No module named \w+$"
    if re.search(missing, output, re.MULTILINE):
        return True
    entered = any(command.words[:1] == ("cd",) for command in commands[: runs[0].index])
    return entered and bool(re.search(r"\bcd: .*(?:No such file or directory|Not a directory)$", output, re.MULTILINE))


class _Seen(Struct):
    """A command that was seen. `began` and `left` are the places of its call in the order of events."""

    command: str
    began: int
    left: int
    exit_code: int | None = None
    output: str = ""
    ended_at: float | None = None
    observed: TestsObserved | None = None


class Evidence:
    """Follows the events of a session and answers what they show of the tests.

    The last test run counts: the one that began last. Runs that went on side by side count as one, so that
    a failing one is not hidden by its neighbour. A background run is unknown until it has ended; what was
    read of its output by then counts.

    *Order*: events in the order published. `on_observed` is called whenever a test run was seen, and again
    when more of it became known.
    """

    def __init__(self, on_observed: Callable[[TestsObserved], None] | None = None) -> None:
        self._on_observed = on_observed
        self._n_events = 0
        self._changed = -1
        self._began: dict[str, int] = {}
        self._jobs: dict[str, _Seen] = {}
        self._last: list[_Seen] = []

    def __call__(self, event: Event) -> None:
        self._n_events += 1
        match event:
            case RunStarted():
                self._last = []
            case ToolStarted(name="bash" | "background"):
                self._began[event.call_id] = self._n_events
            case ToolFinished():
                began = self._began.pop(event.call_id, self._n_events)
                if event.name in ("bash", "background") and isinstance(event.details, CommandRun):
                    self._ran(event.details, text_of(event.content), began, event.ts)
            case BackgroundFinished():
                if seen := self._jobs.get(event.job):
                    self._update(seen, event.exit_code, "", event.ts)
            case VerifyFinished():
                self._verified(event)
            case FileChanged():
                self._changed = self._n_events

    def tests(self) -> Tests:
        """What is known of the last test run."""
        observed = [seen.observed for seen in self._last if seen.observed is not None]
        if not observed:
            return Tests()
        verdicts = {one.passed for one in observed}
        totals = [one.total for one in observed if one.total is not None]
        failures = [one.failed for one in observed if one.failed is not None]
        return Tests(
            ran=True,
            passed=False if False in verdicts else None if None in verdicts else True,
            total=sum(totals) if totals else None,
            failed=sum(failures) if failures else None,
            command="; ".join(one.command for one in observed),
            stale=self._changed > min(seen.began for seen in self._last),
        )

    @property
    def last_run_ended_at(self) -> float | None:
        """When the last test run had ended (seconds since 1970); None if there was none or it still goes on."""
        moments = [seen.ended_at for seen in self._last]
        return max((at for at in moments if at is not None), default=None) if None not in moments else None

    def mark_stale(self) -> None:
        """A file was changed by other means than the tools."""
        self._n_events += 1
        self._changed = self._n_events

    def _ran(self, details: CommandRun, output: str, began: int, ts: float) -> None:
        seen = self._jobs.get(details.job) if details.job else None
        if seen is None:
            seen = _Seen(details.command, began, self._n_events)
            if details.job and find_test_runs(split_line(details.command)):
                self._jobs[details.job] = seen
        self._update(seen, details.exit_code, output, ts)

    def _verified(self, event: VerifyFinished) -> None:
        """The person's own definition of done: whatever it is, a summary in its output is one."""
        seen = _Seen(event.command, self._n_events, self._n_events, event.exit_code, event.output, event.ts)
        commands = split_line(event.command)
        runs = find_test_runs(commands) or [TestRun(i, Runner(sure=False)) for i in range(len(commands))]
        self._note(seen, _judge(event.command, commands, runs, event.exit_code, event.output) if runs else None)

    def _update(self, seen: _Seen, exit_code: int | None, output: str, ts: float) -> None:
        seen.output = f"{seen.output}\n{output}"[-MAX_JOB_CHARS:]  # a job is read in pieces that do not overlap
        if exit_code is not None and seen.ended_at is None:
            seen.exit_code, seen.ended_at = exit_code, ts
        self._note(seen, observe(seen.command, seen.exit_code, seen.output))

    def _note(self, seen: _Seen, observed: TestsObserved | None) -> None:
        if observed is None or observed == seen.observed:
            return
        seen.observed = observed
        if not any(seen is other for other in self._last):
            if all(seen.began > other.left for other in self._last):
                self._last = [seen]
            elif seen.left > max(other.left for other in self._last):
                self._last.append(seen)
        if self._on_observed:
            self._on_observed(observed)
