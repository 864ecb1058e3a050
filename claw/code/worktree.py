"""Watches a git work tree over a run: what changed in it, by tools, commands or commits."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from claw.code.snapshot import WorkTreeSnapshot, changes_since, snapshot

# What running things leaves behind in repositories that ignore nothing: no change that anyone made.
BY_PRODUCTS = frozenset(
    {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox", "node_modules",
     ".coverage", ".DS_Store"}
)  # fmt: skip
# The file system's clock ticks more coarsely than ours.
_CLOCK_SLACK_S = 0.01


class GitWorkTree:
    """Implements `claw.code.base.WorkTree`; outside a repository it sees nothing."""

    def __init__(self, cwd: Path, *, follow_pointers: bool = False) -> None:
        """`follow_pointers`: as for `locate`."""
        self._cwd = cwd
        self._follow_pointers = follow_pointers
        self._before: asyncio.Task[WorkTreeSnapshot | None] | None = None
        self._changed: tuple[Path, ...] = ()

    def watch(self) -> None:
        if self._before is None:
            self._before = asyncio.create_task(snapshot(self._cwd, follow_pointers=self._follow_pointers))

    async def ready(self) -> None:
        if self._before is not None:
            await asyncio.shield(self._before)

    async def look(self) -> None:
        before = await asyncio.shield(self._before) if self._before is not None else None
        changes = await changes_since(before) if before is not None else None
        top = before.location.top if before is not None else self._cwd
        self._changed = tuple(
            path for path in changes or () if not BY_PRODUCTS.intersection(path.relative_to(top).parts)
        )

    def changed(self) -> tuple[str, ...]:
        return tuple(map(str, self._changed))

    def changed_after(self, moment: float) -> bool:
        return any(_changed_at(path) > moment + _CLOCK_SLACK_S for path in self._changed)


def _changed_at(path: Path) -> float:
    """0 for a file that is gone: when it went cannot be seen."""
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0
