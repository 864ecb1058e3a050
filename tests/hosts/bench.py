"""claw's real client, loop and file tools at work against an enforcing host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claw.agent.context import Conversation
from claw.agent.executor import Executor
from claw.agent.guards import UnfinishedReplies
from claw.agent.loop import Agent
from claw.agent.outcome import Outcome, Run
from claw.agent.queues import EventBus
from claw.agent.structured import Structured
from claw.config import Rules
from claw.permissions.policy import PolicyGate
from claw.permissions.rules import RuleBook
from claw.protocol import events
from claw.protocol.messages import Image, Part, Prefix, Text, ToolSpec
from claw.protocol.ops import Steer, UserTurn
from claw.providers.catalog import Endpoint, load_catalog
from claw.providers.openai_chat import OpenAIChat
from claw.providers.retry import Retry
from claw.tooling.base import Workspace
from claw.tooling.boundary import Boundary
from claw.tooling.registry import ToolRegistry
from claw.tools.read import Read
from claw.tools.write import Write
from tests.fakes.blobs import FakeBlobs
from tests.fakes.model_server import ModelServer
from tests.fakes.services import FakeCommands, FakeJobs
from tests.hosts.conversation import SCHEMA, STEERED_AT_TURN, STEERS, SimulatedModel, plan, write_notes
from tests.hosts.enforcing_server import EnforcingHost, Fault
from tests.hosts.pictures import ViewMedia, data_url, png
from tests.hosts.rules import HostRules


@dataclass(frozen=True)
class Ended:
    """A run that has ended, the host's side of it and the events of claw's."""

    run: events.RunFinished
    host: EnforcingHost
    server: ModelServer
    slept_s: Sequence[float]
    seen: Sequence[events.Event]


def base_url(server: ModelServer, rules: HostRules) -> str:
    return server.url.removesuffix("/v1") + rules.base_path


def endpoint_of(
    server: ModelServer, rules: HostRules, table: Mapping[str, Any] | None = None, key: str | None = None
) -> Endpoint:
    """The endpoint as the user's config file would make it: the address, and what `table` changes."""
    environ = {**rules.environ, **({rules.key_variable: key or rules.key} if rules.key else {})}
    tables = {rules.name: {"base_url": base_url(server, rules), **(table or {})}}
    return load_catalog(tables).resolve(rules.name, None, environ)


async def drive(
    rules: HostRules,
    folder: Path,
    *,
    table: Mapping[str, Any] | None = None,
    key: str | None = None,
    thinking: bool = True,
    pictures: Sequence[str] = (),
    faults: Mapping[int, Fault] | None = None,
    more_tools: Sequence[ToolSpec] = (),
) -> Ended:
    """The run of 30 turns. `table` is laid over the host's own; `pictures` are data URLs in the prompt."""
    write_notes(folder)
    (folder / "picture.png").write_bytes(png())
    model = SimulatedModel(plan(rules.leaks_raw_calls))
    host = EnforcingHost(rules, model, faults)
    seen: list[events.Event] = []
    slept_s: list[float] = []

    async def sleep(seconds: float) -> None:
        slept_s.append(seconds)

    with ModelServer(host) as server:
        retry = Retry(attempts=4, sleep=sleep, dice=lambda: 0.0)
        provider = OpenAIChat(
            endpoint_of(server, rules, table, key), thinking=thinking, retry=retry, idle_timeout_s=5.0
        )
        registry = ToolRegistry([Read(), Write(), ViewMedia()])
        structured = Structured(SCHEMA)
        request = "" if provider.holds_to_schema else structured.request
        bus = EventBus("the-session")
        bus.subscribe(seen.append)
        boundary = Boundary((folder,))
        workspace = Workspace(folder, boundary, FakeBlobs(folder / "blobs"), FakeCommands(), FakeJobs())
        gate = PolicyGate("auto-edit", boundary, RuleBook(Rules()), confined=True, cwd=folder)

        async def moment() -> str:
            return f"Date: today\n{request}"

        def report(run: Run, outcome: Outcome) -> events.RunFinished:
            return events.RunFinished(
                run=run.number,
                status=outcome.status,
                result=run.result,
                structured=structured.value,
                error=outcome.error,
                n_turns=run.n_turns,
                n_tool_calls=run.n_tool_calls,
                usage=run.usage,
                cost_usd=run.cost_usd,
            )

        agent = Agent(
            provider.open(
                Prefix("You are claw.", (*registry.specs(), *more_tools)), session="the-session", schema=SCHEMA
            ),
            Conversation(),
            Executor(registry, gate, workspace, bus.publish),
            bus,
            (UnfinishedReplies(), structured),
            moment,
            report,
        )

        def steer(event: events.Event) -> None:
            if isinstance(event, events.TurnStarted) and event.turn == STEERED_AT_TURN:
                for text in STEERS:
                    agent.submit(Steer.of(text))

        bus.subscribe(steer)
        content: tuple[Part, ...] = (
            Text("Collect the words of all notes."),
            *map(Image, pictures or [data_url(png())]),
        )
        agent.submit(UserTurn(content))
        agent.end_of_input()
        await agent.serve()
        await provider.close()
        run = next(event for event in seen if isinstance(event, events.RunFinished))
        return Ended(run, host, server, slept_s, seen)
