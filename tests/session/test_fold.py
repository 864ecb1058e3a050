"""What a session's events add up to."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from claw.protocol import events as ev
from claw.protocol.details import TodoItem
from claw.protocol.messages import (
    AssistantMessage,
    Image,
    Message,
    Prefix,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
    as_content,
)
from claw.session.base import SessionInfo, SessionState
from claw.session.fold import INTERRUPTED, Fold, fold, title_of
from tests.session.arbitrary import histories

PLACE: dict[str, Any] = {"claw": "0", "roots": ("/w",), "host": "moonshot", "mode": "ask", "sandbox": "none"}


def said(text: str, source: str = "user") -> ev.UserMessageAdded:
    return ev.UserMessageAdded(message=UserMessage(as_content(text)), source=source)


def replied(*calls: tuple[str, str], content: str = "", finish_reason: str = "tool_calls") -> ev.ReplyFinished:
    made = tuple(ToolCall(id, name, "{}") for id, name in calls)
    return ev.ReplyFinished(message=AssistantMessage(content, None, made), finish_reason=finish_reason)


def returned(id: str, name: str, text: str, *, is_error: bool = False) -> ev.ToolFinished:
    return ev.ToolFinished(call_id=id, name=name, content=as_content(text), is_error=is_error)


def result(id: str, name: str, text: str, *, is_error: bool = False) -> ToolMessage:
    return ToolMessage(id, name, as_content(text), is_error)


def numbered(*history: ev.Event) -> list[ev.Event]:
    for seq, event in enumerate(history):
        event.session, event.seq, event.ts = "s1", seq, 1000.0 + seq
    return list(history)


def messages_of(*history: ev.Event) -> tuple[Message, ...]:
    return fold(history).messages


def test_a_whole_session() -> None:
    finished = ev.RunFinished(run=1, status="done", result="repaired", changed_files=("a.py", "b.py"))
    prefix = Prefix("system")
    reply, last = replied(("c1", "read"), ("c2", "edit")), replied(content="repaired", finish_reason="stop")
    history = numbered(
        ev.SessionStarted(protocol=1, cwd="/old", model="kimi-k2", **PLACE),
        ev.PrefixSet(prefix=prefix),
        ev.SessionResumed(cwd="/w", model="kimi-k2.6", **PLACE),
        ev.RunStarted(run=1),
        said("  repair\n it "),
        ev.TurnStarted(turn=1),
        reply,
        ev.UsageReported(usage=Usage(100, 50, 10, 5), cost_usd=0.25),
        ev.ToolStarted(call_id="c1", name="read", arguments="{}"),
        ev.ToolStarted(call_id="c2", name="edit", arguments="{}"),
        ev.FileChanged(call_id="c2", path="/w/a.py", kind="modified"),
        ev.TodoChanged(items=(TodoItem("test"),)),
        returned("c2", "edit", "edited"),
        returned("c1", "read", "x = 1"),
        ev.TurnFinished(turn=1),
        ev.TurnStarted(turn=2),
        last,
        ev.UsageReported(usage=Usage(200, 100, 1, 0), cost_usd=0.5),
        ev.TurnFinished(turn=2),
        finished,
        ev.SessionEnded(),
    )
    assert fold(history) == SessionState(
        info=SessionInfo(
            id="s1",
            cwd="/w",
            title="repair it",
            host="moonshot",
            model="kimi-k2.6",
            status="done",
            n_runs=1,
            n_turns=2,
            n_tool_calls=2,
            usage=Usage(300, 150, 11, 5),
            cost_usd=0.75,
            started_ts=1000.0,
            updated_ts=1020.0,
        ),
        protocol=1,
        roots=("/w",),
        mode="ask",
        sandbox="none",
        prefix=prefix,
        messages=(
            UserMessage(as_content("  repair\n it ")),
            reply.message,
            result("c1", "read", "x = 1"),
            result("c2", "edit", "edited"),
            last.message,
        ),
        todo=(TodoItem("test"),),
        changed_files=("a.py", "b.py"),
        last_run=finished,
        next_seq=21,
    )


def test_nothing_adds_up_to_nothing() -> None:
    assert fold([]) == SessionState(SessionInfo(""))


def test_a_call_without_a_result_gets_one() -> None:
    reply = replied(("c1", "bash"), ("c2", "read"))
    lost = result("c1", "bash", INTERRUPTED, is_error=True)
    read = result("c2", "read", "x")
    assert messages_of(reply, returned("c2", "read", "x")) == (reply.message, lost, read)
    later = said("go on")
    assert messages_of(reply, returned("c2", "read", "x"), later) == (reply.message, lost, read, later.message)


def test_results_stand_at_their_reply_whatever_came_between() -> None:
    reply, steer = replied(("c1", "bash")), said("hurry", "steer")
    assert messages_of(reply, steer, returned("c1", "bash", "ok")) == (
        reply.message,
        result("c1", "bash", "ok"),
        steer.message,
    )


def test_ids_that_are_used_again() -> None:
    first, second = replied(("c", "bash"), ("c", "bash")), replied(("c", "bash"))
    history = [first, returned("c", "bash", "1"), returned("c", "bash", "2"), second, returned("c", "bash", "3")]
    assert messages_of(*history, returned("c", "bash", "no one asked")) == (
        first.message,
        result("c", "bash", "1"),
        result("c", "bash", "2"),
        second.message,
        result("c", "bash", "3"),
    )


def test_the_newest_call_that_waits_takes_the_result() -> None:
    lost, answered = replied(("c", "bash")), replied(("c", "bash"))
    assert messages_of(lost, said("again"), answered, returned("c", "bash", "ok")) == (
        lost.message,
        result("c", "bash", INTERRUPTED, is_error=True),
        UserMessage(as_content("again")),
        answered.message,
        result("c", "bash", "ok"),
    )


def test_a_result_that_nobody_asked_for_is_dropped() -> None:
    assert messages_of(said("hi"), returned("c9", "bash", "?")) == (UserMessage(as_content("hi")),)


def test_an_interrupted_reply_is_kept_as_text() -> None:
    cut = replied(("c1", "bash"), content="I will", finish_reason="interrupted")
    assert messages_of(cut) == (AssistantMessage("I will", interrupted=True),)


def test_a_cost_is_unknown_once_one_request_had_no_price() -> None:
    known, unknown = ev.UsageReported(usage=Usage(), cost_usd=1.0), ev.UsageReported(usage=Usage(), cost_usd=None)
    assert [fold(each).info.cost_usd for each in ([], [known, known], [known, unknown, known])] == [0.0, 2.0, None]


def test_the_status_is_that_of_the_last_run() -> None:
    run, end = ev.RunStarted(run=1), ev.RunFinished(run=1, status="limit")
    courses: list[list[ev.Event]] = [[], [run], [run, end], [run, end, run]]
    assert [fold(each).info.status for each in courses] == ["empty", "unfinished", "limit", "unfinished"]


def test_the_title_is_what_the_user_said_first() -> None:
    assert fold([said("tests failed", "verify"), said("a"), said("b")]).info.title == "a"
    assert title_of(UserMessage(as_content("x" * 81))) == "x" * 79 + "…"
    assert title_of(UserMessage((Image("data:"),))) == "(picture)"


@given(histories)
def test_any_history_folds_to_a_conversation_that_hosts_accept(history: list[ev.Event]) -> None:
    state = fold(history)
    messages = iter(state.messages)
    for message in messages:
        assert not isinstance(message, ToolMessage), "a result that follows no call"
        if isinstance(message, AssistantMessage):
            answers = [next(messages) for _ in message.tool_calls]
            assert [getattr(a, "tool_call_id", None) for a in answers] == [call.id for call in message.tool_calls]


@given(histories)
def test_the_state_may_be_asked_for_at_any_moment(history: list[ev.Event]) -> None:
    whole = Fold()
    for event in history:
        whole(event)
        whole.state()
    assert whole.state() == fold(history)
