"""What the agent needs of a model host.

`Provider` is the host, `Chat` one conversation on it. The chat is handed the whole history each time
and keeps the encoded bytes of what it has already sent, so a turn costs what is new in it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from msgspec import Struct

from claw.protocol.messages import AssistantMessage, Message, Prefix, Usage


class ReasoningChunk(Struct, frozen=True):
    text: str


class TextChunk(Struct, frozen=True):
    text: str


class Retrying(Struct, frozen=True):
    """The attempt failed and another follows in `delay_s`: all chunks so far are void.

    `partial_chars` is how much reasoning and text is lost with them.
    """

    attempt: int
    delay_s: float
    reason: str
    partial_chars: int = 0


class Reply(Struct, frozen=True):
    """The last item of a stream: the whole message. `usage` is None where nothing is known of it.

    `cost_usd` is None where the price is unknown. `is_estimate`: the host reported no usage.
    """

    message: AssistantMessage
    finish_reason: str
    usage: Usage | None
    cost_usd: float | None
    model: str = ""
    is_estimate: bool = False


JsonSchema = dict[str, Any]
StreamItem = ReasoningChunk | TextChunk | Retrying | Reply


class Chat(Protocol):
    """One conversation with the model."""

    def ask(self, messages: Sequence[Message]) -> AsyncGenerator[StreamItem, None]:
        """Send `messages`, yield chunks as they come and one `Reply` at the end.

        Messages must be the very objects of the last call, with new ones after them, for their bytes
        to be used again; anything else is encoded anew and is correct too.

        *Errors*: ProviderError. A TemporaryError leaves only after the retries are used up.
        """
        ...


class Provider(Protocol):
    """A host that serves a model."""

    host: str
    model: str
    context_window: int

    @property
    def price_known(self) -> bool: ...

    @property
    def holds_to_schema(self) -> bool:
        """Whether a schema given to `open` is kept by the host itself."""
        ...

    def open(self, prefix: Prefix, *, session: str = "", schema: JsonSchema | None = None) -> Chat:
        """`session` names the conversation to hosts that keep a cache for it.

        `schema` is asked for where the host holds answers to one, and ignored elsewhere.
        """
        ...

    async def close(self) -> None: ...
