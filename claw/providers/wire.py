"""Messages as the bytes that go to the host; each is encoded once.

*Source*: the OpenAI chat-completions request, with the fields that hosts of Kimi add.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from claw.protocol.messages import (
    AssistantMessage,
    Content,
    Image,
    Message,
    Part,
    Prefix,
    Text,
    ToolMessage,
    ToolSpec,
    UserMessage,
    Video,
)
from claw.providers.base import JsonSchema
from claw.providers.call_ids import CallIds, ReceivedIds
from claw.providers.catalog import Endpoint
from claw.providers.chunks import REASONING, REASONING_CONTENT, REASONING_DETAILS
from claw.providers.dialect import Dialect
from claw.providers.sanitize import n_same

_SURROGATE = re.compile("[\ud800-\udfff]")
NO_OUTPUT = "(no output)"  # Moonshot refuses a tool message without text

Wire = dict[str, Any]


class RequestEncoder:
    """The body of each request of one conversation, as one growing buffer.

    The bytes before the newest message are the same from request to request, which is what a host's
    prefix cache and ours live on. *Cost* of a turn: what is new in it, and one copy of the body.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prefix: Prefix,
        *,
        thinking: bool,
        session: str = "",
        schema: JsonSchema | None = None,
    ) -> None:
        self._encoder = msgspec.json.Encoder()
        self._to_wire = MessageWriter(endpoint.dialect, thinking=thinking)
        head = b'{"model":' + self._encode(endpoint.wire_model or endpoint.model) + b',"messages":['
        if prefix.system:
            head += self._encode({"role": "system", "content": prefix.system})
        self._buffer = bytearray(head)
        self._encoded: list[Message] = []
        self._ends = [len(head)]  # of the head, then of each message
        self._has_system = bool(prefix.system)
        settings = _settings(endpoint, prefix.tools, thinking=thinking, session=session, schema=schema)
        self._tail = b"]," + self._encode(settings)[1:]

    def encode(self, messages: Sequence[Message]) -> bytes:
        """The whole body. Messages that are the very objects of the last call are not encoded again."""
        n_kept = n_same(self._encoded, messages)
        if n_kept < len(self._encoded):
            del self._encoded[n_kept:], self._ends[n_kept + 1 :], self._buffer[self._ends[n_kept] :]
            self._to_wire.rewind(n_kept)
        for message in messages[n_kept:]:
            encoded = self._encode(self._to_wire.add(message))
            if self._encoded or self._has_system:
                self._buffer += b","
            self._buffer += encoded
            self._encoded.append(message)
            self._ends.append(len(self._buffer))
        return b"".join((self._buffer, self._tail))

    def _encode(self, value: Any) -> bytes:
        try:
            return self._encoder.encode(value)
        except UnicodeEncodeError:  # half a surrogate pair, out of a file name or a broken emoji
            return self._encoder.encode(_encodable(value))


class MessageWriter:
    """The messages of one conversation, in their order, as the host reads them."""

    def __init__(self, dialect: Dialect, *, thinking: bool) -> None:
        self._echo = dialect.reasoning
        self._thinking = thinking
        self._ids = CallIds() if dialect.canonical_call_ids else ReceivedIds()
        self._keys = [REASONING_CONTENT]  # after each message: the key under which reasoning last came

    def rewind(self, n_messages: int) -> None:
        """Forget all but the first so many messages."""
        self._ids.rewind(n_messages)
        del self._keys[n_messages + 1 :]

    def add(self, message: Message) -> Wire:
        ids = self._ids.add(message)
        key = self._keys[-1]
        if isinstance(message, AssistantMessage) and message.reasoning is not None:
            key = message.reasoning_key or REASONING_CONTENT
        self._keys.append(key)
        match message:
            case UserMessage():
                return {"role": "user", "content": _with_context(message.content, message.context)}
            case ToolMessage():
                return {"role": "tool", "content": _content(message.content), "tool_call_id": ids[0]}
            case AssistantMessage():
                return self._assistant(message, ids, key)

    def _assistant(self, message: AssistantMessage, ids: Sequence[str], received_key: str) -> Wire:
        """Thinking on, a call without reasoning is refused by Moonshot; an empty one is a value and is taken.

        Blank text beside calls is refused too, and is left out.
        """
        wire: Wire = {"role": "assistant"}
        if message.content.strip() or not message.tool_calls:
            wire["content"] = message.content
        reasoning = message.reasoning
        if reasoning is None and self._thinking and message.tool_calls:
            reasoning = ""
        if reasoning is not None:
            wire |= self._echoed(reasoning, received_key)
        if message.tool_calls:
            wire["tool_calls"] = [
                {"type": "function", "id": call_id, "function": {"name": call.name, "arguments": call.arguments}}
                for call_id, call in zip(ids, message.tool_calls, strict=True)
            ]
        return wire

    def _echoed(self, reasoning: str, received_key: str) -> Wire:
        match self._echo:
            case "none":
                return {}
            case "both":
                return {REASONING_CONTENT: reasoning, REASONING: reasoning}
            case "as_received" if received_key == REASONING_DETAILS:
                return {REASONING_DETAILS: [{"type": "reasoning.text", "text": reasoning}]}
            case "as_received":
                return {received_key: reasoning}
            case key:
                return {key: reasoning}


def _with_context(content: Content, context: str) -> str | list[Wire]:
    if not context:
        return _content(content)
    block = f"<context>\n{context}\n</context>"
    if len(content) == 1 and isinstance(content[0], Text):
        return f"{content[0].text}\n\n{block}"
    return _content((*content, Text(block)))


def _content(content: Content) -> str | list[Wire]:
    """A plain string where it is exactly one text; blank texts beside others are left out."""
    kept = [part for part in content if not isinstance(part, Text) or part.text.strip()]
    if not kept:
        return NO_OUTPUT
    if len(content) == 1 and isinstance(content[0], Text):
        return content[0].text
    return [_part(part) for part in kept]


def _part(part: Part) -> Wire:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return {"type": "image_url", "image_url": {"url": part.url}}
        case Video():
            return {"type": "video_url", "video_url": {"url": part.url}}


def tool_to_wire(tool: ToolSpec) -> Wire:
    if tool.name.startswith("$"):
        return {"type": "builtin_function", "function": {"name": tool.name}}
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _settings(
    endpoint: Endpoint, tools: Sequence[ToolSpec], *, thinking: bool, session: str, schema: JsonSchema | None
) -> Wire:
    """All but model and messages."""
    dialect = endpoint.dialect
    settings: Wire = {"stream": True, "stream_options": {"include_usage": True}}
    if tools:
        settings = {"tools": [tool_to_wire(tool) for tool in tools], **settings}
    match dialect.thinking:
        case "moonshot":
            settings["thinking"] = {"type": "enabled" if thinking else "disabled"}
        case "chat_template":
            settings["chat_template_kwargs"] = {"thinking": thinking}
        case "reasoning_effort":
            settings["reasoning_effort"] = "high" if thinking else "none"
        case "none":
            pass
    sampling = msgspec.structs.asdict(dialect.sampling_thinking if thinking else dialect.sampling_instant)
    settings |= {name: value for name, value in sampling.items() if value is not None}
    if dialect.max_tokens_field and endpoint.max_output_tokens:
        settings[dialect.max_tokens_field] = endpoint.max_output_tokens
    if dialect.prompt_cache_key and session:
        settings["prompt_cache_key"] = session
    if dialect.json_schema and schema is not None:
        answer = {"name": "answer", "strict": True, "schema": schema}
        settings["response_format"] = {"type": "json_schema", "json_schema": answer}
    return settings


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value
