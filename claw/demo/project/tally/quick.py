"""The short form of an entry: `1h30m acme login form`."""

import re

from tally.durations import parse_duration
from tally.entry import Entry

_DURATION = re.compile(r"(\d+h)?\d+m|\d+:[0-5]\d")


def parse_quick(words, day):
    """The entry that `words` describe. The duration may stand before or after the project.

    Raises ValueError if there is no duration or no project.
    """
    at = next((i for i, word in enumerate(words[:2]) if _DURATION.fullmatch(word)), None)
    if at is None:
        raise ValueError(f"no duration in {' '.join(words)!r}")
    rest = [word for i, word in enumerate(words) if i != at]
    if not rest:
        raise ValueError("no project given")
    return Entry(day, rest[0], parse_duration(words[at]), " ".join(rest[1:]))
