"""Attribution of cost: worked examples, and what must add up whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.agent.costs import Cost, CostMeter, CostReport, Forecast, KimiRates, RunCost, ToolCost, TurnCost
from claw.protocol import events as ev
from claw.protocol.messages import AssistantMessage, Image, ToolCall, Usage, UserMessage, as_content


class Rates:
    """Dollars a token."""

    input, cached, output = 0.01, 0.001, 0.1


RATES = Rates()


def _bill(usage: Usage) -> float:
    return (usage.input - usage.cached) * RATES.input + usage.cached * RATES.cached + usage.output * RATES.output


def _turn(turn: int, usage: Usage, message: AssistantMessage, *, cost_usd: float | None = -1.0) -> list[ev.Event]:
    cost_usd = _bill(usage) if cost_usd == -1.0 else cost_usd
    return [
        ev.TurnStarted(turn=turn),
        ev.ReplyFinished(message=message, finish_reason="stop"),
        ev.UsageReported(usage=usage, cost_usd=cost_usd),
    ]


def _result(name: str, n_chars: int, *, is_error: bool = False) -> ev.ToolFinished:
    return ev.ToolFinished(call_id="x", name=name, content=as_content("r" * n_chars), is_error=is_error)


def _call(name: str, n_chars: int) -> ToolCall:
    """`n_chars` of name and arguments together."""
    return ToolCall("x", name, "a" * (n_chars - len(name)))


FIRST = Usage(input=1000, cached=0, output=100, reasoning=20)
SECOND = Usage(input=1300, cached=1000, output=50)
HISTORY: list[ev.Event] = [
    ev.RunStarted(run=1),
    ev.UserMessageAdded(message=UserMessage(as_content("u" * 100))),
    # 80 tokens that are no thinking, 200 characters: 40 for the words, 120 for read, 40 for bash.
    *_turn(1, FIRST, AssistantMessage("w" * 40, "thought", (_call("read", 120), _call("bash", 40)))),
    _result("read", 500),
    _result("bash", 93, is_error=True),
    ev.TurnFinished(turn=1),
    # 300 tokens more than before, for 207 characters of reply, 593 of results and 200 of a word in between.
    ev.UserMessageAdded(message=UserMessage(as_content("s" * 200)), source="steer"),
    *_turn(2, SECOND, AssistantMessage("done")),
    ev.TurnFinished(turn=2),
    ev.RunFinished(run=1, status="done"),
]


def test_a_worked_example() -> None:
    report = CostMeter.over(HISTORY, RATES).report()
    first, second = Cost(FIRST, 20.0, 1, 0), Cost(SECOND, pytest.approx(9.0), 1, 0)
    read = 48 * 0.1 + 300 * 0.5 * 0.01
    bash = 16 * 0.1 + 300 * 0.093 * 0.01
    assert report == CostReport(
        total=Cost(FIRST + SECOND, pytest.approx(29.0), 2, 0),
        runs=(RunCost(1, "done", 2, Cost(FIRST + SECOND, pytest.approx(29.0), 2, 0)),),
        turns=(TurnCost(1, 1, first), TurnCost(1, 2, second)),
        tools=(
            ToolCost("read", 1, 0, pytest.approx(48.0), pytest.approx(150.0), pytest.approx(read)),
            ToolCost("bash", 1, 1, pytest.approx(16.0), pytest.approx(27.9), pytest.approx(bash)),
        ),
        conversation_usd=pytest.approx(29.0 - read - bash),
        forecast=Forecast(
            # All of the first request was in the cache when the second came, so all of the second will be.
            Usage(input=1300 + 50 + 1, cached=1300, output=75, reasoning=10),
            pytest.approx(51 * 0.01 + 1300 * 0.001 + 75 * 0.1),
        ),
    )
    assert (report.total.fresh, report.total.cache_share) == (1300, pytest.approx(1000 / 2300))


def test_results_cost_the_cached_price_beyond_what_was_fresh() -> None:
    usage = Usage(input=1400, cached=1350, output=1)
    history = [*HISTORY[:4], *_turn(1, FIRST, AssistantMessage()), _result("read", 100), *_turn(2, usage, REPLY)]
    (tool,) = CostMeter.over(history, RATES).report().tools
    assert tool.input == 400
    assert tool.cost_usd == pytest.approx(50 * 0.01 + 350 * 0.001)


REPLY = AssistantMessage("ok")


def test_thinking_counts_as_written_where_the_host_does_not_count_it() -> None:
    message = AssistantMessage("", "t" * 60, (_call("ls", 20),))
    (tool,) = CostMeter.over(_turn(1, Usage(10, 0, 40), message), RATES).report().tools
    assert tool.output == 10


def test_an_unknown_price_is_unknown_from_there_on() -> None:
    message = AssistantMessage("", None, (_call("ls", 20),))
    known = _turn(1, FIRST, message)
    report = CostMeter.over([ev.RunStarted(run=1), *known, *_turn(2, FIRST, message, cost_usd=None)], RATES).report()
    assert (report.total.cost_usd, report.tools[0].cost_usd, report.conversation_usd) == (None, None, None)
    assert report.forecast
    assert report.forecast.cost_usd is None


def test_usage_that_was_estimated_is_marked() -> None:
    estimated = ev.UsageReported(usage=FIRST, cost_usd=1.0, reported=False)
    report = CostMeter.over([ev.RunStarted(run=3), *_turn(1, FIRST, REPLY)[:2], estimated]).report()
    assert report.total == report.runs[0].cost == report.turns[0].cost == Cost(FIRST, 1.0, 1, 1)


def test_an_interrupted_reply_leaves_the_results_for_the_next_request() -> None:
    silent = [
        ev.ReplyFinished(message=AssistantMessage("hal", interrupted=True), finish_reason="interrupted"),
        ev.UsageReported(usage=Usage(), cost_usd=0.0, reported=False),
    ]
    history = [*_turn(1, FIRST, AssistantMessage()), _result("read", 100), *silent, *_turn(1, SECOND, REPLY)]
    report = CostMeter.over(history, RATES).report()
    assert report.tools[0].input == 300
    assert report.total.n_estimated == 1


def test_a_request_of_its_own_is_charged_to_the_run_alone() -> None:
    lone = ev.UsageReported(usage=Usage(50_000, 0, 500), cost_usd=7.0)
    with_it = CostMeter.over([*HISTORY[:6], lone, *HISTORY[6:]], RATES).report()
    without = CostMeter.over(HISTORY, RATES).report()
    assert with_it.tools == without.tools
    assert with_it.total.cost_usd == pytest.approx(36.0)


def test_a_history_that_was_made_shorter_still_charges_the_results() -> None:
    history = [*_turn(1, FIRST, AssistantMessage()), _result("read", 80), *_turn(2, Usage(400, 0, 1), REPLY)]
    assert CostMeter.over(history, RATES).report().tools[0].input == 20


def test_a_picture_weighs_something() -> None:
    picture = ev.ToolFinished(call_id="x", name="view_media", content=(Image("data:image/png;base64,"),))
    history = [*_turn(1, FIRST, AssistantMessage()), picture, *_turn(2, SECOND, REPLY)]
    assert CostMeter.over(history, RATES).report().tools[0].input == 300


def test_rates_say_only_how_a_bill_is_shared() -> None:
    history = [*_turn(1, FIRST, AssistantMessage("", None, (_call("ls", 9),))), _result("ls", 9)]
    usual, dearer = KimiRates(), KimiRates(9.5, 1.6, 40.0)
    assert CostMeter.over(history, usual).report() == CostMeter.over(history, dearer).report()
    assert CostMeter.over(history).report().total.cost_usd == 20.0


def test_nothing_happened() -> None:
    assert CostMeter().report() == CostReport(Cost(), (), (), (), 0.0, None)
    assert Cost().cache_share == 0.0


counts = st.integers(0, 10_000)
usages = st.builds(Usage, counts, counts, counts, counts)
replies = st.builds(
    AssistantMessage,
    st.text(max_size=9),
    st.none() | st.text(max_size=9),
    st.lists(st.builds(ToolCall, st.just("x"), st.sampled_from(["", "ls", "read"]), st.text(max_size=9))).map(tuple),
)
any_event = st.one_of(
    st.builds(ev.RunStarted, run=st.integers(0, 5)),
    st.builds(ev.TurnStarted, turn=counts),
    st.builds(ev.ReplyFinished, message=replies, finish_reason=st.just("stop")),
    st.builds(ev.UsageReported, usage=usages, cost_usd=st.none() | st.floats(0, 1e3, width=32), reported=st.booleans()),
    st.builds(_result, st.sampled_from(["ls", "read", "bash"]), st.integers(0, 500), is_error=st.booleans()),
    st.builds(ev.UserMessageAdded, message=st.builds(UserMessage, st.text(max_size=9).map(as_content))),
    st.builds(ev.RunFinished, run=st.integers(0, 5), status=st.just("done")),
)


@given(st.lists(any_event, max_size=60))
def test_the_parts_add_up_to_the_bill_whatever_happens(events: list[ev.Event]) -> None:
    report = CostMeter.over(events, RATES).report()
    bills = [event for event in events if isinstance(event, ev.UsageReported)]
    assert report.total.n_requests == len(report.turns) == len(bills)
    assert report.total.usage == sum((bill.usage for bill in bills), Usage())
    assert sum(tool.n_calls for tool in report.tools) == sum(isinstance(event, ev.ToolFinished) for event in events)
    known = [bill.cost_usd for bill in bills if bill.cost_usd is not None]
    if len(known) < len(bills):
        assert report.total.cost_usd is report.conversation_usd is None
        return
    spent = sum(known)
    of_tools = sum(tool.cost_usd or 0.0 for tool in report.tools)
    assert report.total.cost_usd == pytest.approx(spent)
    assert of_tools + (report.conversation_usd or 0.0) == pytest.approx(spent)
    assert all((tool.cost_usd or 0.0) >= 0 and tool.input >= 0 and tool.output >= 0 for tool in report.tools)
