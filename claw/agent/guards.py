"""Guards against a model that gets stuck: the same failing call, cut or empty replies, forgotten jobs."""

from __future__ import annotations

from collections.abc import Sequence

from claw.agent.middleware import Answered, Middleware, Reminder, Word
from claw.agent.outcome import Outcome, Run
from claw.errors import ExitCode
from claw.protocol.messages import AssistantMessage, text_of
from claw.tooling.services import Jobs


class RepeatedFailures(Middleware):
    """The same failing call in one turn after the other: a word after `remind_after`, the end after `stop_after`.

    A turn without it, or in which it succeeds, starts its count anew.
    """

    def __init__(self, remind_after: int = 3, stop_after: int = 8) -> None:
        self._remind_after = remind_after
        self._stop_after = stop_after
        self._streaks: dict[tuple[str, str], int] = {}

    def after_turn(self, run: Run, answered: Sequence[Answered]) -> Word:
        failed = {(one.call.name, one.call.arguments): one for one in answered if one.failed}
        self._streaks = {key: self._streaks.get(key, 0) + 1 for key in failed}
        word: Word = None
        for key, n_times in self._streaks.items():
            name, reason = key[0], text_of(failed[key].result.content).strip()[:200]
            if n_times >= self._stop_after:
                return Outcome(
                    ExitCode.ERROR,
                    f"stopped: the model made the same failing {name} call {n_times} times in a row ({reason})",
                )
            if n_times == self._remind_after:
                word = Reminder(
                    f"You have made the same {name} call {n_times} times in a row and it failed each time. "
                    "It will fail again. Find out why, try another way, or say that you are blocked."
                )
        return word


class UnfinishedReplies(Middleware):
    """A reply without calls that is no answer: cut off by the output limit, filtered, or empty."""

    def __init__(self, max_reminders: int = 3) -> None:
        self._max_reminders = max_reminders
        self._n_reminders = 0

    def after_turn(self, run: Run, answered: Sequence[Answered]) -> Word:
        self._n_reminders = 0
        return None

    async def before_rest(self, run: Run, reply: AssistantMessage, finish_reason: str) -> Word:
        if finish_reason == "content_filter":
            return Outcome(ExitCode.ERROR, "the host's content filter stopped the reply")
        if finish_reason == "length":
            fault = "Your reply was cut off by the output limit. Go on from where it stopped, in smaller steps."
        elif not reply.content.strip():
            fault = "Your reply was empty. Go on with the work, or give your final answer."
        else:
            return None
        self._n_reminders += 1
        if self._n_reminders > self._max_reminders:
            return Outcome(ExitCode.ERROR, f"the model gave no usable reply {self._n_reminders} times in a row")
        return Reminder(fault)


class RunningJobs(Middleware):
    """Where the end of the run ends the jobs too, the model is told once of those that still run."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._told: set[str] = set()

    async def before_rest(self, run: Run, reply: AssistantMessage, finish_reason: str) -> Word:
        running = [job for job in self._jobs.all() if job.command.exit_code is None and job.id not in self._told]
        if not running:
            return None
        self._told.update(job.id for job in running)
        names = ", ".join(f"{job.id} ({job.command.command[:80]})" for job in running)
        return Reminder(
            f"Background jobs still run and will be stopped when you finish: {names}. "
            "Wait for what you need with the background tool; otherwise repeat your final answer."
        )
