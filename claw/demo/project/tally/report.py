"""How much time went where."""

from collections import Counter

from tally.durations import format_duration


def minutes_by_project(entries):
    """Minutes for each project, most first, then by name."""
    totals = Counter()
    for entry in entries:
        totals[entry.project] += entry.minutes
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def minutes_by_day(entries, project=None):
    """Minutes for each day in order, of one project or of all."""
    totals = Counter()
    for entry in entries:
        if project is None or entry.client == project:
            totals[entry.day] += entry.minutes
    return dict(sorted(totals.items()))


def render(entries):
    """The table that `tally report` prints."""
    totals = minutes_by_project(entries)
    rows = [*totals.items(), ("total", sum(totals.values()))]
    return "\n".join(f"{name:<12}{format_duration(minutes)}" for name, minutes in rows)
