"""Weeks from Monday to Sunday."""

from datetime import timedelta


def week_of(day):
    """The first and the last day of the week that `day` lies in."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def within(entries, first, last):
    """Those of `entries` from `first` to `last`, both included."""
    return [entry for entry in entries if first <= entry.day <= last]
