"""Between the app and the core: opens sessions, hands ops down, and events up in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from claw.config import Settings
from claw.protocol.events import Event, TitleChanged
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
        self.title = ""

    @property
    def runtime(self) -> Runtime | None:
        """What is at work; None before it is loaded, and after a failure."""
        return self._runtime

    async def open(self, **changes: object) -> None:
        """Open a session by the settings with these changes; one that was open is closed first.

        *Errors*: ClawError; the settings are as before then, and no session is open.
        """
        await self.close()
        self.session = self.title = ""
        settings = msgspec.structs.replace(self.settings, **changes) if changes else self.settings
        # Half a second of imports: in a thread, so that keys are echoed meanwhile.
        open_runtime = await asyncio.to_thread(_load)
        self._runtime = runtime = open_runtime(settings, self._environ, [self._note], answerable=True)
        self.settings = settings
        self._serving = asyncio.create_task(self._serve(runtime))
        for op in self._waiting:
            runtime.submit(op)
        self._waiting.clear()

    async def sessions(self) -> Sessions:
        """All that there are."""
        history = await asyncio.to_thread(_load_history)
        return history(self._environ)

    async def past(self, document: Document, resume: str | None) -> Past:
        """What was said in the session `resume`, or in the latest of the folder. *Errors*: ClawError."""
        sessions = await self.sessions()
        name = resume or sessions.latest(self.settings.cwd)
        return Past(sessions.past(name), document, sessions.info(name))

    async def _serve(self, runtime: Runtime) -> None:
        try:
            await runtime.serve()
        finally:
            await runtime.close()

    def _note(self, event: Event) -> None:
        self.session = event.session or self.session
        if isinstance(event, TitleChanged):
            self.title = event.title
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
