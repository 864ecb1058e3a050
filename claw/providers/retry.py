"""When to try a request again, and after how long."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from claw.errors import TemporaryError


class Retry(Struct, frozen=True, kw_only=True):
    """How often and how patiently a `TemporaryError` is tried again; nothing else ever is.

    The n-th pause is `base_s` · 2ⁿ⁻¹, at most `cap_s`, plus up to `jitter` of it, so that many clients do
    not come back in step. A host's own `Retry-After` goes before that, up to `retry_after_cap_s`.
    `attempts` counts the first one too. Clock, sleep and dice are passed in.
    """

    attempts: int = 10
    base_s: float = 0.5
    cap_s: float = 32.0
    jitter: float = 0.25
    retry_after_cap_s: float = 120.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dice: Callable[[], float] = random.random
    now: Callable[[], float] = time.time

    def delay_s(self, attempt: int, error: TemporaryError) -> float:
        """The pause after failed attempt number `attempt`, which counts from 1."""
        if error.retry_after_s:
            return min(error.retry_after_s, self.retry_after_cap_s)
        backoff = self.base_s * 2.0 ** min(attempt - 1, 60)
        return min(backoff, self.cap_s) * (1.0 + self.jitter * self.dice())


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """What `Retry-After` asks for, in seconds from `now`; None if it asks for nothing that makes sense.

    *Source*: RFC 9110 §10.2.3 (seconds or an HTTP date), and `retry-after-ms` as some hosts send it.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if not text:
            continue
        try:
            seconds = float(text) * unit_s
        except ValueError:
            seconds = _until(text, now)
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def _until(date: str, now: float) -> float:
    """Seconds from `now` to an HTTP date; 0 if it is past, -1 if it is no date."""
    from email.utils import mktime_tz, parsedate_tz  # rare, and not free

    parsed = parsedate_tz(date)
    try:
        return -1.0 if parsed is None else max(0.0, mktime_tz(parsed) - now)
    except (ValueError, OverflowError):
        return -1.0
