"""One gate that all requests to a host with one key pass, so that many agents together keep to its limits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

WINDOW_S = 60.0
MIN_PAUSE_S, MAX_PAUSE_S = 1.0, 120.0
_SHORTEST_SLEEP_S = 0.001  # a clock that lags behind its sleep must not make us spin


class Limiter:
    """Requests and tokens in any 60 seconds, and requests at one time. None: no limit is known.

        async with limiter.slot(estimated_tokens) as slot:
            …
            slot.used(tokens)

    First come, first served: a large request waits in front of the small ones behind it and is not passed.
    What a host says at run time counts for more than what was configured: a rate limit that is hit halves
    the requests at one time (at most once for those that were under way together), and each full round of
    successes adds one, up to `concurrency`.

    Only the first in the queue ever sleeps; the others wait for it. A task that is cancelled leaves the
    queue, or gives its slot back, at once.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrency: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        for limit in (requests_per_minute, tokens_per_minute, concurrency):
            if limit is not None and limit < 1:
                raise ValueError(f"a limit of {limit} would let nothing through")
        self._requests = _Window(requests_per_minute)
        self._tokens = _Window(tokens_per_minute)
        self._most = concurrency
        self._allowed: float | None = concurrency  # grows by fractions
        self._clock = clock
        self._sleep = sleep
        self._queue = asyncio.Lock()  # asyncio's lock is handed on in the order of asking
        self._freed = asyncio.Event()
        self._n_running = 0
        self._n_granted = 0
        self._last_cut = 0  # how many slots had been granted when concurrency was cut last
        self._n_pauses = 0  # since the last success
        self._paused_until = -float("inf")

    @property
    def n_running(self) -> int:
        return self._n_running

    @property
    def concurrency(self) -> int | None:
        """How many requests may run at one time now."""
        return None if self._allowed is None else int(self._allowed)

    @asynccontextmanager
    async def slot(self, estimated_tokens: int = 0) -> AsyncGenerator[Slot, None]:
        """Waits until a request of about that many tokens may be sent.

        More tokens than a minute may hold wait for an empty minute. A body that ends without an error
        counts as a success.
        """
        slot = await self._enter(max(0, estimated_tokens))
        try:
            yield slot
            if not slot.penalised:
                self._succeed()
        finally:
            self._n_running -= 1
            self._freed.set()

    def penalise(self, retry_after_s: float | None = None) -> None:
        """The host said that it is too much: nothing is sent for that long.

        Without a time the pause doubles from `MIN_PAUSE_S` with each one that follows without a success
        in between. No pause is longer than `MAX_PAUSE_S`. Inside a slot `Slot.penalise` is to be preferred.
        """
        self._penalise(retry_after_s, cut=self._clock() >= self._paused_until)

    def _penalise(self, retry_after_s: float | None, *, cut: bool) -> None:
        if cut:
            self._n_pauses += 1
            self._last_cut = self._n_granted
            allowed = self._n_running if self._allowed is None else min(self._allowed, max(self._n_running, 1))
            self._allowed = max(1.0, allowed // 2)
        if retry_after_s is None or not 0 <= retry_after_s < float("inf"):
            retry_after_s = MIN_PAUSE_S * 2.0 ** min(max(self._n_pauses - 1, 0), 16)
        self._paused_until = max(self._paused_until, self._clock() + min(retry_after_s, MAX_PAUSE_S))

    async def _enter(self, tokens: int) -> Slot:
        async with self._queue:
            while (delay_s := self._delay_s(tokens)) != 0:
                if delay_s is None:
                    self._freed.clear()
                    await self._freed.wait()
                else:
                    await self._sleep(max(delay_s, _SHORTEST_SLEEP_S))
            now = self._clock()
            self._requests.add(now, 1)
            self._n_running += 1
            self._n_granted += 1
            return Slot(self, self._n_granted, self._tokens.add(now, tokens))

    def _delay_s(self, tokens: int) -> float | None:
        """Until the next request may go; None where that depends on another one's end."""
        if self._allowed is not None and self._n_running >= int(self._allowed):
            return None
        now = self._clock()
        return max(self._paused_until - now, self._requests.delay_s(1, now), self._tokens.delay_s(tokens, now), 0.0)

    def _succeed(self) -> None:
        self._n_pauses = 0
        if self._allowed is not None and (self._most is None or self._allowed < self._most):
            grown = self._allowed + 1 / int(self._allowed)
            self._allowed = grown if self._most is None else min(grown, self._most)

    def _penalise_slot(self, number: int, retry_after_s: float | None) -> None:
        self._penalise(retry_after_s, cut=number > self._last_cut)

    def _correct(self, entry: _Entry, tokens: int) -> None:
        self._tokens.correct(entry, tokens)


class Slot:
    """The leave to send one request."""

    def __init__(self, limiter: Limiter, number: int, entry: _Entry) -> None:
        self.penalised = False
        self._limiter = limiter
        self._number = number
        self._entry = entry

    def used(self, tokens: int) -> None:
        """What the request came to, in place of the estimate; the last call counts."""
        self._limiter._correct(self._entry, max(0, tokens))

    def penalise(self, retry_after_s: float | None = None) -> None:
        """This request met a rate limit: see `Limiter.penalise`.

        Of the requests that were under way when the limit was met first, no other cuts concurrency again.
        """
        self.penalised = True
        self._limiter._penalise_slot(self._number, retry_after_s)


class _Entry:
    __slots__ = ("amount", "expired", "time")

    def __init__(self, time: float, amount: int) -> None:
        self.time = time
        self.amount = amount
        self.expired = False


class _Window:
    """What was taken within the last 60 seconds. Exact: at no moment does a minute hold more than `limit`.

    A bucket that refills would let through twice as much in its first minute.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._entries: deque[_Entry] = deque()
        self._total = 0

    def add(self, now: float, amount: int) -> _Entry:
        entry = _Entry(now, amount)
        if self._limit is not None:
            self._entries.append(entry)
            self._total += amount
        return entry

    def correct(self, entry: _Entry, amount: int) -> None:
        if self._limit is not None and not entry.expired:
            self._total += amount - entry.amount
            entry.amount = amount

    def delay_s(self, amount: int, now: float) -> float:
        """Until `amount` fits in."""
        if self._limit is None:
            return 0.0
        while self._entries and self._entries[0].time + WINDOW_S <= now:
            gone = self._entries.popleft()
            gone.expired = True
            self._total -= gone.amount
        excess = self._total + min(amount, self._limit) - self._limit
        if excess <= 0:
            return 0.0
        for entry in self._entries:
            excess -= entry.amount
            if excess <= 0:
                return entry.time + WINDOW_S - now
        raise AssertionError("an empty minute holds any amount, since it is cut to the limit")
