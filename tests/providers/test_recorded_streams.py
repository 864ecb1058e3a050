"""Streams recorded from live hosts, and made after documented quirks, served from loopback."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from claw.errors import ProviderError
from claw.protocol.messages import AssistantMessage, ToolCall, UserMessage, as_content
from claw.providers.base import Chat, ReasoningChunk, Reply, StreamItem, TextChunk
from claw.providers.deltas import HostError, ReplyAssembler
from claw.providers.sse import EventReader
from tests.fakes.model_server import ModelServer, raw, say
from tests.providers.conftest import HELLO, Connect, collect, reply_of

CASES_FILE = Path(__file__).parents[2].parent / "shared/fixtures/openai_sse_streams/cases.jsonl"
CASES = [json.loads(line) for line in CASES_FILE.read_text("utf-8").splitlines()] if CASES_FILE.exists() else []
pytestmark = pytest.mark.skipif(not CASES, reason=f"the fixtures are absent: {CASES_FILE}")


def _pieces(case: dict[str, Any]) -> list[bytes]:
    if case["body"] is not None:
        return [case["body"].encode()]
    return [base64.b64decode(piece) for piece in case["body_b64_pieces"]]


def _calls(expected: dict[str, Any], got: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(mine.id if call["id"] == "*" and mine.id else call["id"], call["name"], call["arguments"])
        for call, mine in zip(expected["tool_calls"], got, strict=True)
    )


def _assert_message(expected: dict[str, Any], message: AssistantMessage) -> None:
    assert message.content == expected["content"]
    assert (message.reasoning or "") == expected["reasoning"]
    assert message.tool_calls == _calls(expected, message.tool_calls)


def _words(items: list[StreamItem]) -> tuple[str, str]:
    texts = "".join(item.text for item in items if isinstance(item, TextChunk))
    return texts, "".join(item.text for item in items if isinstance(item, ReasoningChunk))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_served_from_loopback(case: dict[str, Any], connect: Connect) -> None:
    expected = case["expected"]
    items: list[StreamItem] = []
    with ModelServer([raw(_pieces(case)), say("next")]) as server:
        async with connect(server.url, attempts=1) as chat:
            if expected["error"]:
                with pytest.raises(ProviderError):
                    await _gather(chat, items)
                assert _words(items) == (expected["content"], expected["reasoning"])
                assert not any(isinstance(item, Reply) for item in items)
                return
            *items, reply = await collect(chat)
            assert _words(items) == (expected["content"], expected["reasoning"])
            assert isinstance(reply, Reply)
            _assert_message(expected, reply.message)
            assert (reply.finish_reason or None) == expected["finish_reason"]
            _assert_usage(case, reply)
            if roundtrip := expected.get("roundtrip"):
                await reply_of(chat, [*HELLO, reply.message, UserMessage(as_content("go on"))])
                sent = server.requests[1].messages[2]
                assert {key: sent[key] for key in roundtrip} == roundtrip


async def _gather(chat: Chat, items: list[StreamItem]) -> None:
    """Keeps in `items` what came before an error, too."""
    async for item in chat.ask(HELLO):
        items.append(item)  # noqa: PERF401


def _assert_usage(case: dict[str, Any], reply: Reply) -> None:
    if expected := case["expected"]["usage"]:
        assert reply.usage is not None
        n_input, n_output = reply.usage.input, reply.usage.output
        got = {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": reply.usage.total}
        assert got == expected
        assert reply.usage.cached == case["expected"].get("cached_tokens", 0) or case["kind"] == "recorded"
    else:
        assert reply.is_estimate


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_cut_at_any_other_place(case: dict[str, Any]) -> None:
    body, expected = b"".join(_pieces(case)), case["expected"]
    for size in (1, 2, 3, 7, 64, len(body)):
        reader, assembler, error = EventReader(), ReplyAssembler(), False
        pieces = [reader.feed(body[start : start + size]) for start in range(0, len(body), size)]
        for event in [event for events in [*pieces, reader.close()] for event in events]:
            try:
                assembler.feed(event)
            except HostError:
                error = True
                break
        assert (error or not assembler.complete) == bool(expected["error"])
        _assert_message(expected, assembler.message())
        assert (assembler.finish_reason or None) == expected["finish_reason"]
