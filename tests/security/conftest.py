"""Where the hostile cases are run: every back-end of this machine, as root and as an ordinary user."""

from __future__ import annotations

import sys

import pytest

from tests.security.users import ORDINARY, ROOT, User
from tests.security.walls import Walls

USUAL = [Walls(backend, user) for backend in ("bubblewrap", "landlock") for user in (ROOT, ORDINARY)]
# The fallback of the first; no other code judges what it lets through.
FALLBACK = [pytest.param(Walls("bubblewrap-once", user), marks=pytest.mark.slow) for user in (ROOT, ORDINARY)]


@pytest.fixture(scope="module", params=[*USUAL, *FALLBACK], ids=lambda walls: f"{walls.backend}-{walls.user.name}")
def walls(request: pytest.FixtureRequest) -> Walls:
    chosen: Walls = request.param
    if chosen.missing:
        pytest.skip(chosen.missing)
    return chosen


@pytest.fixture(scope="module")
def anyone() -> User:
    """Who runs what is run once: whoever can do the most harm."""
    if sys.platform != "linux":
        pytest.skip("these are the cases of Linux")
    return ORDINARY if ROOT.missing else ROOT
