"""Histories made fit to be sent."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.protocol.messages import (
    AssistantMessage,
    Image,
    Message,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
    as_content,
)
from claw.providers.sanitize import MISSING_RESULT, Sanitizer, sanitize


def _user(text: str, context: str = "") -> UserMessage:
    return UserMessage(as_content(text), context)


def _calling(*ids: str, arguments: str = "{}") -> AssistantMessage:
    return AssistantMessage("", "", tuple(ToolCall(call_id, "f", arguments) for call_id in ids))


def _result(call_id: str, text: str = "ok") -> ToolMessage:
    return ToolMessage(call_id, "f", as_content(text))


def _missing(call_id: str) -> ToolMessage:
    return ToolMessage(call_id, "f", as_content(MISSING_RESULT), is_error=True)


def test_a_sound_history_stays_the_very_same_objects() -> None:
    history: list[Message] = [_user("a"), _calling("1", "2"), _result("2"), _result("1"), AssistantMessage("b")]
    assert all(new is old for new, old in zip(sanitize(history), history, strict=True))


U, A = _user("u"), AssistantMessage("a")
SAME_IDS: list[Message] = [_calling("1"), _result("1"), _calling("1"), _result("1")]
CASES: dict[str, tuple[Sequence[Message], Sequence[Message]]] = {
    "missing result": (
        [U, _calling("1", "2"), _result("2"), U],
        [U, _calling("1", "2"), _result("2"), _missing("1"), U],
    ),
    "missing at the end": ([U, _calling("1")], [U, _calling("1"), _missing("1")]),
    "missing before the next reply": ([U, _calling("1"), A], [U, _calling("1"), _missing("1"), A]),
    "orphan": ([U, A, _result("9"), U], [U, A, U]),
    "orphan at the start": ([_result("9"), U], [U]),
    "second result": ([_calling("1"), _result("1"), _result("1", "no")], [_calling("1"), _result("1")]),
    "result too late": ([_calling("1"), U, _result("1")], [_calling("1"), _missing("1"), U]),
    "same ids again": (SAME_IDS, SAME_IDS),
    "empty reply": ([U, AssistantMessage(" \n"), A], [U, A]),
    "reply with reasoning only": ([U, AssistantMessage("", "hm", interrupted=True), A], [U, A]),
    "two users": ([_user("a", "x"), _user("b", "y")], [UserMessage((Text("a"), Text("b")), "x\n\ny")]),
    "two users around an empty reply": (
        [_user("a"), AssistantMessage(), _user("b")],
        [UserMessage((Text("a"), Text("b")))],
    ),
    "blank user": ([_user(" "), A, _user("")], [A]),
    "a picture alone says something": ([UserMessage((Image("ms://1"),))],) * 2,
    "context alone says something": ([_user("", "now")],) * 2,
    "nothing": ([], []),
}


@pytest.mark.parametrize("case", CASES)
def test_repairs(case: str) -> None:
    history, expected = CASES[case]
    assert sanitize(history) == expected
    assert sanitize(expected) == expected


@pytest.mark.parametrize(
    "arguments", ["", " ", "{", "[1]", "null", '"x"', '{"a":1} trailing', "[" * 50_000, '{"a":"\\ud83e"}']
)
def test_arguments_that_are_no_object_become_an_empty_one(arguments: str) -> None:
    repaired = sanitize([_calling("1", arguments=arguments), _result("1")])
    assert repaired == [_calling("1", arguments="{}"), _result("1")]


@pytest.mark.parametrize("arguments", ["{}", ' {"a": [1, null]}\n', '{"a":"é\\n"}'])
def test_arguments_that_are_an_object_stay_byte_for_byte(arguments: str) -> None:
    message = _calling("1", arguments=arguments)
    assert sanitize([message, _result("1")])[0] is message


IDS = st.sampled_from(["1", "2", "3"])
MESSAGES = st.one_of(
    st.builds(_user, st.sampled_from(["", "u"])),
    st.builds(AssistantMessage, st.sampled_from(["", "a"])),
    st.builds(
        lambda ids, arguments: _calling(*ids, arguments=arguments),
        st.lists(IDS, min_size=1, max_size=3),
        st.sampled_from(["{}", "x"]),
    ),
    st.builds(_result, IDS),
)


@given(st.lists(MESSAGES, max_size=14), st.integers(0, 14))
def test_step_by_step_and_after_a_rewind_it_is_the_same_as_at_once(history: list[Message], back_to: int) -> None:
    sanitizer = Sanitizer()
    for end in [*range(len(history) + 1), back_to, len(history)]:
        assert sanitizer.clean(history[:end]) == sanitize(history[:end])


@given(st.lists(MESSAGES, max_size=14))
def test_whatever_comes_in_a_host_can_take_what_goes_out(history: list[Message]) -> None:
    clean = sanitize(history)
    waiting: list[str] = []
    for before, message in zip([None, *clean], clean, strict=False):
        if isinstance(message, ToolMessage):
            waiting.remove(message.tool_call_id)
            continue
        assert not waiting
        if isinstance(message, UserMessage):
            assert not isinstance(before, UserMessage)
            assert message.text.strip()
        else:
            assert message.content or message.tool_calls
            assert all(isinstance(json.loads(call.arguments), dict) for call in message.tool_calls)
            waiting = [call.id for call in message.tool_calls]
    assert not waiting


def test_sanitizing_again_finds_the_same_objects() -> None:
    sanitizer = Sanitizer()
    history: list[Message] = [_user("a"), _user("b"), _calling("1", arguments="x"), A]
    before = sanitizer.clean(history)
    after = sanitizer.clean([*history, U, _calling("2"), _result("2")])
    assert all(new is old for new, old in zip(after, before, strict=False))


def test_a_long_history_costs_little_per_turn() -> None:
    """*Cost*: 0.05 ms for 2,000 messages on a machine of 2026; the limit leaves room for a slow one."""
    sanitizer = Sanitizer()
    history: list[Message] = [_user("go")]
    for turn in range(1000):
        history += [_calling(f"{turn}"), _result(f"{turn}")]
    sanitizer.clean(history)
    spent_s = []
    for turn in range(20):
        history += [_calling(f"x{turn}"), _result(f"x{turn}")]
        started = time.process_time()
        sanitizer.clean(history)
        spent_s.append(time.process_time() - started)
    assert sorted(spent_s)[10] < 1e-3
