"""Assembles a reply from the deltas of a stream, whatever the host leaves out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from claw.errors import StreamBroken
from claw.protocol.messages import AssistantMessage, ToolCall, ToolSpec, Usage
from claw.providers.base import ReasoningChunk, TextChunk
from claw.providers.chunks import (
    REASONING,
    REASONING_CONTENT,
    REASONING_DETAILS,
    Choice,
    Chunk,
    ChunkDecoder,
    Delta,
    ToolCallDelta,
)
from claw.providers.kimi_tokens import ToolTextSplitter

CUT_OFF = ("length", "content_filter")  # finish reasons of a reply that may lack its end
_SURROGATE = re.compile("[\ud800-\udfff]")


class HostError(Exception):
    """The host reported an error inside a stream. `error` is its object, or its text."""

    def __init__(self, error: Any) -> None:
        super().__init__(str(error))
        self.error = error


class _Call:
    __slots__ = ("arguments", "id", "name")

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.name = ""
        self.arguments: list[str] = []


class ReplyAssembler:
    """Feed it the data of each event; read the reply off once `complete` is true.

    A stream is complete when the host gave a finish reason or closed with `[DONE]`. Without either
    nothing in it may be executed: half a call can be valid JSON.

    `tools` are those that were offered.

    *Errors* of `feed`: HostError; StreamBroken for what cannot be read.
    """

    def __init__(self, tools: Sequence[ToolSpec] = ()) -> None:
        self.done = False
        self.finish_reason = ""
        self.model = ""
        self.usage: Usage | None = None
        self._text: list[str] = []
        self._splitter = ToolTextSplitter(tools)
        self._finished = False
        self._recovered: tuple[ToolCall, ...] = ()
        self._reasoning: list[str] | None = None
        self._reasoning_key = REASONING_CONTENT
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._half = ""  # a high surrogate at the end of a delta, waiting for its other half
        self._decoder = ChunkDecoder()

    @property
    def complete(self) -> bool:
        return self.done or bool(self.finish_reason)

    def feed(self, data: bytes) -> list[ReasoningChunk | TextChunk]:
        """What is new in the words of the model. Nothing counts after `[DONE]`."""
        if self.done or not data:
            return []
        if data.strip() == b"[DONE]":
            self.done = True
            return []
        try:
            chunks = self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if self.finish_reason:  # the reply is whole, if not the response
                return []
            raise StreamBroken(f"the host sent an event that cannot be read ({error})") from None
        news: list[ReasoningChunk | TextChunk] = []
        for chunk in chunks:
            self._take(chunk, news)
        return news

    def finish(self) -> list[TextChunk]:
        """To be called at the end of the stream; returns what was held back of the text.

        Calls that a host has left in the text, in the model's own tokens, count only in a complete stream.
        """
        if self._finished:
            return []
        self._finished = True
        shown = self._splitter.feed(_whole(self._half))
        rest, calls = self._splitter.finish()
        if calls and self.complete:
            self._recovered = calls
            if self.finish_reason not in CUT_OFF:
                self.finish_reason = "tool_calls"
        if rest := shown + rest:
            self._text.append(rest)
        return [TextChunk(rest)] if rest else []

    @property
    def lost_calls(self) -> bool:
        """Whether calls were begun in the model's own tokens, none could be read, and no limit explains it."""
        return bool(self._splitter.n_dropped and not self._calls and not self._recovered) and (
            self.finish_reason not in CUT_OFF
        )

    def message(self) -> AssistantMessage:
        """The reply, which ends the stream. Calls get an id of ours where the host gave none, or one twice."""
        self.finish()
        calls: list[ToolCall] = []
        ids: set[str] = set()
        for call in self._calls:
            arguments = _whole("".join(call.arguments))
            if not call.name and not arguments:
                continue
            call_id = call.id if call.id and call.id not in ids else f"call_{os.urandom(12).hex()}"
            ids.add(call_id)
            calls.append(ToolCall(call_id, call.name or "unnamed", arguments))
        known = {(call.name, call.arguments.strip()) for call in calls}
        for raw in self._recovered:
            if (raw.name, raw.arguments.strip()) not in known:  # else the host has parsed it, and left it in the text
                call_id = raw.id if raw.id and raw.id not in ids else f"call_{os.urandom(12).hex()}"
                ids.add(call_id)
                calls.append(ToolCall(call_id, raw.name, raw.arguments))
        reasoning = None if self._reasoning is None else _whole("".join(self._reasoning))
        key = "" if reasoning is None or self._reasoning_key == REASONING_CONTENT else self._reasoning_key
        return AssistantMessage("".join(self._text), reasoning, tuple(calls), reasoning_key=key)

    def _take(self, chunk: Chunk, news: list[ReasoningChunk | TextChunk]) -> None:
        if chunk.error:
            raise HostError(chunk.error)
        if chunk.object == "error":
            raise HostError(chunk.message)
        if chunk.model and not self.model:
            self.model = chunk.model
        if usage := self._decoder.decode_usage(bytes(chunk.usage)):
            self.usage = usage
        for choice in chunk.choices or ():
            if not choice.index:  # we ask for one choice
                self._take_choice(choice, news)

    def _take_choice(self, choice: Choice, news: list[ReasoningChunk | TextChunk]) -> None:
        if delta := choice.delta or choice.message:
            self._take_delta(delta, news)
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
        if usage := self._decoder.decode_usage(bytes(choice.usage)):
            self.usage = usage

    def _take_delta(self, delta: Delta, news: list[ReasoningChunk | TextChunk]) -> None:
        key, reasoning = _reasoning_of(delta)
        if reasoning is not None:
            if self._reasoning is None:
                self._reasoning = []
                self._reasoning_key = key
            if reasoning:
                self._reasoning.append(reasoning)
                news.append(ReasoningChunk(_whole(reasoning)))
        if content := delta.content:
            text = content if isinstance(content, str) else _text_of_parts(content)
            if text := self._splitter.feed(self._join_halves(text)):
                self._text.append(text)
                news.append(TextChunk(text))
        for call in delta.tool_calls or ():
            self._take_call(call)

    def _join_halves(self, text: str) -> str:
        text = self._half + text
        self._half = ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return _whole(text)

    def _take_call(self, delta: ToolCallDelta) -> None:
        function = delta.function
        name = (function and function.name) or ""
        call_id = "" if delta.id is None else str(delta.id)
        call = self._call_for(delta.index, call_id, name)
        if call_id and not call.id:
            call.id = call_id
        if name and name != call.name:
            # The whole name again, grown, or the next piece of it: each is done by someone.
            call.name = name if name.startswith(call.name) else call.name + name
        if function and (arguments := function.arguments):
            call.arguments.append(arguments if isinstance(arguments, str) else json.dumps(arguments))

    def _call_for(self, index: int | None, call_id: str, name: str) -> _Call:
        """The call that a piece belongs to: by index; without one, by id; without that, the last one.

        A piece that brings another id *and* a name starts a new call even under an old index, since some
        hosts number every call 0; so does a whole name without index and id.
        """
        call: _Call | None
        if index is not None:
            call = self._by_index.get(index)
        elif call_id:
            call = next((known for known in self._calls if known.id == call_id), None)
            if call is None and not name and self._calls and not self._calls[-1].id:
                call = self._calls[-1]
        else:
            call = self._calls[-1] if self._calls else None
            if call and name and call.name:
                call = None
        if call is None or (call_id and name and call.id and call.id != call_id):
            call = _Call(call_id)
            self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call


def _reasoning_of(delta: Delta) -> tuple[str, str | None]:
    """The key under which the host sends reasoning, and what it sends; None for none."""
    if delta.reasoning_content is not None:
        return REASONING_CONTENT, delta.reasoning_content
    if isinstance(delta.reasoning, str):
        return REASONING, delta.reasoning
    if isinstance(delta.reasoning_details, list):
        texts = [part.get("text") for part in delta.reasoning_details if isinstance(part, dict) and _is_plain(part)]
        if said := [text for text in texts if isinstance(text, str)]:
            return REASONING_DETAILS, "".join(said)
    return REASONING_CONTENT, None


def _is_plain(detail: dict[str, Any]) -> bool:
    """Whether a detail is all said by its text. Other vendors' are signed, and only good whole."""
    return detail.get("type") == "reasoning.text" and detail.get("format") in (None, "unknown")


def _whole(text: str) -> str:
    """`text` with surrogate pairs joined and single surrogates replaced, so that it can be encoded."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _text_of_parts(parts: list[Any]) -> str:
    """Content as a list of `{"type": "text", "text": …}`, which a few hosts stream."""
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))
