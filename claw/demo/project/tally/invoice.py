"""Time as money."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from tally.durations import format_duration, round_up

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """An entry as it is billed: `minutes` are rounded up, `amount` follows from them."""

    entry: object
    minutes: int
    amount: Decimal


def lines_for(project, entries, rate):
    """A line for each entry of `project`, in order of the days. `rate` is money for an hour."""
    lines = []
    for entry in sorted(entries, key=lambda entry: entry.day):
        if entry.client == project:
            minutes = round_up(entry.minutes)
            amount = (Decimal(rate) * minutes / 60).quantize(CENT, ROUND_HALF_UP)
            lines.append(Line(entry, minutes, amount))
    return lines


def render(lines):
    """The table that `tally invoice` prints."""
    rows = [(line.entry.day.isoformat(), line.minutes, line.amount, line.entry.note) for line in lines]
    rows.append(("total", sum(line.minutes for line in lines), sum((line.amount for line in lines), Decimal(0)), ""))
    return "\n".join(
        f"{name:<12}{format_duration(minutes):<6}{amount:>8.2f}  {note}".rstrip() for name, minutes, amount, note in rows
    )
