from __future__ import annotations

import pytest

from claw.headless.result import describe_tests
from claw.protocol.events import Tests


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (Tests(), "tests: none were run"),
        (Tests(True, True, 12, 0, "pytest"), "tests: passed (12): pytest"),
        (Tests(True, False, 12, 2, "pytest"), "tests: FAILED (2 of 12 failed): pytest"),
        (Tests(True, None, None, None, "pytest | head"), "tests: ran, but no summary was seen: pytest | head"),
        (Tests(True, True, 3, 0, "pytest", True), "tests: passed (3): pytest; STALE: files changed after that run"),
    ],
)
def test_the_closing_line(seen: Tests, line: str) -> None:
    assert describe_tests(seen) == line
