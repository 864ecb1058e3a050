"""The shared limiter, with a clock that a test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claw.providers.limiter import MAX_PAUSE_S, WINDOW_S, Limiter

T = TypeVar("T")


class FakeClock:
    """Time passes only when every task waits. `n_sleeps` counts the sleeps of the limiter itself."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.n_sleeps = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.n_sleeps += 1
        await self.work(seconds)

    async def work(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        while True:
            for _ in range(700):  # enough for a lock to be handed on through 300 tasks
                await asyncio.sleep(0)
            if task.done():
                return task.result()
            assert self._sleepers, "all tasks wait for each other"
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)


class Host:
    """Counts what arrives. Each request takes `duration_s`; over `capacity` at one time it is refused."""

    def __init__(self, clock: FakeClock, duration_s: float = 1.0, capacity: int = 10_000) -> None:
        self.clock, self.duration_s, self.capacity = clock, duration_s, capacity
        self.arrivals: list[tuple[float, int, int]] = []  # moment, name, tokens
        self.n_running = self.most = self.n_refused = 0

    async def serve(self, name: int, tokens: int) -> bool:
        self.n_running += 1
        self.most = max(self.most, self.n_running)
        refused = self.n_running > self.capacity
        self.n_refused += refused
        self.arrivals.append((self.clock.now, name, tokens))
        try:
            await self.clock.work(0.05 if refused else self.duration_s)
        finally:
            self.n_running -= 1
        return not refused


async def _agent(limiter: Limiter, host: Host, name: int, tokens: int = 0, actual: int | None = None) -> None:
    while True:
        async with limiter.slot(tokens) as slot:
            if await host.serve(name, tokens):
                slot.used(tokens if actual is None else actual)
                return
            slot.penalise()


def _make(clock: FakeClock, **limits: int) -> Limiter:
    return Limiter(**limits, clock=clock, sleep=clock.sleep)


async def _all(limiter: Limiter, host: Host, n: int, tokens: int = 0) -> None:
    await asyncio.gather(*(_agent(limiter, host, k, tokens) for k in range(n)))


def _most_in_a_minute(arrivals: list[tuple[float, int, int]]) -> tuple[int, int]:
    """Requests and tokens in the fullest window."""
    windows = [[one for one in arrivals if start <= one[0] < start + WINDOW_S] for start, _, _ in arrivals]
    return max(map(len, windows)), max(sum(one[2] for one in window) for window in windows)


async def test_without_limits_nothing_waits() -> None:
    clock = FakeClock()
    host = Host(clock)
    await clock.run(_all(_make(clock), host, 300))
    assert (clock.now, host.most, clock.n_sleeps) == (1001.0, 300, 0)


async def test_300_agents_keep_to_requests_a_minute_in_the_order_of_asking() -> None:
    clock = FakeClock()
    limiter, host = _make(clock, requests_per_minute=50), Host(clock)
    await clock.run(_all(limiter, host, 300))
    assert [name for _, name, _ in host.arrivals] == list(range(300))
    assert _most_in_a_minute(host.arrivals)[0] == 50
    assert clock.now == 1000.0 + 5 * WINDOW_S + 1
    assert clock.n_sleeps == 5  # one a minute: nobody polls
    assert limiter.n_running == 0


async def test_concurrency_is_never_passed_and_always_used() -> None:
    clock = FakeClock()
    host = Host(clock, duration_s=2.0)
    await clock.run(_all(_make(clock, concurrency=30), host, 300))
    assert (host.most, clock.now, clock.n_sleeps) == (30, 1020.0, 0)
    assert [name for _, name, _ in host.arrivals] == list(range(300))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 120), min_size=1, max_size=40),
    st.integers(1, 10),
    st.integers(50, 200),
    st.integers(1, 8),
)
def test_no_minute_holds_more_than_it_may(sizes: list[int], requests: int, tokens: int, concurrency: int) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        limiter = _make(clock, requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency)
        host = Host(clock, duration_s=7.0)
        await clock.run(_gather([_agent(limiter, host, k, size) for k, size in enumerate(sizes)]))
        assert [name for _, name, _ in host.arrivals] == list(range(len(sizes)))
        most_requests, most_tokens = _most_in_a_minute(host.arrivals)
        assert most_requests <= requests
        assert most_tokens <= max(tokens, *sizes)
        assert host.most <= concurrency
        assert clock.n_sleeps <= len(sizes)

    asyncio.run(scenario())


