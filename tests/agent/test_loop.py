from __future__ import annotations

from pathlib import Path

import msgspec

from claw.agent.executor import CUT_OFF
from claw.errors import AuthError, HostUnavailable
from claw.protocol import events
from claw.protocol.messages import AssistantMessage, ToolMessage, Usage, UserMessage, as_content
from claw.protocol.ops import Interrupt, Shutdown, Steer, UserTurn
from tests.agent.bench import AgentBench
from tests.fakes.provider import call, say


async def test_a_run_in_the_order_that_the_protocol_promises(tmp_path: Path) -> None:
    script = [call(("note", {"text": "a"}), text="I note", reasoning="hm", usage=Usage(10, 5, 3)), say("Done.")]
    bench = AgentBench(tmp_path, script)
    finished = await bench.work("go")
    assert bench.names() == [
        "RunStarted", "UserMessageAdded",
        "TurnStarted", "ReplyFinished", "UsageReported", "ToolStarted", "ToolFinished", "TurnFinished",
        "TurnStarted", "ReplyFinished", "UsageReported", "TurnFinished",
        "RunFinished",
    ]  # fmt: skip
    persisted = [event.seq for event in bench.events if event.persisted]
    assert persisted == list(range(len(persisted)))
    assert {event.session for event in bench.events} == {"test-session"}
    assert (finished.status, finished.result, finished.n_turns) == ("done", "Done.", 2)
    assert [event.text for event in bench.of(events.ReasoningDelta)] == ["hm"]
    assert bench.provider.requests[1] == (
        UserMessage(as_content("go"), "Date: today"),
        script[0].message,
        ToolMessage("functions.note:0", "note", as_content("noted a")),
    )


async def test_what_was_said_keeps_its_identity(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [call(("note", {"text": "a"})), say("Done.")])
    await bench.work("go")
    first, second = bench.provider.requests
    assert all(a is b for a, b in zip(first, second, strict=False))


async def test_steering_goes_in_after_the_tools_of_the_reply(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [call(("note", {"text": "a", "seconds": 0.2})), say("Done.")])
    await bench.work("go", then=[(0.05, Steer.of("mind the gap"))])
    assert [type(message) for message in bench.provider.requests[1]] == [
        UserMessage, AssistantMessage, ToolMessage, UserMessage
    ]  # fmt: skip
    assert [(event.message.text, event.source) for event in bench.of(events.UserMessageAdded)] == [
        ("go", "user"), ("mind the gap", "steer")
    ]  # fmt: skip


async def test_steering_during_the_last_answer_makes_the_model_go_on(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [say("Done."), say("Done, with the gap minded.")], delay_s=0.1)
    finished = await bench.work("go", then=[(0.05, Steer.of("mind the gap"))])
    assert finished.result == "Done, with the gap minded."
    assert len(bench.of(events.RunFinished)) == 1


async def test_steering_when_idle_starts_a_run(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [say("Hello.")])
    finished = await bench.work(then=[(0.0, Steer.of("hi"))])
    assert finished.result == "Hello."


async def test_turns_wait_for_each_other(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [say("one"), say("two")], delay_s=0.02)
    await bench.work("first", "second")
    assert [(event.run, event.result) for event in bench.of(events.RunFinished)] == [(1, "one"), (2, "two")]


async def test_interrupt_stops_tools_and_leaves_a_sound_conversation(tmp_path: Path) -> None:
    script = [call(("note", {"text": "a"}), ("note", {"text": "b", "seconds": 30}), ids=["1", "2"]), say("Back.")]
    bench = AgentBench(tmp_path, script)
    await bench.work("go", then=[(0.1, Interrupt()), (0.05, UserTurn.of("again"))])
    first, second = bench.of(events.RunFinished)
    assert (first.status, second.status) == ("interrupted", "done")
    results = [message for message in bench.provider.requests[1] if isinstance(message, ToolMessage)]
    assert [(result.tool_call_id, result.is_error) for result in results] == [("1", False), ("2", True)]
    assert "effects are unknown" in results[1].text
    assert bench.tool.live == 0


async def test_interrupt_during_an_answer_keeps_what_was_said(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [say("Half an ans"), say("Back.")], delay_s=0.2)
    finished = await bench.work("go", then=[(0.1, Interrupt())])
    assert finished.status == "interrupted"
    assert bench.conversation.messages[-1] == AssistantMessage("Half an ans", interrupted=True)
    assert bench.provider.n_closed_streams == 1


async def test_a_call_that_was_cut_off_is_never_run(tmp_path: Path) -> None:
    cut = msgspec.structs.replace(call(("note", {"text": "a"})), finish_reason="length")
    bench = AgentBench(tmp_path, [cut, say("Done.")])
    await bench.work("go")
    assert bench.tool.log == []
    (result,) = [message for message in bench.provider.requests[1] if isinstance(message, ToolMessage)]
    assert (result.is_error, result.text) == (True, CUT_OFF)


async def test_shutdown_drops_what_waits(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [say("one"), say("two")], delay_s=0.2)
    finished = await bench.work("first", "second", then=[(0.05, Shutdown(terminated=True))])
    assert (finished.run, finished.status) == (1, "terminated")


async def test_a_refusing_host_ends_the_run_but_not_the_session(tmp_path: Path) -> None:
    bench = AgentBench(tmp_path, [AuthError("bad key"), HostUnavailable("down"), say("Back.")])
    await bench.work("one", "two", "three")
    assert [(event.status, event.error) for event in bench.of(events.RunFinished)] == [
        ("error", "bad key"), ("retry_later", "down"), ("done", None)
    ]  # fmt: skip
