"""Assembles a reply from the deltas of a stream, whatever the host leaves out."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import msgspec

from claw.errors import StreamBroken
from claw.protocol.messages import AssistantMessage, ToolCall, Usage
from claw.providers.base import ReasoningChunk, TextChunk
from claw.providers.chunks import Choice, Chunk, ChunkDecoder, Delta, ToolCallDelta

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

    *Errors* of `feed`: HostError; StreamBroken for what cannot be read.
    """

    def __init__(self) -> None:
        self.done = False
        self.finish_reason = ""
        self.model = ""
        self.usage: Usage | None = None
        self._text: list[str] = []
        self._reasoning: list[str] | None = None
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
            raise StreamBroken(f"the host sent an event that cannot be read ({error})") from None
        news: list[ReasoningChunk | TextChunk] = []
        for chunk in chunks:
            self._take(chunk, news)
        return news

    def message(self) -> AssistantMessage:
        """The reply. Calls get an id of ours where the host gave none, or one twice."""
        calls: list[ToolCall] = []
        ids: set[str] = set()
        for call in self._calls:
            arguments = _whole("".join(call.arguments))
            if not call.name and not arguments:
                continue
            call_id = call.id if call.id and call.id not in ids else f"call_{os.urandom(12).hex()}"
            ids.add(call_id)
            calls.append(ToolCall(call_id, call.name or "unnamed", arguments))
        reasoning = None if self._reasoning is None else _whole("".join(self._reasoning))
        return AssistantMessage(_whole("".join(self._text) + self._half), reasoning, tuple(calls))

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
        reasoning = delta.reasoning_content
        if reasoning is None and isinstance(delta.reasoning, str):
            reasoning = delta.reasoning
        if reasoning is not None:
            if self._reasoning is None:
                self._reasoning = []
            if reasoning:
                self._reasoning.append(reasoning)
                news.append(ReasoningChunk(_whole(reasoning)))
        if content := delta.content:
            text = content if isinstance(content, str) else _text_of_parts(content)
            if text := self._join_halves(text):
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


def _whole(text: str) -> str:
    """`text` with surrogate pairs joined and single surrogates replaced, so that it can be encoded."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _text_of_parts(parts: list[Any]) -> str:
    """Content as a list of `{"type": "text", "text": …}`, which a few hosts stream."""
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))
