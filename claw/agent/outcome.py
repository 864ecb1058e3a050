"""How a run ended, and the state of a run while it goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from claw.errors import ClawError, ExitCode
from claw.protocol.messages import Usage


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit code's name is the status; `error` says why it is not `DONE`."""

    exit_code: ExitCode
    error: str | None = None

    @property
    def status(self) -> str:
        return self.exit_code.name.lower()

    @property
    def is_done(self) -> bool:
        return self.exit_code is ExitCode.DONE

    @classmethod
    def of(cls, error: ClawError) -> Outcome:
        return cls(error.exit_code, str(error))


DONE = Outcome(ExitCode.DONE)


@dataclass(slots=True)
class Run:
    """The run that is going on: what it used so far. `n_denied` counts calls that the gate refused.

    `cost_usd` is None as soon as one request had no known price.
    """

    number: int
    started: float = field(default_factory=time.monotonic)
    result: str = ""
    n_turns: int = 0
    n_tool_calls: int = 0
    n_denied: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = 0.0
    verified: bool = False

    @property
    def duration_s(self) -> float:
        return time.monotonic() - self.started

    def count(self, usage: Usage | None, cost_usd: float | None) -> None:
        """Add what one request used."""
        self.usage += usage or Usage()
        self.cost_usd = None if self.cost_usd is None or cost_usd is None else self.cost_usd + cost_usd
