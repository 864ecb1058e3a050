"""A client of a fake server, with retries that do not wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from claw.protocol.messages import Message, Prefix, UserMessage, as_content
from claw.providers.base import JsonSchema, Reply, StreamItem
from claw.providers.catalog import Endpoint
from claw.providers.dialect import Dialect, Media
from claw.providers.openai_chat import OpenAIChat, OpenAIConversation
from claw.providers.retry import Retry

DIALECT = Dialect(media=Media(images=("png", "jpeg", "webp", "gif"), image_urls=True, video="upload"))
ENDPOINT = Endpoint(host="test", base_url="", model="kimi-k2.6", dialect=DIALECT)
HELLO: tuple[Message, ...] = (UserMessage(as_content("hello")),)
Connect = Callable[..., AbstractAsyncContextManager[OpenAIConversation]]


@dataclass
class Naps:
    """Stands in for sleep: wakes at once and remembers for how long it should have slept."""

    slept_s: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.slept_s.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def connect(naps: Naps) -> Connect:
    """`connect(url, …)` gives a chat with the host at `url`, which is otherwise as `endpoint` says."""

    @asynccontextmanager
    async def open_chat(
        url: str,
        prefix: Prefix | None = None,
        thinking: bool = True,
        attempts: int = 10,
        idle_timeout_s: float = 5.0,
        endpoint: Endpoint = ENDPOINT,
        session: str = "",
        schema: JsonSchema | None = None,
    ) -> AsyncIterator[OpenAIConversation]:
        provider = OpenAIChat(
            msgspec.structs.replace(endpoint, base_url=url),
            thinking=thinking,
            retry=Retry(attempts=attempts, sleep=naps, dice=lambda: 0.0, now=lambda: 1_000_000.0),
            idle_timeout_s=idle_timeout_s,
        )
        try:
            yield provider.open(prefix or Prefix("You are claw."), session=session, schema=schema)
        finally:
            await provider.close()

    return open_chat


async def collect(chat: OpenAIConversation, messages: Sequence[Message] = HELLO) -> list[StreamItem]:
    return [item async for item in chat.ask(messages)]


async def reply_of(chat: OpenAIConversation, messages: Sequence[Message] = HELLO) -> Reply:
    last = (await collect(chat, messages))[-1]
    assert isinstance(last, Reply)
    return last
