"""What the agent needs to know of the work tree."""

from __future__ import annotations

from typing import Protocol


class WorkTree(Protocol):
    """Tells which files changed since it was asked to watch, by whatever hand.

    *Order*: `watch`, `ready` before anything may change, `look` at the end, then the answers.
    """

    def watch(self) -> None:
        """Note the present state, in the background. The first call counts."""
        ...

    async def ready(self) -> None:
        """Wait until the state at `watch` is noted."""
        ...

    async def look(self) -> None:
        """Compare with the state at `watch`."""
        ...

    def changed(self) -> tuple[str, ...]:
        """Absolute paths of the files that `look` found changed; empty outside a repository."""
        ...

    def changed_after(self, moment: float) -> bool:
        """Whether `look` found a file changed after `moment` (seconds since 1970)."""
        ...
