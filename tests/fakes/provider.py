"""A model that says what a script tells it to, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence

import msgspec

from claw.protocol.messages import AssistantMessage, Message, Prefix, ToolCall, Usage
from claw.providers.base import Chat, JsonSchema, ReasoningChunk, Reply, StreamItem, TextChunk

Step = Reply | Exception


class FakeProvider:
    """Implements `Provider`: each ask gives the next reply of the script, or raises the next error.

    `requests` keeps what was asked, one tuple of messages for each ask; `prefixes`, `sessions` and
    `schemas` what was opened.
    """

    host = "fake"

    def __init__(
        self,
        script: Iterable[Step],
        *,
        model: str = "fake-model",
        context_window: int = 262_144,
        price_known: bool = True,
        holds_to_schema: bool = False,
        delay_s: float = 0.0,
    ) -> None:
        self.model = model
        self.context_window = context_window
        self.requests: list[tuple[Message, ...]] = []
        self.prefixes: list[Prefix] = []
        self.sessions: list[str] = []
        self.schemas: list[JsonSchema | None] = []
        self.n_closed_streams = 0
        self.is_closed = False
        self._price_known = price_known
        self._holds_to_schema = holds_to_schema
        self._script = list(script)
        self._delay_s = delay_s

    @property
    def price_known(self) -> bool:
        return self._price_known

    @property
    def holds_to_schema(self) -> bool:
        return self._holds_to_schema

    def open(self, prefix: Prefix, *, session: str = "", schema: JsonSchema | None = None) -> Chat:
        self.prefixes.append(prefix)
        self.sessions.append(session)
        self.schemas.append(schema)
        return _FakeChat(self)

    async def close(self) -> None:
        self.is_closed = True

    async def answer(self, messages: Sequence[Message]) -> AsyncGenerator[StreamItem]:
        self.requests.append(tuple(messages))
        step = self._script[len(self.requests) - 1]
        try:
            if isinstance(step, Exception):
                raise step
            if step.message.reasoning:
                yield ReasoningChunk(step.message.reasoning)
            if step.message.content:
                yield TextChunk(step.message.content)
            await asyncio.sleep(self._delay_s)
            yield step
        finally:
            self.n_closed_streams += 1


class _FakeChat:
    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider

    def ask(self, messages: Sequence[Message]) -> AsyncGenerator[StreamItem]:
        return self._provider.answer(messages)


def say(text: str, *, reasoning: str | None = None, usage: Usage | None = None, cost_usd: float | None = 0.0) -> Reply:
    """A last word: text and no calls."""
    return Reply(AssistantMessage(text, reasoning), "stop", usage, cost_usd, "fake-model")


def call(
    *calls: tuple[str, object],
    text: str = "",
    reasoning: str | None = None,
    ids: Sequence[str] = (),
    usage: Usage | None = None,
    cost_usd: float | None = 0.0,
) -> Reply:
    """Calls of tools. Arguments are given as an object, or as the JSON text itself."""
    made = []
    for i, (name, arguments) in enumerate(calls):
        encoded = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
        made.append(ToolCall(ids[i] if ids else f"functions.{name}:{i}", name, encoded))
    return Reply(AssistantMessage(text, reasoning, tuple(made)), "tool_calls", usage, cost_usd, "fake-model")
