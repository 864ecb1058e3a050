"""Where the money goes: tokens and dollars by turn, by tool, by run.

A host reports two numbers for a request, so what a tool cost is an attribution, made like this:

- *Arguments.* A call gets the part of the reply's output tokens that its name and arguments are of all that
  the reply wrote, by characters. Thinking belongs to no call: where the host counts it, it is taken off
  first; where not, its characters count as written.
- *Results.* A result gets its part, by characters, of the tokens by which the next request was longer than
  the last one: results, the model's own words and what the user said share that growth. They cost what
  fresh input costs, as far as the request had fresh input, and the cached price beyond. Only this first
  entry counts: that the result is sent again with every later request is the conversation's cost.
- A request's dollars are those that were reported with it. `rates` only say how they are shared among
  fresh and cached input and output, so that the parts always add up to the bill.

What is left over is the conversation itself: system prompt, history, thinking, words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct, field

from claw.protocol import events as ev
from claw.protocol.messages import AssistantMessage, Content, Text, ToolCall, Usage

PICTURE_CHARS = 4_000  # a picture weighs about as much as this much text
CHARS_A_TOKEN = 4
FORECAST_TURNS = 5


class Rates(Protocol):
    """What tokens cost, in any unit: only the proportions count."""

    @property
    def input(self) -> float: ...
    @property
    def cached(self) -> float: ...
    @property
    def output(self) -> float: ...


class KimiRates(Struct, frozen=True):
    """The proportions of Kimi K2.6, for a log that does not know the price it was billed by."""

    input: float = 0.95
    cached: float = 0.16
    output: float = 4.00


class Cost(Struct, frozen=True):
    """*Units*: tokens; dollars, None where the price of a part of it is unknown.

    `n_estimated` counts the requests whose usage the host did not report.
    """

    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    n_requests: int = 0
    n_estimated: int = 0

    @property
    def fresh(self) -> int:
        return max(0, self.usage.input - self.usage.cached)

    @property
    def cache_share(self) -> float:
        """The part of the input that the host had in its cache."""
        return min(1.0, self.usage.cached / self.usage.input) if self.usage.input else 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.usage + other.usage,
            _plus(self.cost_usd, other.cost_usd),
            self.n_requests + other.n_requests,
            self.n_estimated + other.n_estimated,
        )


class TurnCost(Struct, frozen=True):
    run: int
    turn: int
    cost: Cost


class RunCost(Struct, frozen=True):
    """`status` is empty while the run goes on."""

    run: int
    status: str
    n_turns: int
    cost: Cost


class ToolCost(Struct, frozen=True):
    """`output` tokens went into the arguments, `input` tokens into the results."""

    name: str
    n_calls: int = 0
    n_errors: int = 0
    output: float = 0.0
    input: float = 0.0
    cost_usd: float | None = 0.0


class Forecast(Struct, frozen=True):
    """What the next request would use if it went on like the last ones."""

    usage: Usage
    cost_usd: float | None


class CostReport(Struct, frozen=True):
    """`tools` has the dearest first; `conversation_usd` is what no tool is charged with."""

    total: Cost
    runs: tuple[RunCost, ...]
    turns: tuple[TurnCost, ...]
    tools: tuple[ToolCost, ...]
    conversation_usd: float | None
    forecast: Forecast | None


class CostMeter:
    """A subscriber that attributes cost; watches a session live or reads its log, with the same outcome.

    *Cost*: what is new in each event; it keeps a few numbers a turn.
    """

    def __init__(self, rates: Rates | None = None) -> None:
        self._rates = rates or KimiRates()
        self._run = self._turn = 0
        self._runs: dict[int, _Run] = {}
        self._turns: list[TurnCost] = []
        self._tools: dict[str, _Tool] = {}
        self._reply: AssistantMessage | None = None
        self._new = _NewInput()
        self._last = Usage()  # of the last request that belongs to the conversation
        self._scale: float | None = None  # dollars for one unit of the rates, by the last bill

    @classmethod
    def over(cls, events: Iterable[ev.Event], rates: Rates | None = None) -> CostMeter:
        meter = cls(rates)
        for event in events:
            meter(event)
        return meter

    def __call__(self, event: ev.Event) -> None:
        match event:
            case ev.RunStarted(run=run):
                self._run, self._turn = run, 0
                self._current_run(run).status = ""
            case ev.RunFinished(run=run, status=status):
                self._current_run(run).status = status
            case ev.TurnStarted(turn=turn):
                self._turn = turn
                self._current_run(self._run).n_turns += 1
            case ev.UserMessageAdded(message=message):
                self._new.others += _weight(message.content) + len(message.context)
            case ev.ReplyFinished(message=message):
                self._reply = message
            case ev.UsageReported():
                self._charge(event)
            case ev.ToolFinished():
                tool = self._tool(event.name)
                tool.n_calls += 1
                tool.n_errors += event.is_error
                self._new.results[event.name] = self._new.results.get(event.name, 0) + _weight(event.content)

    def report(self) -> CostReport:
        runs = tuple(RunCost(number, run.status, run.n_turns, run.cost) for number, run in self._runs.items())
        total = sum((run.cost for run in runs), Cost())
        tools = sorted(
            (ToolCost(name, t.n_calls, t.n_errors, t.output, t.input, t.cost_usd) for name, t in self._tools.items()),
            key=lambda tool: (-(tool.cost_usd or 0.0), -tool.input - tool.output, tool.name),
        )
        spent = total.cost_usd
        for tool in tools:
            spent = _plus(spent, None if tool.cost_usd is None else -tool.cost_usd)
        # What is left of a sum of floats may fall a hair below nothing.
        conversation = None if spent is None else max(0.0, spent)
        return CostReport(total, runs, tuple(self._turns), tuple(tools), conversation, self.forecast())

    def forecast(self) -> Forecast | None:
        """None before the first request whose usage is known."""
        if not self._last.input:
            return None
        recent = [turn.cost.usage for turn in self._turns if turn.cost.usage.input][-FORECAST_TURNS:]
        new = self._new.n_chars // CHARS_A_TOKEN
        # Of the input that was there before, the cache held this part lately.
        before = sum(usage.input for usage in recent[:-1])
        share = min(1.0, sum(usage.cached for usage in recent[1:]) / before) if before else self._cached_share()
        from statistics import median  # 10 ms; not on the way to the first request

        usage = Usage(
            input=self._last.input + self._last.output + new,
            cached=int(self._last.input * share),
            output=int(median(usage.output for usage in recent)),
            reasoning=int(median(usage.reasoning for usage in recent)),
        )
        return Forecast(usage, None if self._scale is None else self._scale * self._units(usage))

    def _charge(self, event: ev.UsageReported) -> None:
        cost = Cost(event.usage, event.cost_usd, 1, int(not event.reported))
        self._current_run(self._run).cost += cost
        self._turns.append(TurnCost(self._run, self._turn, cost))
        reply, self._reply = self._reply, None
        if reply is None or not (event.usage.input or event.usage.output):
            # Not a turn of the conversation, or one that was interrupted: what is new is still to be charged.
            return
        units = self._units(event.usage)
        self._scale = None if event.cost_usd is None or not units else event.cost_usd / units
        self._charge_results(event.usage)
        self._charge_calls(event.usage, reply)
        self._last = event.usage
        self._new = _NewInput(
            others=len(reply.content) + len(reply.reasoning or "") + sum(map(_size, reply.tool_calls))
        )

    def _charge_results(self, usage: Usage) -> None:
        n_chars = self._new.n_chars
        if not n_chars:
            return
        growth = usage.input - self._last.input
        if growth <= 0:  # the history was made shorter
            growth = min(n_chars // CHARS_A_TOKEN, usage.input)
        at_fresh = min(growth, max(0, usage.input - usage.cached))
        units = at_fresh * self._rates.input + (growth - at_fresh) * self._rates.cached
        for name, size in self._new.results.items():
            part = size / n_chars
            self._tool(name).charge(0.0, growth * part, self._dollars(units * part))

    def _charge_calls(self, usage: Usage, reply: AssistantMessage) -> None:
        written = len(reply.content) + sum(map(_size, reply.tool_calls))
        output = usage.output - min(usage.reasoning, usage.output)
        if not usage.reasoning:
            written += len(reply.reasoning or "")
        for call in reply.tool_calls:
            tokens = output * _size(call) / max(1, written)
            self._tool(call.name).charge(tokens, 0.0, self._dollars(tokens * self._rates.output))

    def _units(self, usage: Usage) -> float:
        cached = min(usage.cached, usage.input)
        rates = self._rates
        return (usage.input - cached) * rates.input + cached * rates.cached + usage.output * rates.output

    def _dollars(self, units: float) -> float | None:
        return None if self._scale is None else self._scale * units

    def _cached_share(self) -> float:
        return min(1.0, self._last.cached / self._last.input)

    def _current_run(self, number: int) -> _Run:
        return self._runs.setdefault(number, _Run())

    def _tool(self, name: str) -> _Tool:
        return self._tools.setdefault(name, _Tool())


class _Run(Struct):
    status: str = ""
    n_turns: int = 0
    cost: Cost = Cost()


class _Tool(Struct):
    n_calls: int = 0
    n_errors: int = 0
    output: float = 0.0
    input: float = 0.0
    cost_usd: float | None = 0.0

    def charge(self, output: float, input: float, cost_usd: float | None) -> None:
        self.output += output
        self.input += input
        self.cost_usd = _plus(self.cost_usd, cost_usd)


class _NewInput(Struct):
    """What the next request will hold for the first time. *Units*: characters."""

    others: int = 0
    results: dict[str, int] = field(default_factory=dict)

    @property
    def n_chars(self) -> int:
        return self.others + sum(self.results.values())


def _plus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def _size(call: ToolCall) -> int:
    return len(call.name) + len(call.arguments)


def _weight(content: Content) -> int:
    return sum(len(part.text) if isinstance(part, Text) else PICTURE_CHARS for part in content)
