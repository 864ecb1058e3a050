"""What a request costs."""

from __future__ import annotations

from msgspec import Struct

from claw.protocol.messages import Usage


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """*Units*: dollars per million tokens. `cached` is for input that the host had in its cache.

    `seen` is the month in which the host asked for it, as `2026-11`.
    """

    input: float
    cached: float
    output: float
    seen: str = ""


def cost_usd(usage: Usage | None, price: Price | None) -> float | None:
    """None where either is unknown. Thinking is part of the output and costs the same."""
    if usage is None or price is None:
        return None
    cached = min(usage.cached, usage.input)
    fresh = usage.input - cached
    return (fresh * price.input + cached * price.cached + usage.output * price.output) / 1_000_000
