"""What a `ModelServer` can be told to answer, as values."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Piece = bytes | float
Arguments = Mapping[str, Any] | str
USAGE: Mapping[str, Any] = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cached_tokens": 80}


@dataclass(frozen=True)
class Answer:
    """One HTTP response. A piece is bytes, sent as a chunk of its own, or a pause in seconds.

    `cut`: the connection is closed without the end of the body. `silent_s`: nothing, not even a status
    line, is sent for that long.
    """

    pieces: tuple[Piece, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    silent_s: float = 0.0

    @property
    def body(self) -> bytes:
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))


def chunk(delta: Mapping[str, Any] | None = None, finish_reason: str | None = None, **beside: Any) -> bytes:
    """One SSE event with one choice; with neither delta nor reason, an event without choices."""
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish_reason}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    event = {**head, "choices": choices if delta is not None or finish_reason else [], **beside}
    return b"data: " + json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def say(
    text: str,
    reasoning: str | None = None,
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str = "stop",
    n_pieces: int = 3,
) -> Answer:
    """A reply in words, streamed in about `n_pieces` deltas."""
    return _reply(_words(text, reasoning, n_pieces), finish_reason, usage)


def call(
    *calls: tuple[str, Arguments],
    ids: Sequence[str] | None = None,
    text: str = "",
    reasoning: str | None = None,
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str = "tool_calls",
) -> Answer:
    """A reply that calls tools. Arguments are an object, or JSON text sent as it is; ids default to Kimi's form.

    Each call comes in three deltas: id and name, then its arguments in two halves.
    """
    deltas = _words(text, reasoning, 3) if text or reasoning is not None else []
    for index, (name, given) in enumerate(calls):
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        call_id = ids[index] if ids else f"functions.{name}:{index}"
        start = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [start]})
        half = len(arguments) // 2
        for part in (arguments[:half], arguments[half:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    return _reply(deltas, finish_reason, usage)


def status(code: int, error_type: str = "", message: str = "no", headers: Mapping[str, str] | None = None) -> Answer:
    """An error in the form of Moonshot: `{"error": {"message", "type"}}`."""
    body = json.dumps({"error": {"message": message, "type": error_type}}).encode()
    return Answer((body,), code, {"Content-Type": "application/json", **(headers or {})})


def raw(
    body: bytes | Sequence[Piece], content_type: str = "text/event-stream", code: int = 200, **headers: str
) -> Answer:
    """Any body; a sequence goes out piece by piece. `x_trace_id="…"` becomes the header `x-trace-id`."""
    pieces = (body,) if isinstance(body, bytes) else tuple(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(pieces, code, {"Content-Type": content_type, **named})


def broken(after_bytes: int, answer: Answer | None = None) -> Answer:
    """The first bytes of `answer` (or of some words), then the connection is gone. Negative counts from the end."""
    answer = answer or say("This answer will never be complete.")
    head = answer.body[:after_bytes]
    return replace(answer, pieces=(head,) if head else (), cut=True)


def hang(seconds: float = 3600.0, after_bytes: int | None = None, answer: Answer | None = None) -> Answer:
    """Silence before anything is sent, or in the middle of `answer` after so many bytes of its body."""
    answer = answer or say("Here I fall silent for a while.")
    if after_bytes is None:
        return replace(answer, silent_s=seconds)
    head, tail = answer.body[:after_bytes], answer.body[after_bytes:]
    return replace(answer, pieces=(head, seconds, tail))


def slow(answer: Answer, pause_s: float) -> Answer:
    """`answer` with a pause after each piece."""
    return replace(answer, pieces=tuple(part for piece in answer.pieces for part in (piece, pause_s)))


def answer_from(spec: Mapping[str, Any]) -> Answer:
    """`{"say": text}`, `{"call": [[name, arguments], …]}`, `{"status": code}`, `{"raw": base64}`, `{"hang": seconds}`.

    Other keys are the named parameters of the constructor. For servers in a process of their own.
    """
    named = dict(spec)
    if "say" in named:
        return say(named.pop("say"), **named)
    if "call" in named:
        return call(*((name, arguments) for name, arguments in named.pop("call")), **named)
    if "status" in named:
        return status(named.pop("status"), **named)
    if "raw" in named:
        return raw(base64.b64decode(named.pop("raw")), **named)
    if "hang" in named:
        return hang(named.pop("hang"))
    raise ValueError(f"not an answer: {spec!r}; one of say, call, status, raw, hang is needed")


def _words(text: str, reasoning: str | None, n_pieces: int) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for key, words in (("reasoning_content", reasoning), ("content", text)):
        if words is not None:
            deltas += [{key: part} for part in _split(words, n_pieces)]
    return deltas


def _split(text: str, n_pieces: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, n_pieces)))
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]


def _reply(deltas: Sequence[Mapping[str, Any]], finish_reason: str, usage: Mapping[str, Any] | None) -> Answer:
    pieces = [chunk(delta) for delta in deltas]
    pieces.append(chunk({}, finish_reason))
    if usage is not None:
        pieces.append(chunk(usage=dict(usage)))
    return Answer((*pieces, DONE), headers={"Content-Type": "text/event-stream; charset=utf-8"})
