"""The façade that frontends talk to: one session at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from claw.agent.loop import Agent
from claw.agent.queues import EventBus
from claw.errors import ClawError
from claw.protocol import events
from claw.protocol.messages import Content, ToolSpec
from claw.providers.base import Provider
from claw.runtime.safety import Safety
from claw.sandbox.jobs import BackgroundJobs
from claw.tooling.services import HostMedia, Job


class Runtime:
    """One session at work: ops in through `submit`, events out to the subscribers.

    *Order*: `open`, then `submit` at any time, `serve` until it returns, `close`.
    """

    def __init__(
        self,
        agent: Agent,
        bus: EventBus,
        provider: Provider,
        safety: Safety,
        jobs: BackgroundJobs,
        save: Callable[[], None],
        recorded_prompt: str | None,
        media: HostMedia,
        tools: Sequence[ToolSpec],
    ) -> None:
        self._agent = agent
        self._bus = bus
        self._provider = provider
        self._safety = safety
        self._jobs = jobs
        self._save = save
        self._media = media
        self.sandbox = safety.confinement.name
        self.recorded_prompt = recorded_prompt
        self.tools = tools
        self.rules = safety.rules
        self.context_window = provider.context_window
        self.submit = agent.submit

    def background(self) -> Sequence[Job]:
        """The commands that were put there, finished ones too."""
        return self._jobs.all()

    async def serve(self) -> None:
        """Until `Shutdown` or the end of input. *Errors*: UsageError where the network proxy cannot listen."""
        await self._safety.start()
        await self._agent.serve()

    def end_of_input(self) -> None:
        """No more ops will come: end once everything that was asked is done. What waits for an answer gets none."""
        self._safety.broker.close()
        self._agent.end_of_input()

    async def attach(self, given: Sequence[Path], mentioned: Sequence[Path]) -> Content:
        """Pictures and videos as parts of a user message. What is only `mentioned` may be something else.

        *Errors*: UsageError for what is given and cannot be shown to the model; ProviderError.
        """
        from claw.media.attach import attach  # most runs show nothing

        return await attach(given, mentioned, self._media)

    def refuse(self, error: ClawError) -> None:
        """An op could not be read; say so and go on."""
        self._bus.publish(events.Notice(text=str(error)))

    async def close(self) -> None:
        """Stop what still runs, close the log, let go of the host."""
        await self._jobs.close()
        await self._safety.close()
        await self._provider.close()
        self._bus.publish(events.SessionEnded())
        self._save()
