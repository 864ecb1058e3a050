"""A run that is recorded, and played back with the same or with other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from claw.errors import HostUnavailable, ReplayDiverged, UsageError
from claw.protocol.messages import Image, Message, Prefix, ToolCall, ToolMessage, Usage, UserMessage, as_content
from claw.providers.base import Provider, ReasoningChunk, Reply, StreamItem, TextChunk
from claw.providers.cassette import read_cassette
from claw.providers.normalise import Normaliser
from claw.providers.replay import RecordingProvider, ReplayProvider
from tests.fakes.provider import FakeProvider, call, say

Tools = Callable[[ToolCall], str]


def normaliser(cwd: str | Path = "/src/demo") -> Normaliser:
    return Normaliser(Path(cwd), Path("/home/ada"), Path("/tmp"))


def script(cwd: str = "/src/demo") -> list[Reply]:
    return [
        call(
            ("read", {"path": f"{cwd}/a.py"}),
            ("bash", {"command": "pytest"}),
            reasoning=f"look into {cwd}",
            usage=Usage(100, 50, 10, 5),
            cost_usd=0.25,
        ),
        call(("edit", {"path": "a.py", "edits": [{"old": "1", "new": "2"}]}), ids=["edit:2"]),
        say("repaired", usage=Usage(200, 100, 3, 0), cost_usd=None),
    ]


def tools(call: ToolCall) -> str:
    texts = {"read": "x = 1\n", "bash": "== 2 passed in 0.03s ==", "edit": "edited a.py"}
    return texts[call.name]


async def drive(provider: Provider, prompt: str, run_tool: Tools = tools) -> list[Reply]:
    """The loop in its smallest form: ask, run the tools, go on until there are no calls."""
    chat = provider.open(Prefix("system"))
    messages: list[Message] = [UserMessage(as_content(prompt), context="Date: today")]
    replies = []
    while True:
        items = [item async for item in chat.ask(messages)]
        reply = items[-1]
        assert isinstance(reply, Reply)
        replies.append(reply)
        messages.append(reply.message)
        if not reply.message.tool_calls:
            return replies
        calls = reply.message.tool_calls
        messages += [ToolMessage(one.id, one.name, as_content(run_tool(one))) for one in calls]


async def record(path: Path, prompt: str = "repair it") -> None:
    recording = RecordingProvider(FakeProvider(script()), path, normaliser())
    await drive(recording, prompt)
    await recording.close()


async def test_a_replay_gives_every_reply_as_it_was_recorded(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl")
    replay = ReplayProvider(tmp_path / "run.jsonl", normaliser())
    assert (replay.host, replay.model, replay.context_window, replay.price_known) == (
        "replay",
        "fake-model",
        262_144,
        True,
    )
    assert await drive(replay, replay.prompt) == script()
    replay.finish()


async def test_the_recording_passes_everything_through(tmp_path: Path) -> None:
    inner = FakeProvider([say("hello", reasoning="hm")])
    recording = RecordingProvider(inner, tmp_path / "run.jsonl", normaliser())
    question = UserMessage(as_content("hi"))
    items: list[StreamItem] = [item async for item in recording.open(Prefix("system")).ask([question])]
    await recording.close()
    assert items == [ReasoningChunk("hm"), TextChunk("hello"), say("hello", reasoning="hm")]
    assert (inner.requests, inner.prefixes, inner.is_closed) == ([(question,)], [Prefix("system")], True)


async def test_the_cassette_is_complete_after_every_reply(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recording = RecordingProvider(FakeProvider([script()[0], HostUnavailable("gone")]), path, normaliser())
    with pytest.raises(HostUnavailable):
        await drive(recording, "repair it")
    header, turns = read_cassette(path)  # the provider is still open
    assert (header.model, len(turns)) == ("fake-model", 1)
    assert path.stat().st_mode & 0o777 == 0o600
    await recording.close()


async def test_a_cancelled_ask_closes_the_inner_stream_at_once(tmp_path: Path) -> None:
    inner = FakeProvider([say("hello")])
    recording = RecordingProvider(inner, tmp_path / "run.jsonl", normaliser())
    stream = recording.open(Prefix("system")).ask([UserMessage(as_content("hi"))])
    assert await anext(stream) == TextChunk("hello")
    await stream.aclose()
    assert inner.n_closed_streams == 1
    assert read_cassette(tmp_path / "run.jsonl")[1] == []
    await recording.close()


async def test_another_result_stops_the_replay_and_says_where(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl")

    def changed(call: ToolCall) -> str:
        return "1 failed, 1 passed in 0.09s" if call.name == "bash" else tools(call)

    with pytest.raises(ReplayDiverged) as caught:
        await drive(ReplayProvider(tmp_path / "run.jsonl", normaliser()), "repair it", changed)
    assert str(caught.value).splitlines() == [
        'turn 2 of 3: the result of bash {"command":"pytest"} is not what was recorded',
        "--- recorded",
        "+++ now",
        "@@ -1 +1 @@",
        "-== 2 passed in {duration} ==",
        "+1 failed, 1 passed in {duration}",
    ]


async def test_durations_and_folders_may_differ(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl", "repair /src/demo/a.py within 5 ms")
    elsewhere = tmp_path / 'fünf "Räume"'
    replay = ReplayProvider(tmp_path / "run.jsonl", normaliser(elsewhere))
    assert replay.prompt == f"repair {elsewhere}/a.py within 5 ms"

    def later(call: ToolCall) -> str:
        return tools(call).replace("0.03s", "11.48s")

    replies = await drive(replay, replay.prompt, later)
    assert msgspec.json.decode(replies[0].message.tool_calls[0].arguments) == {"path": f"{elsewhere}/a.py"}
    assert replies[0].message.reasoning == f"look into {elsewhere}"
    assert replies[1:] == script()[1:]
    assert "/src/demo" not in (tmp_path / "run.jsonl").read_text()


async def test_the_real_path_of_a_linked_folder_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    fitted = Normaliser(tmp_path / "link")
    assert fitted.normalise(f"{tmp_path}/real/a {tmp_path}/link/b") == "{cwd}/a {cwd}/b"


async def test_another_prompt_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl")
    with pytest.raises(ReplayDiverged, match=r"turn 1 of 3: the user's message is not what was recorded\n(.*\n)+\+do"):
        await drive(ReplayProvider(tmp_path / "run.jsonl", normaliser()), "do nothing")


async def test_an_error_in_place_of_a_result_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl")
    chat = ReplayProvider(tmp_path / "run.jsonl", normaliser()).open(Prefix("system"))
    messages: list[Message] = [UserMessage(as_content("repair it"))]
    *_, first = [item async for item in chat.ask(messages)]
    assert isinstance(first, Reply)
    read, bash = first.message.tool_calls
    messages += [
        first.message,
        ToolMessage(read.id, read.name, as_content(tools(read)), is_error=True),
        ToolMessage(bash.id, bash.name, as_content(tools(bash))),
    ]
    with pytest.raises(ReplayDiverged, match=r"recorded: result of read: x = 1\nnow: error of read: x = 1"):
        await anext(chat.ask(messages))


async def test_a_message_more_or_less_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl")
    questions = [UserMessage(as_content("repair it")), UserMessage(as_content("and hurry"))]
    chat = ReplayProvider(tmp_path / "run.jsonl", normaliser()).open(Prefix("system"))
    with pytest.raises(ReplayDiverged, match=r"more is told .*\nrecorded: nothing\nnow: user: and hurry"):
        await anext(chat.ask(questions))
    with pytest.raises(ReplayDiverged, match=r"less is told .*\nrecorded: user: repair it\nnow: nothing"):
        await anext(chat.ask([]))


async def test_a_run_that_ends_before_its_recording_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl")
    replay = ReplayProvider(tmp_path / "run.jsonl", normaliser())
    with pytest.raises(ReplayDiverged, match="goes on with another conversation of 3 turns"):
        replay.finish()
    chat = replay.open(Prefix("system"))
    async for _ in chat.ask([UserMessage(as_content("repair it"))]):
        pass
    with pytest.raises(
        ReplayDiverged, match=r'ended after turn 1 of 3; the recording goes on with edit {"path":"a.py"'
    ):
        replay.finish()


async def test_a_run_that_outlives_its_recording_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "run.jsonl")
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    with pytest.raises(
        ReplayDiverged, match=r"recording ends after turn 2, but the run goes on.*result of edit: edited"
    ):
        await drive(ReplayProvider(path, normaliser()), "repair it")


async def test_pictures_are_compared_by_content(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recording = RecordingProvider(FakeProvider([say("a cat")]), path, normaliser())
    async for _ in recording.open(Prefix("")).ask([UserMessage((Image("data:image/png;base64,AAAA"),))]):
        pass
    await recording.close()
    replay = ReplayProvider(path, normaliser())
    assert "AAAA" not in path.read_text()
    with pytest.raises(ReplayDiverged):
        await anext(replay.open(Prefix("")).ask([UserMessage((Image("data:image/png;base64,BBBB"),))]))


async def test_a_difference_deep_in_a_long_line_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recording = RecordingProvider(FakeProvider([say("ok")]), path, normaliser())
    async for _ in recording.open(Prefix("")).ask([UserMessage(as_content("x" * 50_000 + " then"))]):
        pass
    await recording.close()
    with pytest.raises(ReplayDiverged, match=r"-…x+ then\n\+…x+ now$") as caught:
        await anext(
            ReplayProvider(path, normaliser()).open(Prefix("")).ask([UserMessage(as_content("x" * 50_000 + " now"))])
        )
    assert len(str(caught.value)) < 1_000


async def test_two_conversations_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recording = RecordingProvider(FakeProvider([say("one"), say("two")]), path, normaliser())
    chats = [recording.open(Prefix("a")), recording.open(Prefix("b"))]
    for chat, text in zip(reversed(chats), "ba", strict=True):
        async for _ in chat.ask([UserMessage(as_content(text))]):
            pass
    await recording.close()
    replay = ReplayProvider(path, normaliser())
    played = [[item async for item in replay.open(Prefix("")).ask([UserMessage(as_content(t))])][-1] for t in "ab"]
    assert played == [say("two"), say("one")]
    replay.finish()


HEADER = b'{"type":"cassette","version":1,"claw":"1","model":"m"}\n'
TURN = b'{"type":"turn","expect":[],"reply":{"role":"assistant","content":"hi"},"finish_reason":"stop"}'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is no recording of claw"),
        (b"\x00\xff\n", "is no recording of claw"),
        (b"[" * 100_000, "is no recording of claw"),
        (b'{"type":"session_started"}\n', "is no recording of claw"),
        (HEADER.replace(b'version":1', b'version":2'), "has version 2; this claw reads version 1"),
        (HEADER, "holds no reply"),
        (HEADER + b'{"type":"turn"}\n' + TURN, "line 2: broken recording"),
        (HEADER + TURN + b"\n\xff\n", "line 3: broken recording"),
    ],
)
def test_a_broken_or_foreign_file_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        ReplayProvider(path, normaliser())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the recording .*No such file"):
        ReplayProvider(tmp_path / "none.jsonl", normaliser())


def test_a_recording_that_was_killed_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(HEADER + TURN + b"\n" + TURN[:30])
    assert len(read_cassette(path)[1]) == 1


def test_only_a_recording_is_recorded_over(tmp_path: Path) -> None:
    path = tmp_path / "precious.py"
    path.write_text("print()\n")
    with pytest.raises(UsageError, match="exists and is no recording"):
        RecordingProvider(FakeProvider([]), path, normaliser())
    assert path.read_text() == "print()\n"
    for bad, complaint in ((tmp_path, "no regular file"), (tmp_path / "none" / "x", "No such file")):
        with pytest.raises(UsageError, match=complaint):
            RecordingProvider(FakeProvider([]), bad, normaliser())
    path.write_bytes(HEADER + TURN)
    RecordingProvider(FakeProvider([]), path, normaliser())
    assert read_cassette(path)[1] == []
