from __future__ import annotations

import msgspec
import pytest

from claw.errors import ExitCode, SessionError, UsageError
from claw.protocol import events, ops
from claw.protocol.codec import KNOWN_EVENTS, PROTOCOL_VERSION, decode_event, decode_op, encode_event, encode_op
from claw.protocol.details import CommandRun
from claw.protocol.messages import AssistantMessage, Image, Text, ToolCall, as_content


def test_an_event_is_one_line_that_begins_with_what_every_reader_needs() -> None:
    event = events.TurnStarted(turn=3, session="s", seq=7, ts=1.5)
    assert encode_event(event) == b'{"type":"turn_started","session":"s","seq":7,"ts":1.5,"turn":3}'
    assert b"\n" not in encode_event(events.Notice(text="two\nlines"))


@pytest.mark.parametrize(
    "event",
    [
        events.ReplyFinished(
            message=AssistantMessage("hi", "", (ToolCall("1", "bash", "{}"),)), finish_reason="tool_calls"
        ),
        events.ToolFinished(
            call_id="1", name="bash", content=(Text("a"), Image("data:image/png;base64,AA==")),
            details=CommandRun("ls", 0, 0.1),
        ),
        events.RunFinished(run=1, status="done", tests=events.Tests(ran=True, passed=None)),
    ],
)  # fmt: skip
def test_what_is_written_is_what_is_read(event: events.Event) -> None:
    assert decode_event(encode_event(event)) == event


def test_an_unknown_event_is_kept_and_an_unknown_field_passed_over() -> None:
    line = b'{"type":"moon_landed","session":"s","seq":4,"ts":2.0,"by":"eagle"}'
    assert decode_event(line) == events.UnknownEvent(session="s", seq=4, ts=2.0, raw=line)
    assert decode_event(b'{"type":"turn_started","turn":1,"mood":"good"}') == events.TurnStarted(turn=1)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"type":"turn_started"}', b'{"type":"turn_started","turn":"x"}'])
def test_what_is_no_event(line: bytes) -> None:
    with pytest.raises(SessionError):
        decode_event(line)


def test_a_name_that_is_not_utf8_is_spelled_out() -> None:
    assert b"caf\\\\udce9" in encode_event(events.Notice(text=b"caf\xe9".decode("utf-8", "surrogateescape")))


@pytest.mark.parametrize(
    "op",
    [ops.UserTurn.of("go"), ops.Steer.of("left"), ops.Interrupt(), ops.Answer("a1", True, "session"), ops.Shutdown()],
)
def test_ops_round_trip(op: ops.AnyOp) -> None:
    assert decode_op(encode_op(op)) == op


def test_an_op_may_have_its_content_as_a_string() -> None:
    assert decode_op(b'{"type": "steer", "content": "left"}') == ops.Steer(as_content("left"))


@pytest.mark.parametrize("line", [b"go", b"[]", b'{"type": "fly"}', b'{"type": "steer"}'])
def test_what_is_no_op_says_what_is(line: bytes) -> None:
    with pytest.raises(
        UsageError, match="allowed types: answer, interrupt, set_mode, set_title, shutdown, steer, user_turn"
    ):
        decode_op(line)


def test_every_event_is_known_to_the_codec() -> None:
    def leaves(kind: type[events.Event]) -> set[str]:
        below = kind.__subclasses__()
        return set().union(*map(leaves, below)) if below else {str(kind.__struct_config__.tag)}

    assert leaves(events.Event) - {"unknown_event"} == KNOWN_EVENTS


def test_the_version_changes_only_on_purpose() -> None:
    assert PROTOCOL_VERSION == 1
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 75, 130, 143]
    assert msgspec.json.decode(encode_event(events.SessionEnded()))["type"] == "session_ended"