async def _gather(works: list[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*works)


async def test_what_was_really_used_counts() -> None:
    clock = FakeClock()
    limiter, host = _make(clock, tokens_per_minute=100), Host(clock)
    await clock.run(_agent(limiter, host, 0, 90, actual=10))
    await clock.run(_agent(limiter, host, 1, 90))
    assert [moment for moment, _, _ in host.arrivals] == [1000.0, 1001.0]
    await clock.run(_agent(limiter, host, 2, 0, actual=250))  # far more than was estimated: all wait for it
    await clock.run(_agent(limiter, host, 3, 1))
    assert host.arrivals[-1][0] == 1002.0 + WINDOW_S


async def test_a_correction_after_more_than_a_minute_frees_nothing() -> None:
    clock = FakeClock()
    limiter, slow, host = _make(clock, tokens_per_minute=100), Host(clock, duration_s=70.0), Host(clock)

    async def scenario() -> None:
        await asyncio.gather(_agent(limiter, slow, 0, 90, actual=0), *(_agent(limiter, host, k, 90) for k in (1, 2, 3)))

    await clock.run(scenario())
    assert [moment for moment, _, _ in host.arrivals] == [1000.0 + WINDOW_S * k for k in (1, 2, 3)]


async def test_more_than_a_minute_holds_waits_for_an_empty_one() -> None:
    clock = FakeClock()
    limiter, host = _make(clock, tokens_per_minute=100), Host(clock)
    await clock.run(_agent(limiter, host, 0, 1))
    await clock.run(_agent(limiter, host, 1, 10**9))
    await clock.run(_agent(limiter, host, 2, 1))
    assert [moment for moment, _, _ in host.arrivals] == [1000.0, 1000.0 + WINDOW_S, 1000.0 + 2 * WINDOW_S]


async def test_a_penalty_makes_all_wait() -> None:
    clock = FakeClock()
    limiter, host = _make(clock, concurrency=4), Host(clock)

    async def scenario() -> None:
        async with limiter.slot() as slot:
            slot.penalise(20.0)
        await _all(limiter, host, 4)

    await clock.run(scenario())
    assert {moment for moment, _, _ in host.arrivals} >= {1020.0}
    assert min(moment for moment, _, _ in host.arrivals) == 1020.0
    assert clock.n_sleeps == 1


@pytest.mark.parametrize(
    ("retry_after_s", "pause_s"),
    [(3.0, 3.0), (0.0, 0.0), (1e9, MAX_PAUSE_S), (float("nan"), 1.0), (float("inf"), 1.0), (-5.0, 1.0), (None, 1.0)],
)
async def test_how_long_a_penalty_lasts(retry_after_s: float | None, pause_s: float) -> None:
    clock = FakeClock()
    limiter, host = _make(clock), Host(clock)
    limiter.penalise(retry_after_s)
    await clock.run(_agent(limiter, host, 0))
    assert host.arrivals[0][0] == 1000.0 + pause_s


async def test_pauses_without_a_time_double_until_a_success() -> None:
    clock = FakeClock()
    limiter = _make(clock)
    moments: list[float] = []

    async def refused_or_not(refused: bool) -> None:
        async with limiter.slot() as slot:
            moments.append(clock.now)
            if refused:
                slot.penalise()

    for refused in (True, True, True, False, True, False):
        await clock.run(refused_or_not(refused))
    assert [b - a for a, b in itertools.pairwise(moments)] == [1.0, 2.0, 4.0, 0.0, 1.0]


async def test_one_burst_of_refusals_halves_concurrency_once() -> None:
    clock = FakeClock()
    limiter = _make(clock, concurrency=64)
    first_slots = [limiter.slot() for _ in range(64)]
    for slot in [await context.__aenter__() for context in first_slots]:
        slot.penalise(1.0)
    assert limiter.concurrency == 32
    for context in first_slots:
        await context.__aexit__(None, None, None)
    clock.now += 2.0
    async with limiter.slot() as slot:
        slot.penalise(1.0)
    assert limiter.concurrency == 1  # one was running, and that was too much already


@pytest.mark.parametrize("limits", [{}, {"concurrency": 300}])
async def test_300_agents_find_what_a_host_can_do(limits: dict[str, int]) -> None:
    clock = FakeClock()
    limiter, host = _make(clock, **limits), Host(clock, duration_s=1.0, capacity=20)
    await clock.run(_all(limiter, host, 300))
    served = len(host.arrivals) - host.n_refused
    assert served == 300
    # Halving from 300 has four bursts beyond 20: 280, 130, 55 and 17. After that a refusal is the price of trying.
    assert host.n_refused < 280 + 130 + 55 + 17 + 60
    assert clock.now - 1000.0 < 60
    assert clock.n_sleeps < 60


async def test_concurrency_recovers_to_what_was_configured() -> None:
    clock = FakeClock()
    limiter, host = _make(clock, concurrency=8), Host(clock)
    limiter.penalise(1.0)
    assert limiter.concurrency == 1  # nothing was running
    await clock.run(_all(limiter, host, 100))
    assert (limiter.concurrency, host.most) == (8, 8)


async def test_a_cancelled_task_leaves_the_queue_and_gives_its_slot_back() -> None:
    clock = FakeClock()
    limiter, host = _make(clock, concurrency=1, requests_per_minute=3), Host(clock, duration_s=5.0)

    async def scenario() -> None:
        tasks = [asyncio.create_task(_agent(limiter, host, k)) for k in range(6)]
        await clock.work(1.0)
        tasks[0].cancel()  # it runs
        tasks[1].cancel()  # it is first in the queue
        tasks[3].cancel()  # it is somewhere in it
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [
            True,
            True,
            False,
            True,
            False,
            False,
        ]

    await clock.run(scenario())
    assert [(moment, name) for moment, name, _ in host.arrivals] == [
        *((1000.0, 0), (1001.0, 2), (1006.0, 4), (1000.0 + WINDOW_S, 5)),
    ]
    assert limiter.n_running == 0


async def test_the_first_in_the_queue_may_be_cancelled_while_it_sleeps() -> None:
    clock = FakeClock()
    limiter, host = _make(clock, requests_per_minute=1), Host(clock)

    async def scenario() -> None:
        tasks = [asyncio.create_task(_agent(limiter, host, k)) for k in range(3)]
        await clock.work(10.0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    await clock.run(scenario())
    assert [(moment, name) for moment, name, _ in host.arrivals] == [(1000.0, 0), (1060.0, 2)]


async def test_an_error_inside_a_slot_gives_it_back_and_is_no_success() -> None:
    clock = FakeClock()
    limiter = _make(clock, concurrency=4)
    limiter.penalise(0.0)
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            async with limiter.slot():
                raise OSError("gone")
    assert (limiter.n_running, limiter.concurrency) == (0, 1)


async def test_with_the_real_clock() -> None:
    limiter = Limiter(concurrency=3, requests_per_minute=1000)
    seen: list[int] = []

    async def work(k: int) -> None:
        async with limiter.slot(10) as slot:
            await asyncio.sleep(0)
            slot.used(5)
            seen.append(k)

    await asyncio.gather(*(work(k) for k in range(100)))
    assert seen == list(range(100))


@pytest.mark.parametrize("limits", [{"concurrency": 0}, {"requests_per_minute": 0}, {"tokens_per_minute": -1}])
def test_a_limit_that_lets_nothing_through_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="would let nothing through"):
        Limiter(**limits)
