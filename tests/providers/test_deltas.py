"""Replies assembled from deltas that leave things out."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.errors import StreamBroken
from claw.protocol.messages import AssistantMessage, ToolCall, Usage
from claw.providers.base import ReasoningChunk, TextChunk
from claw.providers.deltas import HostError, ReplyAssembler
from claw.providers.sse import EventReader

Json = dict[str, Any]


def _event(delta: Json | None = None, **choice: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "delta": delta, **choice}]}).encode()


def _assemble(*events: bytes) -> ReplyAssembler:
    assembler = ReplyAssembler()
    for event in events:
        assembler.feed(event)
    return assembler


def _calls(*deltas: Json) -> tuple[ToolCall, ...]:
    return _assemble(*(_event({"tool_calls": [delta]}) for delta in deltas)).message().tool_calls


def test_chunks_come_as_they_are_and_the_message_is_their_sum() -> None:
    assembler = ReplyAssembler()
    events = [
        _event({"role": "assistant", "content": ""}),
        _event({"reasoning_content": "I "}),
        _event({"reasoning": "see."}),
        _event({"content": "Yes"}),
        _event({"content": "."}, finish_reason="stop"),
    ]
    assert [item for event in events for item in assembler.feed(event)] == [
        ReasoningChunk("I "),
        ReasoningChunk("see."),
        TextChunk("Yes"),
        TextChunk("."),
    ]
    assert (assembler.complete, assembler.done, assembler.finish_reason) == (True, False, "stop")
    assert assembler.message() == AssistantMessage("Yes.", "I see.")


@pytest.mark.parametrize(
    ("delta", "reasoning"),
    [({"content": "x"}, None), ({"content": "x", "reasoning_content": None}, None), ({"reasoning_content": ""}, "")],
)
def test_empty_reasoning_is_a_value_and_none_is_not(delta: Json, reasoning: str | None) -> None:
    assert _assemble(_event(delta)).message().reasoning == reasoning


@pytest.mark.parametrize(
    ("deltas", "reasoning", "key"),
    [
        ([{"reasoning_content": "a"}, {"reasoning_content": "b"}], "ab", ""),
        ([{"reasoning": "a"}, {"reasoning": "b"}], "ab", "reasoning"),
        ([{"reasoning": ""}], "", "reasoning"),
        ([{"reasoning_content": "a", "reasoning": "a"}], "a", ""),
        (
            [{"reasoning_details": [{"type": "reasoning.text", "text": "a"}, {"text": "x"}, 3]}],
            "a",
            "reasoning_details",
        ),
        ([{"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]}], "a", "reasoning"),
        ([{"reasoning_details": [{"type": "reasoning.text", "text": "a", "format": "vendor-v1"}]}], None, ""),
        ([{"reasoning_details": [{"type": "reasoning.encrypted", "data": "a"}]}], None, ""),
        ([{"reasoning_details": "a"}, {"reasoning_details": {}}, {"reasoning_details": []}], None, ""),
    ],
)
def test_reasoning_under_each_of_its_names(deltas: list[Json], reasoning: str | None, key: str) -> None:
    message = _assemble(*map(_event, deltas)).message()
    assert (message.reasoning, message.reasoning_key) == (reasoning, key)


def test_calls_all_numbered_zero_are_told_apart_by_id_and_name() -> None:
    assert _calls(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"index": 0, "id": "b", "function": {"name": "g", "arguments": "{"}},
        {"index": 0, "id": "b", "function": {"arguments": "}"}},
    ) == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))


def test_whole_calls_without_index_and_id_are_told_apart_by_name() -> None:
    one, two = _calls({"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "f", "arguments": "2"}})
    assert (one.name, one.arguments, two.name, two.arguments) == ("f", '{"x": 1}', "f", "2")
    assert one.id
    assert two.id
    assert one.id != two.id


@pytest.mark.parametrize("names", [["bash", "bash"], ["ba", "sh"], ["ba", "bash"], [None, "bash"], ["", "bash", None]])
def test_names_late_repeated_grown_or_in_pieces(names: list[str | None]) -> None:
    calls = _calls(*({"index": 0, "id": "a", "function": {"name": name, "arguments": ""}} for name in names))
    assert calls == (ToolCall("a", "bash", ""),)


def test_an_id_given_twice_is_replaced() -> None:
    one, two = _calls(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"index": 1, "id": "a", "function": {"name": "f", "arguments": "{}"}},
    )
    assert (one.id, one.id == two.id) == ("a", False)


def test_a_call_of_nothing_is_none_and_one_without_a_name_is_called_unnamed() -> None:
    assert _calls({"index": 0}, {"index": 1, "id": "b", "function": {"arguments": "{}"}}) == (
        ToolCall("b", "unnamed", "{}"),
    )


USAGES = [
    ({"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 5}, Usage(9, 5, 2)),
    ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}, Usage(9, 5, 2)),
    (
        {"prompt_tokens": 9, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}},
        Usage(9, 0, 2, 1),
    ),
    ({"prompt_tokens": 9.0, "completion_tokens": None, "prompt_tokens_details": None}, Usage(9, 0, 0)),
    ({"prompt_tokens": "many"}, None),
    ({}, None),
    (None, None),
    ("free", None),
]


@pytest.mark.parametrize(("usage", "expected"), USAGES)
def test_usage_wherever_it_stands(usage: Any, expected: Usage | None) -> None:
    assert _assemble(_event({}, usage=usage)).usage == expected
    assert _assemble(json.dumps({"choices": [], "usage": usage}).encode()).usage == expected
    assert _assemble(json.dumps({"usage": usage}).encode()).usage == expected


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "no"}},
        {"error": "no"},
        {"choices": [], "error": {"code": 502}},
        {"object": "error", "message": "no", "code": 40303},
    ],
)
def test_an_error_of_the_host_is_raised(event: Json) -> None:
    with pytest.raises(HostError):
        _assemble(json.dumps(event).encode())


def test_done_without_a_finish_reason_is_complete_and_ends_it() -> None:
    assembler = _assemble(_event({"content": "a"}), b"[DONE]", _event({"content": "b"}), b"no json")
    assert (assembler.complete, assembler.finish_reason, assembler.message().content) == (True, "", "a")


def test_neither_is_not_complete() -> None:
    assert not _assemble(_event({"content": "a"})).complete


def test_two_objects_in_one_event_are_read_line_by_line() -> None:
    assert _assemble(_event({"content": "a"}) + b"\n" + _event({"content": "b"})).message().content == "ab"


def test_an_answer_in_one_piece() -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]}
    assembler = _assemble(json.dumps(body).encode())
    assert (assembler.complete, assembler.message()) == (True, AssistantMessage("a"))


def test_an_emoji_escaped_in_two_halves_is_joined() -> None:
    assembler = ReplyAssembler()
    events = [b'{"choices":[{"delta":{"content":"a\\ud83e"}}]}', b'{"choices":[{"delta":{"content":"\\udd80b"}}]}']
    assert [assembler.feed(event) for event in events] == [[TextChunk("a")], [TextChunk("🦀b")]]
    assert assembler.message().content == "a🦀b"
    assert _assemble(events[0]).message().content == "a\ufffd"
    assert _assemble(b'{"usage":{"prompt_tokens":1},"choices":[{"delta":{"reasoning":"\\udd80"}}]}').usage == Usage(1)


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, "b", 3]
    assert _assemble(_event({"content": parts})).message().content == "ab"


@pytest.mark.parametrize(
    "event",
    [
        b"nonsense",
        b"[1",
        b'"x"',
        b'{"choices": 3}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"choices":[{"delta":{"content":{}}}]}',
    ],
)
def test_what_cannot_be_read_breaks_the_stream(event: bytes) -> None:
    with pytest.raises(StreamBroken, match="cannot be read"):
        _assemble(event)


def test_after_the_finish_reason_it_breaks_nothing() -> None:
    assembler = _assemble(_event({"content": "a"}, finish_reason="stop"), b"[")
    assert (assembler.complete, assembler.message()) == (True, AssistantMessage("a"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 600) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "content", "tool_calls", "function", "index", "id", "usage", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_any_json_is_read_or_refused(values: list[Any]) -> None:
    assembler = ReplyAssembler()
    try:
        for value in values:
            assembler.feed(json.dumps(value).encode())
    except (StreamBroken, HostError):
        pass
    assert isinstance(assembler.message(), AssistantMessage)


def test_many_small_deltas_are_cheap() -> None:
    """*Cost*: about 3 µs of CPU a delta on a machine of 2026; the limit of 25 leaves room for a slow one."""
    n = 20_000
    line = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"kimi-k2.6","choices":'
    stream = (line + b'[{"index":0,"delta":{"content":" ab"},"finish_reason":null}]}\n\n') * n
    reader, assembler = EventReader(), ReplyAssembler()
    started = time.process_time()
    for start in range(0, len(stream), 4096):
        for event in reader.feed(stream[start : start + 4096]):
            assembler.feed(event)
    spent_s = time.process_time() - started
    assert assembler.message().content == " ab" * n
    assert spent_s / n < 25e-6
