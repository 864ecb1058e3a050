"""What an examination may cost, and what it has cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from claw.protocol.messages import AssistantMessage, Usage
from claw.providers.pricing import Price, cost_usd

ASSUMED_PRICE = Price(input=1.0, cached=1.0, output=4.0)
"""Turns `max_cost_usd` into tokens where the price is not known; about what Kimi K2.6 costs."""

CHARS_PER_TOKEN = 3  # on the careful side


class MoneySpent(Exception):
    """The next request could cost more than is left."""


@dataclass
class Bill:
    """`usage` as the host reported it; else the length of what it sent."""

    usage: Usage | None = None
    n_output_chars: int | None = None

    def pay(self, usage: Usage | None, message: AssistantMessage) -> None:
        self.usage = usage
        calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
        self.n_output_chars = len(message.content) + len(message.reasoning or "") + calls


@dataclass
class Purse:
    """What may be spent and what was. `n_estimated`: requests whose usage the host did not report."""

    limit_usd: float
    price: Price | None
    usage: Usage = field(default_factory=Usage)
    n_estimated: int = 0
    reserved_usd: float = 0.0

    @property
    def spent_usd(self) -> float:
        return cost_usd(self.usage, self.price or ASSUMED_PRICE) or 0.0

    @contextmanager
    def reserve(self, n_input: int, n_output: int) -> Iterator[Bill]:
        """Hold back the worst case while a request is under way. *Errors*: MoneySpent."""
        worst_usd = cost_usd(Usage(input=n_input, output=n_output), self.price or ASSUMED_PRICE) or 0.0
        if self.spent_usd + self.reserved_usd + worst_usd > self.limit_usd:
            raise MoneySpent
        self.reserved_usd += worst_usd
        bill = Bill()
        try:
            yield bill
        finally:
            self.reserved_usd -= worst_usd
            if bill.usage:
                self.usage += bill.usage
            elif bill.n_output_chars is not None:
                self.n_estimated += 1
                self.usage += Usage(input=n_input, output=bill.n_output_chars // CHARS_PER_TOKEN)
