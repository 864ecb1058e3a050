"""Estimates of tokens: within bounds for anything, close for what is common."""

from __future__ import annotations

import base64
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.protocol.messages import (
    AssistantMessage,
    Image,
    Message,
    Prefix,
    Text,
    ToolCall,
    ToolMessage,
    ToolSpec,
    Usage,
    UserMessage,
    Video,
    as_content,
)
from claw.providers.tokens import (
    MESSAGE_TOKENS,
    UNKNOWN_PICTURE_TOKENS,
    VIDEO_TOKENS,
    UsageEstimator,
    estimate_picture_tokens,
    estimate_tokens,
    estimate_usage,
)

PROSE = (
    "The tests failed because the clock of the server had drifted by a few seconds. I changed the comparison so that "
    "it allows for that, and ran the whole suite again: everything passes now. "
)
CODE = (
    "def window(items: list[int], size: int) -> list[int]:\n    total = sum(items[:size])\n    result = [total]\n"
    "    for i in range(size, len(items)):\n        total += items[i] - items[i - size]\n        result.append(total)\n"
    "    return result\n"
)
CHINESE = "月之暗面是一家人工智能公司，我们的模型会写代码，也会自己运行测试。"
RANDOM = base64.b64encode(bytes(i * 97 % 251 for i in range(600))).decode()

pieces = st.text() | st.text(alphabet=" \t\n\r\x0b\u2003", max_size=40) | st.text(alphabet="aBc1_-{}é我", max_size=40)


@given(pieces, pieces)
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    assert 0 <= estimate_tokens(text) <= estimate_tokens(text + more)
    assert estimate_tokens(text + more) <= estimate_tokens(text) + estimate_tokens(more) + 1


@given(pieces)
def test_a_token_is_at_least_a_byte(text: str) -> None:
    assert estimate_tokens(text) <= len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [(PROSE, 3.5, 5.2), (CODE, 2.7, 4.5), (CHINESE, 1.2, 1.9), (RANDOM, 1.2, 2.3), (" " * 1000, 10, 100)],
)
def test_characters_a_token_of_what_is_common(text: str, least: float, most: float) -> None:
    assert least <= len(text) / estimate_tokens(text) <= most


@pytest.mark.parametrize(
    ("text", "n_tokens"),
    [
        ("", 0),
        (" ", 0),
        ("the", 1),
        (" the", 1),
        ("getUserName", 3),
        ("1234", 2),
        ("\n        ", 1),
        ("😊", 2),
        ("我", 1),
    ],
)
def test_small_things(text: str, n_tokens: int) -> None:
    assert estimate_tokens(text) == n_tokens


def test_a_large_text_costs_linear_time() -> None:
    began = time.process_time()
    for unit in (" ", "\t\x0b", "a", "\n", "{", "我", "aB"):
        estimate_tokens(unit * 200_000)
    assert time.process_time() - began < 5.0


def _png(width: int, height: int) -> str:
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(2000)
    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("url", "n_tokens"),
    [
        (_png(560, 280), 200),
        (_png(1, 1), 64),
        (_png(100_000, 100_000), 4096),
        ("data:image/png;base64,????", 64),
        ("data:image/jpeg;base64," + "A" * 80_000, 200),
        ("data:image/png", UNKNOWN_PICTURE_TOKENS),
        ("ms://abc", UNKNOWN_PICTURE_TOKENS),
    ],
)
def test_pictures(url: str, n_tokens: int) -> None:
    assert estimate_picture_tokens(url) == n_tokens


def test_a_video_counts_too() -> None:
    message = UserMessage((Text("look"), Video("ms://abc")))
    assert estimate_usage(Prefix(""), [message], AssistantMessage()).input == 2 * MESSAGE_TOKENS + 1 + VIDEO_TOKENS


def _history(n_turns: int) -> list[Message]:
    messages: list[Message] = [UserMessage((Text(PROSE), Image(_png(560, 280))), "today")]
    for k in range(n_turns):
        call = ToolCall(f"read:{k}", "read", '{"path": "a.py"}')
        messages += [AssistantMessage("", "hm", (call,)), ToolMessage(call.id, "read", as_content(CODE))]
    return messages


PREFIX = Prefix(PROSE, (ToolSpec("read", "Reads a file.", {"type": "object"}),))
REPLY = AssistantMessage("All done.", PROSE, (ToolCall("x", "bash", '{"command": "ls"}'),))


def test_usage_counts_everything_that_is_sent() -> None:
    usage = estimate_usage(PREFIX, _history(1), REPLY)
    bare = estimate_usage(Prefix(""), [], AssistantMessage())
    assert bare == Usage(input=MESSAGE_TOKENS)
    assert usage.input > 200 + 2 * estimate_tokens(PROSE) + estimate_tokens(CODE) + 4 * MESSAGE_TOKENS
    assert usage.reasoning == estimate_tokens(PROSE)
    assert usage.output > usage.reasoning + estimate_tokens(REPLY.content)
    assert usage.cached == 0


def test_a_conversation_that_grows_or_changes_is_counted_as_a_new_one_is() -> None:
    messages = _history(6)
    estimator = UsageEstimator(PREFIX)
    shorter = [*messages[:3], UserMessage(as_content("no, stop"))]
    for history in (messages[:1], messages[:3], messages, messages[:5], shorter, [], messages):
        assert estimator.usage(history, REPLY) == estimate_usage(PREFIX, history, REPLY)


def test_a_turn_costs_what_is_new_in_it() -> None:
    messages = _history(1500)
    estimator = UsageEstimator(PREFIX)
    estimator.usage(messages, REPLY)
    began = time.process_time()
    for _ in range(50):
        messages += _history(0)
        estimator.usage(messages, REPLY)
    assert (time.process_time() - began) / 50 < 0.01
