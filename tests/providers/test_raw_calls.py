"""Calls that a host has left in the text of its answer, in the model's own tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claw.errors import StreamBroken
from claw.protocol.messages import AssistantMessage, ToolCall, ToolSpec
from claw.providers.base import Chat, Reply, Retrying, StreamItem, TextChunk
from claw.providers.deltas import ReplyAssembler
from claw.providers.kimi_tokens import render_calls
from tests.fakes.model_server import ModelServer, broken, call, say
from tests.providers.conftest import HELLO, Connect, collect, reply_of

CALLS = (ToolCall("functions.ls:0", "ls", '{"path":"a"}'), ToolCall("functions.read:1", "read", '{"path":"<b>"}'))
RAW = render_calls(CALLS)


def _event(delta: dict[str, Any], **choice: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "delta": delta, **choice}]}).encode()


def _words(items: list[StreamItem]) -> str:
    return "".join(item.text for item in items if isinstance(item, TextChunk))


@pytest.mark.parametrize("n_pieces", [1, 3, 40, 1000])
async def test_they_are_calls_like_any_other(n_pieces: int, connect: Connect) -> None:
    with ModelServer([say(f"Let me look.{RAW}", reasoning="hm", n_pieces=n_pieces)]) as server:
        async with connect(server.url) as chat:
            *items, reply = await collect(chat)
    assert _words(items) == "Let me look."
    assert isinstance(reply, Reply)
    assert (reply.message, reply.finish_reason) == (AssistantMessage("Let me look.", "hm", CALLS), "tool_calls")


@pytest.mark.parametrize("cut", range(0, len(RAW), 7))
async def test_half_a_section_gives_no_half_call(cut: int, connect: Connect) -> None:
    """The host ends the reply properly in the middle of it: what is whole counts, and nothing else."""
    with ModelServer([say(RAW[:cut])] * 2) as server:
        async with connect(server.url, attempts=1) as chat:
            *_, last = await _items_and_end(chat)
    if isinstance(last, StreamBroken):
        assert "broke a tool call off" in str(last)
    else:
        assert isinstance(last, Reply)
        calls = last.message.tool_calls
        assert calls == CALLS[: RAW[:cut].count("<|tool_call_end|>")]
        assert last.finish_reason == ("tool_calls" if calls else "stop")


async def _items_and_end(chat: Chat) -> list[StreamItem | StreamBroken]:
    items: list[StreamItem | StreamBroken] = []
    try:
        async for item in chat.ask(HELLO):
            items.append(item)  # noqa: PERF401
    except StreamBroken as error:
        items.append(error)
    return items


async def test_a_call_that_breaks_off_is_tried_again(connect: Connect) -> None:
    with ModelServer([say(RAW[:60]), say("ok")]) as server:
        async with connect(server.url) as chat:
            items = await collect(chat)
    (retry,) = [item for item in items if isinstance(item, Retrying)]
    assert "broke a tool call off in the middle of the reply" in retry.reason


async def test_at_the_limit_of_the_reply_it_is_not(connect: Connect) -> None:
    with ModelServer([say("ab" + RAW[:60], finish_reason="length")]) as server:
        async with connect(server.url, attempts=1) as chat:
            reply = await reply_of(chat)
    assert (reply.message, reply.finish_reason) == (AssistantMessage("ab"), "length")


async def test_calls_before_the_limit_keep_its_reason(connect: Connect) -> None:
    with ModelServer([say(RAW, finish_reason="length")]) as server:
        async with connect(server.url) as chat:
            reply = await reply_of(chat)
    assert (reply.message.tool_calls, reply.finish_reason) == (CALLS, "length")


async def test_in_a_broken_stream_none_counts(connect: Connect) -> None:
    answer = say(RAW, usage=None, n_pieces=1)
    with ModelServer([broken(answer.body.index(b'"finish_reason":"stop"'), answer), say("ok")]) as server:
        async with connect(server.url) as chat:
            *items, reply = await collect(chat)
    assert any(isinstance(item, Retrying) for item in items)
    assert isinstance(reply, Reply)
    assert reply.message == AssistantMessage("ok")


def test_without_an_end_of_the_stream_none_counts() -> None:
    assembler = ReplyAssembler()
    assembler.feed(_event({"content": f"Look.{RAW}"}))
    assert (assembler.message(), assembler.finish_reason) == (AssistantMessage("Look."), "")


async def test_a_call_that_the_host_has_parsed_and_left_in_the_text_runs_once(connect: Connect) -> None:
    answer = call(("ls", '{"path":"a"}'), text=f"Look.{RAW}")
    with ModelServer([answer]) as server:
        async with connect(server.url) as chat:
            message = (await reply_of(chat)).message
    assert [(one.name, one.arguments) for one in message.tool_calls] == [(one.name, one.arguments) for one in CALLS]
    assert len({one.id for one in message.tool_calls}) == 2


def test_the_tools_that_were_offered_name_a_call_that_has_only_a_number() -> None:
    assembler = ReplyAssembler((ToolSpec("ls"),))
    raw = '<|tool_call_begin|>0<|tool_call_argument_begin|>{"path":"a"}<|tool_call_end|>'
    assembler.feed(_event({"content": raw}, finish_reason="stop"))
    assert assembler.message().tool_calls == (ToolCall("0", "ls", '{"path":"a"}'),)


def test_text_that_only_looks_like_a_marker_is_kept() -> None:
    assembler = ReplyAssembler()
    shown = assembler.feed(_event({"content": "if a <|"}, finish_reason="stop"))
    assert [*shown, *assembler.finish()] == [TextChunk("if a "), TextChunk("<|")]
    assert assembler.finish() == []
    assert assembler.message() == AssistantMessage("if a <|")
    assert not assembler.lost_calls


def test_reasoning_is_never_read_for_calls() -> None:
    assembler = ReplyAssembler()
    assembler.feed(_event({"reasoning_content": RAW}, finish_reason="stop"))
    assert assembler.message() == AssistantMessage("", RAW)
