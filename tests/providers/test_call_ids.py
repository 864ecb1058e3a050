"""Calls under the ids that Kimi's own grammar has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from claw.protocol.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage, as_content
from claw.providers.call_ids import CallIds, ReceivedIds
from claw.providers.sanitize import sanitize


def _calling(*calls: tuple[str, str]) -> AssistantMessage:
    return AssistantMessage("", None, tuple(ToolCall(call_id, name, "{}") for call_id, name in calls))


def _result(call_id: str) -> ToolMessage:
    return ToolMessage(call_id, "any", as_content("ok"))


def _all(messages: list[Message]) -> list[tuple[str, ...]]:
    ids = CallIds()
    return [ids.add(message) for message in messages]


def test_the_index_counts_over_the_whole_conversation() -> None:
    assert _all(
        [
            UserMessage(as_content("go")),
            _calling(("x", "ls"), ("y", "read")),
            _result("y"),
            _result("x"),
            _calling(("functions.ls:0", "ls")),
            _result("functions.ls:0"),
        ]
    ) == [
        (),
        ("functions.ls:0", "functions.read:1"),
        ("functions.read:1",),
        ("functions.ls:0",),
        ("functions.ls:2",),
        ("functions.ls:2",),
    ]


def test_the_same_id_again_means_the_newest_call() -> None:
    history: list[Message] = [_calling(("x", "ls")), _result("x"), _calling(("x", "read")), _result("x")]
    assert _all(history) == [("functions.ls:0",)] * 2 + [("functions.read:1",)] * 2


def test_calls_that_share_an_id_are_answered_in_turn() -> None:
    history: list[Message] = [_calling(("x", "ls"), ("x", "read")), _result("x"), _result("x")]
    assert _all(history) == [("functions.ls:0", "functions.read:1"), ("functions.ls:0",), ("functions.read:1",)]


def test_ids_as_they_were_received() -> None:
    ids = ReceivedIds()
    assert [ids.add(message) for message in (_calling(("x", "ls"), ("y", "ls")), _result("y"))] == [("x", "y"), ("y",)]


IDS = st.sampled_from(["a", "functions.f:0", "functions.f:1", "call_1"])
MESSAGES = st.one_of(
    st.just(UserMessage(as_content("u"))),
    st.builds(lambda ids: _calling(*((one, "f") for one in ids)), st.lists(IDS, max_size=3)),
    st.builds(_result, IDS),
)


@given(st.lists(MESSAGES, max_size=16), st.integers(0, 16))
def test_each_result_follows_its_own_call_and_nothing_sent_ever_changes(history: list[Message], back_to: int) -> None:
    clean = sanitize(history)
    ids = CallIds()
    first = [ids.add(message) for message in clean]
    back_to = min(back_to, len(clean))
    ids.rewind(back_to)
    assert first[:back_to] + [ids.add(message) for message in clean[back_to:]] == first
    made = [
        one for message, own in zip(clean, first, strict=True) if isinstance(message, AssistantMessage) for one in own
    ]
    answered = [
        one for message, own in zip(clean, first, strict=True) if isinstance(message, ToolMessage) for one in own
    ]
    assert made == [f"functions.f:{i}" for i in range(len(made))]
    assert sorted(answered) == sorted(made)
