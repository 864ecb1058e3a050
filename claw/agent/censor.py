"""Keeps secrets out of every event, those that stream by in pieces too."""

from __future__ import annotations

from collections.abc import Iterator

from claw.protocol.events import (
    Event,
    ReasoningDelta,
    ReplyFinished,
    RetryScheduled,
    TextDelta,
    ToolFinished,
    ToolOutput,
)
from claw.redact import Redactor, StreamRedactor

_Key = tuple[type[Event], str]


class Censor:
    """What may be known of an event: usually the event itself, at once.

    Deltas and live output are streams: what may be the start of a secret waits for what comes next, and
    what still waits when the stream ends is sent before the event that ends it.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._streams: dict[_Key, StreamRedactor] = {}

    def __call__(self, event: Event) -> Iterator[Event]:
        match event:
            case TextDelta(text=text) | ReasoningDelta(text=text):
                yield from self._feed(event, (type(event), ""), text)
            case ToolOutput(call_id=call_id, text=text):
                yield from self._feed(event, (ToolOutput, call_id), text)
            case RetryScheduled() | ReplyFinished():
                for kind in (ReasoningDelta, TextDelta):
                    if rest := self._end((kind, "")):
                        yield kind(text=rest)
                yield self._redactor.value(event)
            case ToolFinished(call_id=call_id):
                if rest := self._end((ToolOutput, call_id)):
                    yield ToolOutput(call_id=call_id, text=rest)
                yield self._redactor.value(event)
            case _:
                yield self._redactor.value(event)

    def _feed(self, event: TextDelta | ReasoningDelta | ToolOutput, key: _Key, text: str) -> Iterator[Event]:
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = self._redactor.stream()
        event.text = stream.feed(text)
        if event.text:
            yield event

    def _end(self, key: _Key) -> str:
        stream = self._streams.pop(key, None)
        return stream.end() if stream else ""
