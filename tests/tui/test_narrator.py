"""From events to blocks: a session that is watched and one that is read from its log look the same."""

from __future__ import annotations

from claw.protocol import events as ev
from claw.protocol.details import CommandRun, FileChange, FileDiffs, Preview, TodoItem, TodoList
from claw.protocol.messages import AssistantMessage, UserMessage, as_content
from claw.tui.document import Document
from claw.tui.look import Look
from claw.tui.narrator import Narrator
from claw.tui.past import narrated

LOOK = Look("test", dark=True)
WHERE = {"claw": "1", "cwd": "/w", "roots": (), "host": "h", "model": "m", "mode": "ask", "sandbox": "bubblewrap"}


def rows(document: Document | list, width: int = 60) -> list[str]:  # type: ignore[type-arg]
    return [line.text.rstrip() for block in document for line in block.lines(width, LOOK)]


def told(*events: ev.Event, width: int = 60) -> list[str]:
    document = Document()
    narrator = Narrator(document)
    for number, event in enumerate(events):
        event.ts = event.ts or float(number)
        narrator(event)
    return rows(document, width)


def finished(name: str, call_id: str = "c", **fields: object) -> ev.ToolFinished:
    return ev.ToolFinished(call_id=call_id, name=name, **{"content": as_content("text"), **fields})  # type: ignore[arg-type]


RUN = [
    ev.SessionStarted(protocol=1, **WHERE),  # type: ignore[arg-type]
    ev.RunStarted(run=1),
    ev.UserMessageAdded(message=UserMessage(as_content("go on"))),
    ev.TurnStarted(turn=1),
]


def test_a_turn_that_is_watched() -> None:
    assert told(
        *RUN,
        ev.ReasoningDelta(text="I wonder.", ts=10),
        ev.TextDelta(text="**Well", ts=13),
        ev.TextDelta(text="**, done."),
        ev.ReplyFinished(message=AssistantMessage("**Well**, done.", "I wonder."), finish_reason="stop"),
        ev.RunFinished(run=1, status="done", n_turns=1, duration_s=75, cost_usd=0.5),
    ) == [
        "claw · m@h  /w",
        "❯ go on",
        "∴ thought for 3 s · I wonder.",
        "Well, done.",
        "✓ done · 1 turn · 0 calls · 1 m 15 s · $0.50",
    ]


def test_the_same_from_the_log_which_has_no_deltas() -> None:
    events = [*RUN, ev.ReplyFinished(message=AssistantMessage("**Well**, done.", "I wonder."), finish_reason="stop")]
    assert told(*events)[2:] == ["∴ thought · I wonder.", "Well, done."]


def test_a_reply_that_starts_again_leaves_nothing_of_the_first() -> None:
    assert told(
        *RUN,
        ev.TextDelta(text="Half a sen"),
        ev.RetryScheduled(attempt=1, delay_s=2, reason="503"),
        ev.TextDelta(text="Whole."),
    )[2:] == ["! the host failed (503); trying again in 2 s", "Whole."]


def test_a_command_from_question_to_end() -> None:
    asked = ev.ApprovalAsked(
        approval="a", call_id="c", name="bash", summary="make", reason="r", preview=Preview(command="make")
    )
    started = ev.ToolStarted(call_id="c", name="bash", arguments="{}", summary="make", ts=5)
    assert told(asked) == ["? bash make" + " " * 28 + "waits for your answer"]
    answered = ev.ApprovalAnswered(approval="a", call_id="c", allowed=True)
    assert told(asked, answered, started, ev.ToolOutput(call_id="c", text="one\ntwo\n")) == [
        "▸ bash make", "  one", "  two",
    ]  # fmt: skip
    ended = finished("bash", brief="exit 2", is_error=False, duration_s=1.25, details=CommandRun("make", 2, 1.25))
    assert told(asked, answered, started, ended)[0] == "✗ bash make" + " " * 35 + "exit 2 · 1.2 s"
    assert told(asked, ev.ApprovalAnswered(approval="a", call_id="c", allowed=False)) == ["⊘ bash make"]


def test_an_edit_and_a_plan() -> None:
    change = FileChange("a.py", "modified", "--- a\n+++ b\n@@ -1,2 +1,2 @@\n same\n-old word\n+new word\n", 1, 1)
    lines = told(
        ev.ToolStarted(call_id="c", name="edit", arguments="{}", summary="a.py"),
        finished("edit", details=FileDiffs((change,))),
    )
    assert lines == ["✓ edit a.py", "  a.py +1 −1", "  1   same", "  2 - old word", "  2 + new word"]
    plan = TodoList((TodoItem("read", "done"), TodoItem("write", "in_progress"), TodoItem("rest")))
    lines = told(ev.ToolStarted(call_id="c", name="todo", arguments="{}"), finished("todo", details=plan))
    assert lines == ["✓ todo", "  ✓ read", "  ▸ write", "  · rest"]


def test_calls_that_never_ended_are_shown_as_such() -> None:
    started = ev.ToolStarted(call_id="c", name="bash", arguments="{}", summary="sleep 9")
    assert rows(narrated([started])) == ["■ bash sleep 9"]
    assert told(started, ev.RunFinished(run=1, status="interrupted"))[0] == "■ bash sleep 9"


def test_nothing_that_others_wrote_reaches_the_terminal_as_it_is() -> None:
    bad = "\x1b[2J\u202eevil"
    lines = told(
        ev.UserMessageAdded(message=UserMessage(as_content(bad)), source="steer"),
        ev.ReasoningDelta(text=bad),
        ev.TextDelta(text=bad),
        ev.ToolStarted(call_id="c", name=bad, arguments=bad, summary=bad),
        ev.ToolOutput(call_id="c", text=bad),
        finished(bad, content=as_content(bad), brief=bad, is_error=True),
        ev.Notice(text=bad),
        ev.BackgroundFinished(job=bad, command=bad, exit_code=1),
        ev.VerifyFinished(command=bad, passed=False, exit_code=1, output=bad),
        ev.ProtectedRestored(command=bad, paths=(bad,), kept=bad),
        ev.RunFinished(run=1, status="error", error=bad),
        width=200,
    )
    assert len(lines) > 8
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
