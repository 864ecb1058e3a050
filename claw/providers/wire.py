"""Messages as the bytes that go to the host; each is encoded once.

*Source*: the OpenAI chat-completions request, with the fields that Moonshot adds.
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
    Prefix,
    Text,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from claw.providers.catalog import Endpoint
from claw.providers.sanitize import n_same

_SURROGATE = re.compile("[\ud800-\udfff]")
NO_OUTPUT = "(no output)"  # Moonshot refuses a tool message without text

Wire = dict[str, Any]


class RequestEncoder:
    """The body of each request of one conversation, as one growing buffer.

    The bytes before the newest message are the same from request to request, which is what a host's
    prefix cache and ours live on. *Cost* of a turn: what is new in it, and one copy of the body.
    """

    def __init__(self, endpoint: Endpoint, prefix: Prefix, *, thinking: bool) -> None:
        self._encoder = msgspec.json.Encoder()
        self._reasoning_field = endpoint.reasoning_field
        self._thinking = thinking
        head = b'{"model":' + self._encode(endpoint.model) + b',"messages":['
        if prefix.system:
            head += self._encode({"role": "system", "content": prefix.system})
        self._buffer = bytearray(head)
        self._encoded: list[Message] = []
        self._ends = [len(head)]  # of the head, then of each message
        self._has_system = bool(prefix.system)
        self._tail = b"]," + self._encode(_settings(endpoint, prefix.tools, thinking))[1:]

    def encode(self, messages: Sequence[Message]) -> bytes:
        """The whole body. Messages that are the very objects of the last call are not encoded again."""
        n_kept = n_same(self._encoded, messages)
        if n_kept < len(self._encoded):
            del self._encoded[n_kept:], self._ends[n_kept + 1 :], self._buffer[self._ends[n_kept] :]
        for message in messages[n_kept:]:
            encoded = self._encode(to_wire(message, self._reasoning_field, self._thinking))
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


def to_wire(message: Message, reasoning_field: str, thinking: bool) -> Wire:
    """One message as the host reads it. An empty `reasoning_field`: the host wants no reasoning back."""
    match message:
        case UserMessage():
            return {"role": "user", "content": _with_context(message.content, message.context)}
        case ToolMessage():
            return {"role": "tool", "content": _content(message.content), "tool_call_id": message.tool_call_id}
        case AssistantMessage():
            return _assistant(message, reasoning_field, thinking)


def _assistant(message: AssistantMessage, reasoning_field: str, thinking: bool) -> Wire:
    """Thinking on, a call without reasoning is refused by Moonshot; an empty one is a value and is taken.

    Blank text beside calls is refused too, and is left out.
    """
    wire: Wire = {"role": "assistant"}
    if message.content.strip() or not message.tool_calls:
        wire["content"] = message.content
    reasoning = message.reasoning
    if reasoning is None and thinking and message.tool_calls:
        reasoning = ""
    if reasoning is not None and reasoning_field:
        wire[reasoning_field] = reasoning
    if message.tool_calls:
        wire["tool_calls"] = [
            {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return wire


def _with_context(content: Content, context: str) -> str | list[Wire]:
    if not context:
        return _content(content)
    block = f"<context>\n{context}\n</context>"
    if len(content) == 1 and isinstance(content[0], Text):
        return f"{content[0].text}\n\n{block}"
    return _content((*content, Text(block)))


def _content(content: Content) -> str | list[Wire]:
    """A plain string where it is exactly one text; blank texts beside others are left out."""
    kept = [part for part in content if isinstance(part, Image) or part.text.strip()]
    if not kept:
        return NO_OUTPUT
    if len(content) == 1 and isinstance(content[0], Text):
        return content[0].text
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in kept
    ]


def tool_to_wire(tool: ToolSpec) -> Wire:
    if tool.name.startswith("$"):
        return {"type": "builtin_function", "function": {"name": tool.name}}
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _settings(endpoint: Endpoint, tools: Sequence[ToolSpec], thinking: bool) -> Wire:
    """All but model and messages. No sampling parameters: Moonshot refuses any but its own."""
    settings: Wire = {"stream": True, "stream_options": {"include_usage": True}}
    if tools:
        settings = {"tools": [tool_to_wire(tool) for tool in tools], **settings}
    if endpoint.thinking == "moonshot":
        settings["thinking"] = {"type": "enabled" if thinking else "disabled"}
    if endpoint.max_tokens_field and endpoint.max_output_tokens:
        settings[endpoint.max_tokens_field] = endpoint.max_output_tokens
    return settings


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value
