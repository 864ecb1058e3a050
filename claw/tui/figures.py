"""The numbers of a session, as the status line and the panels show them. Pure: no clock, no screen."""

from __future__ import annotations

from claw.config import Limits
from claw.protocol import events as ev
from claw.protocol.messages import Usage

WINDOW_TOKENS = 262_144
_POINTS = 500


class Figures:
    """A subscriber. `cost_usd` is None once a price was unknown; `points` are (time, cost, context) of each request."""

    def __init__(self, limits: Limits | None = None, window_tokens: int = WINDOW_TOKENS) -> None:
        self.limits = limits or Limits()
        self.window_tokens = window_tokens
        self.host = self.model = self.mode = self.sandbox = ""
        self.state = "starting"
        self.forget()

    def forget(self) -> None:
        """Another session has begun: what was counted is that of the one before."""
        self.context_tokens = 0
        self.usage = Usage()
        self.last = Usage()
        self.cost_usd: float | None = 0.0
        self.run_cost_usd = 0.0
        self.n_turns = 0
        self.n_tool_calls = 0
        self.run_started: float | None = None
        self.points: list[tuple[float, float, int]] = []
        self._running: set[str] = set()
        self._asked: set[str] = set()

    def go_on(self, usage: Usage, cost_usd: float | None) -> None:
        """A session is taken up again in which this was used before."""
        self.usage, self.cost_usd = usage, cost_usd

    @property
    def n_running(self) -> int:
        return len(self._running)

    @property
    def context_share(self) -> float:
        return self.context_tokens / self.window_tokens

    @property
    def cached_share(self) -> float:
        return self.usage.cached / self.usage.input if self.usage.input else 0.0

    def forecast_usd(self) -> float | None:
        """What an hour costs at the pace of the last requests; None where there are too few to tell."""
        recent = self.points[-20:]
        if self.cost_usd is None or len(recent) < 3 or recent[-1][0] - recent[0][0] < 5:
            return None
        return (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0]) * 3600

    def __call__(self, event: ev.Event) -> None:
        match event:
            case ev.SessionStarted() | ev.SessionResumed():
                self.host, self.model, self.mode, self.sandbox = event.host, event.model, event.mode, event.sandbox
                self.state = "ready"
            case ev.ModeChanged():
                self.mode = event.mode
            case ev.RunStarted():
                self.state, self.run_started, self.run_cost_usd = "asking the model", event.ts, 0.0
            case ev.TurnStarted():
                self.n_turns += 1
                self.state = "asking the model"
            case ev.ReasoningDelta():
                self.state = "thinking"
            case ev.TextDelta():
                self.state = "writing"
            case ev.RetryScheduled():
                self.state = "waiting for the host"
            case ev.UsageReported():
                self._count(event)
            case ev.ToolStarted():
                self._running.add(event.call_id)
                self._asked.discard(event.call_id)
                self.state = "working"
            case ev.ToolFinished():
                self._running.discard(event.call_id)
                self.n_tool_calls += 1
            case ev.ApprovalAsked():
                self._asked.add(event.approval)
                self.state = "waiting for you"
            case ev.ApprovalAnswered():
                self._asked.discard(event.approval)
                if not self._asked:
                    self.state = "working"
            case ev.RunFinished():
                self.state, self.run_started = "ready", None
                self._running.clear()
                self._asked.clear()

    def _count(self, event: ev.UsageReported) -> None:
        self.last = event.usage
        self.usage += event.usage
        self.context_tokens = event.usage.total
        if event.cost_usd is None:
            self.cost_usd = None
        elif self.cost_usd is not None:
            self.cost_usd += event.cost_usd
            self.run_cost_usd += event.cost_usd
        self.points.append((event.ts, self.cost_usd or 0.0, self.context_tokens))
        if len(self.points) > _POINTS:
            del self.points[1 : _POINTS // 2 : 2]  # the older half, thinned

    def used_limit(self, now: float) -> tuple[str, float] | None:
        """The limit that is nearest, and how much of it is used, from 0 to 1."""
        limits = self.limits
        shares = []
        if limits.max_turns:
            shares.append(("turns", self.n_turns / limits.max_turns))
        if limits.max_tokens:
            shares.append(("tokens", self.usage.total / limits.max_tokens))
        if limits.max_cost_usd:
            shares.append(("cost", self.run_cost_usd / limits.max_cost_usd))
        if limits.max_time_s and self.run_started:
            shares.append(("time", (now - self.run_started) / limits.max_time_s))
        return max(((name, min(share, 1.0)) for name, share in shares), key=lambda each: each[1], default=None)
