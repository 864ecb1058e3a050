"""The events of a streamed chat completion as typed structs, decoded at full speed.

Every field may be missing or null. What a host could only have meant otherwise is left to
`claw.providers.deltas`; what is no part of a reply is never looked at.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Struct

from claw.protocol.messages import Usage

# Where hosts put the model's thinking, in a delta and in the history that is sent back.
REASONING_CONTENT = "reasoning_content"
REASONING = "reasoning"
REASONING_DETAILS = "reasoning_details"


class FunctionDelta(Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCallDelta(Struct, gc=False):
    index: int | None = None
    id: str | int | None = None
    function: FunctionDelta | None = None


class Delta(Struct, gc=False):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Any] | None = None
    reasoning_details: Any = None
    tool_calls: list[ToolCallDelta] | None = None


class Choice(Struct, gc=False):
    """`message` stands in place of `delta` where a host answers in one piece although it was asked to stream."""

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    usage: msgspec.Raw = msgspec.Raw()


class Chunk(Struct, gc=False):
    """`error` is the host's own, sent in the middle of a stream that began with status 200."""

    choices: list[Choice] | None = None
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: Any = None
    object: str | None = None
    message: Any = None


class _InputDetails(Struct):
    cached_tokens: int | float | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | float | None = None


class _Usage(Struct):
    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    cached_tokens: int | float | None = None
    prompt_cache_hit_tokens: int | float | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class ChunkDecoder:
    """*Errors* of both methods: msgspec.MsgspecError, ValueError or RecursionError for what is no chunk."""

    def __init__(self) -> None:
        self._chunks = msgspec.json.Decoder(Chunk)
        self._usage = msgspec.json.Decoder(_Usage | None)

    def decode(self, data: bytes) -> list[Chunk]:
        """Usually one; several where a host puts one on each line of an event.

        Halves of a surrogate pair, each escaped in a chunk of its own, are kept as they are for the
        reader to join.
        """
        try:
            return [self._chunks.decode(data)]
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            if b"\n" in data:
                return [chunk for line in data.split(b"\n") if line.strip() for chunk in self.decode(line)]
            return [msgspec.convert(_without_raw(json.loads(data.decode("utf-8", "replace"))), Chunk)]

    def decode_usage(self, data: bytes) -> Usage | None:
        """None where the host reports null, nothing, or something that is no usage."""
        if not data:
            return None
        try:
            usage = self._usage.decode(data)
        except msgspec.MsgspecError:
            return None
        if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
            return None
        details = usage.prompt_tokens_details or _InputDetails()
        thinking = usage.completion_tokens_details or _OutputDetails()
        cached = usage.cached_tokens or details.cached_tokens or usage.prompt_cache_hit_tokens
        return Usage(
            _count(usage.prompt_tokens),
            _count(cached),
            _count(usage.completion_tokens),
            _count(thinking.reasoning_tokens),
        )


def _count(n_tokens: float | None) -> int:
    return max(0, int(n_tokens or 0))


def _without_raw(parsed: Any) -> Any:
    """`parsed` with each `usage` as JSON text again, which is what the structs hold it as."""
    if isinstance(parsed, dict):
        places = [parsed, *(choice for choice in parsed.get("choices") or () if isinstance(choice, dict))]
        for place in places:
            if "usage" in place:
                place["usage"] = msgspec.Raw(msgspec.json.encode(place["usage"]))
    return parsed
