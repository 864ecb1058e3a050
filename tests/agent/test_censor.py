from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from claw.agent.censor import Censor
from claw.protocol.events import (
    Event,
    Notice,
    ReasoningDelta,
    ReplyFinished,
    RetryScheduled,
    TextDelta,
    ToolFinished,
    ToolOutput,
)
from claw.protocol.messages import AssistantMessage
from claw.redact import Redactor

SECRET = "correct-horse-battery"


def passed(*given_events: Event) -> list[Event]:
    censor = Censor(Redactor((SECRET,)))
    return [each for event in given_events for each in censor(event)]


def texts(kind: type[TextDelta | ReasoningDelta | ToolOutput], events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def done(text: str = "") -> ReplyFinished:
    return ReplyFinished(message=AssistantMessage(text), finish_reason="stop")


@given(cuts=st.sets(st.integers(1, 60)), before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_secret_cut_in_pieces_is_never_shown(cuts: set[int], before: str, after: str) -> None:
    text = f"{before} {SECRET} {after}"
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    events = passed(*(TextDelta(text=piece) for piece in pieces), done(text))
    assert SECRET not in texts(TextDelta, events)
    assert texts(TextDelta, events) == Redactor((SECRET,)).text(text)
    assert SECRET not in str(events[-1])


def test_each_stream_is_its_own() -> None:
    half, rest = SECRET[:8], SECRET[8:]
    events = passed(
        ToolOutput(call_id="1", text=half), ToolOutput(call_id="2", text=rest), ReasoningDelta(text=half),
        TextDelta(text=rest), ToolFinished(call_id="1", name="bash", content=()),
        ToolFinished(call_id="2", name="bash", content=()), done(),
    )  # fmt: skip
    assert texts(ToolOutput, events).count(half) == 1
    assert texts(ReasoningDelta, events) == half
    assert texts(TextDelta, events) == rest


def test_what_waits_comes_before_what_ends_its_stream() -> None:
    for end in (done(), RetryScheduled(attempt=1, delay_s=0.0, reason="503")):
        assert [type(event) for event in passed(TextDelta(text=SECRET[:8]), end)] == [TextDelta, type(end)]


def test_an_event_without_secrets_is_passed_on_as_it_is() -> None:
    notice = Notice(text="nothing to hide")
    assert passed(notice)[0] is notice
    assert SECRET not in str(passed(Notice(text=f"it is {SECRET}")))
