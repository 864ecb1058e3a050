"""When it is tried again, and after how long."""

from __future__ import annotations

import pytest

from claw.errors import HostUnavailable
from claw.providers.retry import Retry, retry_after_s

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


def _delays(retry: Retry, retry_after: float | None = None) -> list[float]:
    return [retry.delay_s(attempt, HostUnavailable("", retry_after_s=retry_after)) for attempt in range(1, 10)]


def test_half_a_second_doubling_to_32_with_a_quarter_of_jitter() -> None:
    assert _delays(Retry(dice=lambda: 0.0)) == [0.5, 1, 2, 4, 8, 16, 32, 32, 32]
    assert _delays(Retry(dice=lambda: 1.0)) == [0.625, 1.25, 2.5, 5, 10, 20, 40, 40, 40]
    assert Retry().delay_s(10_000, HostUnavailable("")) <= 40


def test_the_hosts_wish_goes_first_up_to_two_minutes() -> None:
    assert _delays(Retry(), 7.0) == [7.0] * 9
    assert _delays(Retry(), 86_400.0) == [120.0] * 9
    assert _delays(Retry(dice=lambda: 0.0), 0.0)[0] == 0.5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:57 GMT"}, 20.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}, 0.0),
        ({"retry-after": "Sun, 06 Nov 1994 10:49:57 +0200"}, 20.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Sun, 99 Nov 99999 08:49:57 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds
