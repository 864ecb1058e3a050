"""Between the app and the core: opens sessions, hands ops down, and events up in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from claw.config import Settings
from claw.protocol.events import Event
from claw.protocol.ops import AnyOp, Shutdown
from claw.tui.document import Document
from claw.tui.past import Past

if TYPE_CHECKING:
    from claw.runtime.history import Sessions
    from claw.runtime.session import Runtime

_LEAVE_S = 10.0


class Bridge:
    """One session at a time. The core is loaded when the first is opened: a prompt can be painted before that.

    `on_event` is called on the loop for every event; it must not raise.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], on_event: Callable[[Event], None]) -> None:
        self.settings = settings
        self._environ = environ
        self._on_event = on_event
        self._runtime: Runtime | None = None
        self._serving: asyncio.Task[None] | None = None
        self._waiting: list[AnyOp] = []  # said before the core was there
        self.session = ""

    @property
    def is_open(self) -> bool:
        return self._runtime is not None

    @property
    def sandbox(self) -> str:
        return self._runtime.sandbox if self._runtime else ""

    async def open(self, **changes: object) -> None:
        """Open a session by the settings with these changes; one that was open is closed first.

        *Errors*: ClawError; the settings are as before then, and no session is open.
        """
        await self.close()
        settings = msgspec.structs.replace(self.settings, **changes) if changes else self.settings
        # Half a second of imports: in a thread, so that keys are echoed meanwhile.
        open_runtime = await asyncio.to_thread(_load)
        self._runtime = runtime = open_runtime(settings, self._environ, [self._note], answerable=True)
        self.settings = settings
        self._serving = asyncio.create_task(self._serve(runtime))
        for op in self._waiting:
            runtime.submit(op)
        self._waiting.clear()

    async def past(self, document: Document) -> Past | None:
        """What was said in the session that the settings go on with. *Errors*: ClawError if there is none."""
        settings = self.settings
        if settings.resume is None and not settings.continue_latest:
            return None
        history = await asyncio.to_thread(_load_history)
        sessions = history(self._environ)
        return Past(sessions.past(settings.resume or sessions.latest(settings.cwd)), document)

    async def _serve(self, runtime: Runtime) -> None:
        try:
            await runtime.serve()
        finally:
            await runtime.close()

    def _note(self, event: Event) -> None:
        self.session = event.session or self.session
        self._on_event(event)

    def submit(self, op: AnyOp) -> None:
        if self._runtime:
            self._runtime.submit(op)
        else:
            self._waiting.append(op)

    async def close(self) -> None:
        """Stop what runs, in good order. *Errors*: what the core failed with, which is a bug, or a ClawError."""
        runtime, serving = self._runtime, self._serving
        self._runtime = self._serving = None
        if runtime and serving:
            runtime.submit(Shutdown())
            try:
                await asyncio.wait_for(asyncio.shield(serving), _LEAVE_S)
            except TimeoutError:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    @property
    def failure(self) -> BaseException | None:
        """Why the core ended by itself, if it did."""
        if self._serving and self._serving.done() and not self._serving.cancelled():
            return self._serving.exception()
        return None


def _load_history() -> Callable[[Mapping[str, str]], Sessions]:
    from claw.runtime.history import Sessions

    return Sessions


def _load() -> Callable[..., Runtime]:
    from claw.runtime.composition import open_runtime

    return open_runtime
