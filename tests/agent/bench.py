"""An agent with a scripted model and a small tool, and all the events it publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from claw.agent.context import Conversation
from claw.agent.executor import Executor
from claw.agent.loop import Agent
from claw.agent.middleware import Middleware
from claw.agent.outcome import Outcome, Run
from claw.agent.queues import EventBus
from claw.config import Rules
from claw.permissions.policy import PolicyGate
from claw.permissions.rules import RuleBook
from claw.protocol import events
from claw.protocol.messages import Prefix
from claw.protocol.ops import AnyOp, UserTurn
from claw.tooling.base import Workspace
from claw.tooling.boundary import Boundary
from claw.tooling.registry import ToolRegistry
from tests.fakes.blobs import FakeBlobs
from tests.fakes.provider import FakeProvider, Step
from tests.fakes.services import FakeCommands, FakeJobs
from tests.fakes.tools import WriteNote

E = TypeVar("E", bound=events.Event)


class AgentBench:
    def __init__(
        self, folder: Path, script: Iterable[Step], middleware: Sequence[Middleware] = (), delay_s: float = 0.0
    ) -> None:
        self.tool = WriteNote()
        self.events: list[events.Event] = []
        self.provider = FakeProvider(script, delay_s=delay_s)
        self.conversation = Conversation()
        self.bus = EventBus("test-session")
        self.bus.subscribe(self.events.append)
        boundary = Boundary((folder,))
        workspace = Workspace(folder, boundary, FakeBlobs(folder / "blobs"), FakeCommands(), FakeJobs())
        gate = PolicyGate("auto-edit", boundary, RuleBook(Rules()), confined=True, cwd=folder)
        registry = ToolRegistry([self.tool])
        self.executor = Executor(registry, gate, workspace, self.bus.publish)
        self.agent = Agent(
            self.provider.open(Prefix("system", registry.specs())),
            self.conversation,
            self.executor,
            self.bus,
            middleware,
            self._moment,
            self._report,
        )

    async def _moment(self) -> str:
        return "Date: today"

    def _report(self, run: Run, outcome: Outcome) -> events.RunFinished:
        return events.RunFinished(
            run=run.number, status=outcome.status, result=run.result, error=outcome.error, n_turns=run.n_turns
        )

    async def work(self, *prompts: str, then: Iterable[tuple[float, AnyOp]] = ()) -> events.RunFinished:
        """Give the prompts, send each op of `then` after its delay in seconds, and return the last run's end."""
        serving = asyncio.create_task(self.agent.serve())
        for prompt in prompts:
            self.agent.submit(UserTurn.of(prompt))
        for delay_s, op in then:
            await asyncio.sleep(delay_s)
            self.agent.submit(op)
        self.agent.end_of_input()
        await serving
        return self.of(events.RunFinished)[-1]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def names(self) -> list[str]:
        """The kinds of the events, in order, without deltas."""
        return [type(event).__name__ for event in self.events if event.persisted]
