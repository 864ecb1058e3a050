"""Limits of a run: turns, dollars, tokens, time. The one that is reached ends the run with status `limit`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from claw.agent.middleware import Middleware
from claw.agent.outcome import Outcome, Run
from claw.errors import ExitCode


def limit_reached(what: str) -> Outcome:
    return Outcome(ExitCode.LIMIT, f"limit reached: {what}")


class TurnLimit(Middleware):
    """At most `max_turns` replies of the model."""

    def __init__(self, max_turns: int) -> None:
        self._max_turns = max_turns

    def before_turn(self, run: Run) -> Outcome | None:
        if run.n_turns >= self._max_turns:
            return limit_reached(f"{self._max_turns} turns")
        return None


class CostLimit(Middleware):
    """No further request once the run has cost `max_cost_usd`. Needs a known price."""

    def __init__(self, max_cost_usd: float) -> None:
        self._max_cost_usd = max_cost_usd

    def before_turn(self, run: Run) -> Outcome | None:
        if run.cost_usd is None or run.cost_usd >= self._max_cost_usd:
            spent = "an unknown amount" if run.cost_usd is None else f"${run.cost_usd:.4f}"
            return limit_reached(f"{spent} of ${self._max_cost_usd:g} spent")
        return None


class TokenLimit(Middleware):
    """No further request once input and output together, over all requests, are `max_tokens`."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens

    def before_turn(self, run: Run) -> Outcome | None:
        if run.usage.total >= self._max_tokens:
            return limit_reached(f"{run.usage.total} of {self._max_tokens} tokens used")
        return None


class TimeLimit(Middleware):
    """Stops the run after `max_time_s`, also in the middle of a request or a command."""

    def __init__(self, max_time_s: float, stop: Callable[[Outcome], None]) -> None:
        self._max_time_s = max_time_s
        self._stop = stop
        self._timer: asyncio.TimerHandle | None = None

    async def run_started(self, run: Run) -> None:
        outcome = limit_reached(f"{self._max_time_s:g} s")
        self._timer = asyncio.get_running_loop().call_later(self._max_time_s, self._stop, outcome)

    async def run_ended(self, run: Run, outcome: Outcome) -> Outcome:
        if self._timer:
            self._timer.cancel()
        return outcome
