"""Durations as people write them, and as whole minutes."""

import re

_WRITTEN = re.compile(r"(?:(?P<hours>\d+)h)?(?P<minutes>\d+)m")
_CLOCK = re.compile(r"(?P<hours>\d+):(?P<minutes>[0-5]\d)")

QUARTER = 15


def parse_duration(text):
    """Minutes in `45m`, `1h30m` or `1:30`.

    Raises ValueError for anything else, and for a duration of nothing.
    """
    match = _WRITTEN.fullmatch(text) or _CLOCK.fullmatch(text)
    if not match:
        raise ValueError(f"not a duration: {text!r} (write 45m, 1h30m, 2h or 1:30)")
    minutes = 60 * int(match["hours"] or 0) + int(match["minutes"])
    if minutes == 0:
        raise ValueError(f"nothing to write down: {text!r}")
    return minutes


def format_duration(minutes):
    """`90` as `1:30`."""
    return f"{minutes // 60}:{minutes % 60:02}"


def round_up(minutes, step=QUARTER):
    """The next multiple of `step`."""
    return (minutes // step + 1) * step
