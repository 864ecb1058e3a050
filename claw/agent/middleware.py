"""The hooks by which limits, reminders and checks take part in a run, so that the loop knows none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from claw.agent.outcome import Outcome, Run
from claw.protocol.details import CommandRun
from claw.protocol.events import ToolFinished
from claw.protocol.messages import AssistantMessage, ToolCall, ToolMessage


class Reminder(NamedTuple):
    """Say this to the model and go on. `source` as in `UserMessageAdded`."""

    text: str
    source: str = "reminder"


class Answered(NamedTuple):
    """A call with its result."""

    call: ToolCall
    result: ToolFinished

    @property
    def message(self) -> ToolMessage:
        """The result as it goes into the conversation."""
        return ToolMessage(self.call.id, self.call.name, self.result.content, self.result.is_error)

    @property
    def failed(self) -> bool:
        """An error result, or a command that exited with something else than 0."""
        details = self.result.details
        return self.result.is_error or (isinstance(details, CommandRun) and bool(details.exit_code))


Word = Outcome | Reminder | None


class Middleware:
    """Every hook does nothing by default. The first hook that returns an `Outcome` ends the run.

    *Order*: `run_started`, then per turn `before_turn` and either `after_turn` (tools ran) or
    `before_rest` (the model wants to stop), and `run_ended` exactly once.
    """

    async def run_started(self, run: Run) -> None:
        """Before the first request."""

    def before_turn(self, run: Run) -> Outcome | None:
        """Before each request: the place for limits."""
        return None

    async def before_tools(self, run: Run) -> None:
        """Before the tools of a reply run."""

    def after_turn(self, run: Run, answered: Sequence[Answered]) -> Word:
        """After the tools of a reply have returned."""
        return None

    async def before_rest(self, run: Run, reply: AssistantMessage, finish_reason: str) -> Word:
        """The model called no tool. A `Reminder` makes it go on."""
        return None

    async def run_ended(self, run: Run, outcome: Outcome) -> Outcome:
        """May replace the outcome: what a model says is not always what happened."""
        return outcome
