"""`claw sessions show ID --cost`: where the tokens and the dollars of a session went."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from claw.cli.tables import print_table
from claw.printable import one_line
from claw.protocol import events as ev
from claw.runtime.costs import Cost, CostMeter, CostReport
from claw.session.export import cost as dollars

_ESTIMATED = "~"


def show_costs(events: Iterable[ev.Event], *, as_json: bool) -> None:
    """A table for people, or one JSON object in ASCII."""
    report = CostMeter.over(events).report()
    if as_json:
        print(json.dumps(_as_record(report)))
        return
    head = ("RUN", "STATUS", "TURNS", "FRESH", "CACHED", "HIT", "OUT", "THINKING", "COST")
    runs = [
        (str(run.run), one_line(run.status or "unfinished", 40), str(run.n_turns), *_cells(run.cost))
        for run in report.runs
    ]
    n_turns = sum(run.n_turns for run in report.runs)
    print_table([head, *runs, ("all", "", str(n_turns), *_cells(report.total))], n_right=7)
    print()
    rows_of_tools = [("TOOL", "CALLS", "ERRORS", "IN", "OUT", "COST", "SHARE")]
    for tool in report.tools:
        counts = (str(tool.n_calls), str(tool.n_errors), f"{tool.input:.0f}", f"{tool.output:.0f}")
        share = _share(tool.cost_usd, report.total.cost_usd)
        rows_of_tools.append((one_line(tool.name, 60), *counts, dollars(tool.cost_usd), share))
    rest = report.conversation_usd
    rows_of_tools.append(("(conversation)", "", "", "", "", dollars(rest), _share(rest, report.total.cost_usd)))
    print_table(rows_of_tools, n_right=6)
    if forecast := report.forecast:
        use, price = forecast.usage, dollars(forecast.cost_usd)
        print(f"\nnext turn: about {use.input} in ({use.cached} cached), {use.output} out, {price}")
    if n := report.total.n_estimated:
        print(f"\n{_ESTIMATED} the host reported no usage for {n} of {report.total.n_requests} requests: estimated")


def _cells(cost: Cost) -> tuple[str, ...]:
    usage, mark = cost.usage, _ESTIMATED if cost.n_estimated else ""
    numbers = (str(cost.fresh), str(usage.cached), f"{cost.cache_share:.0%}", str(usage.output), str(usage.reasoning))
    return (*(mark + number for number in numbers), mark + dollars(cost.cost_usd))


def _share(part: float | None, whole: float | None) -> str:
    return "" if part is None or not whole else f"{part / whole:.0%}"


def _as_record(report: CostReport) -> dict[str, Any]:
    """The report, with what is derived from it beside it."""
    record: dict[str, Any] = msgspec.to_builtins(report)
    costs = [(record["total"], report.total)]
    for name in ("runs", "turns"):
        costs += [(row["cost"], one.cost) for row, one in zip(record[name], getattr(report, name), strict=True)]
    for row, cost in costs:
        row |= {"fresh": cost.fresh, "cache_share": cost.cache_share}
    return record
