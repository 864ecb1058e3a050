"""Random events, in any order at all, and logs to keep them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from claw.protocol import events as ev
from claw.protocol.details import CommandRun, FileChange, FileDiffs, Lines, TodoItem, TodoList
from claw.protocol.messages import AssistantMessage, Image, Prefix, Text, ToolCall, ToolSpec, Usage, UserMessage
from claw.session.base import SessionFolder
from claw.session.journal import Journal, LogReader

words = st.text(max_size=12)
ids = st.sampled_from(["a", "b", "c"])  # few, so that results find calls and calls share ids
counts = st.integers(0, 10**9)
costs = st.none() | st.floats(0, 100)
long_texts = st.sampled_from(["x" * 20_000, 'é"\n\\' * 6_000, "😀" * 16_385])
contents = st.lists(st.builds(Text, words | long_texts) | st.builds(Image, words | long_texts), max_size=3).map(tuple)
usages = st.builds(Usage, counts, counts, counts, counts)
calls = st.lists(st.builds(ToolCall, ids, words, words), max_size=4).map(tuple)
replies = st.builds(AssistantMessage, words, st.none() | words, calls, st.booleans())
tuples_of_words = st.lists(words, max_size=3).map(tuple)
todos = st.lists(st.builds(TodoItem, words, words), max_size=3).map(tuple)
details = st.none() | st.one_of(
    st.builds(FileDiffs, st.lists(st.builds(FileChange, words, words, words, counts, counts), max_size=2).map(tuple)),
    st.builds(CommandRun, words, st.none() | st.integers(-9, 255), st.floats(0, 100)),
    st.builds(Lines, words, counts),
    st.builds(TodoList, todos),
)
specs = st.builds(ToolSpec, words, words, st.dictionaries(words, st.just({"type": "blob"})))
place = {"claw": words, "cwd": st.sampled_from(["", "/w"]), "roots": tuples_of_words, "host": words, "model": words}
place |= {"mode": words, "sandbox": words}


def _some(event: type[Any], /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[ev.Event]:
    return st.builds(event, session=st.just("s"), seq=counts, ts=st.floats(0, 1e10), **fields)


events = st.one_of(
    _some(ev.SessionStarted, protocol=st.just(1), **place),
    _some(ev.SessionResumed, **place),
    _some(ev.PrefixSet, prefix=st.builds(Prefix, words, st.lists(specs, max_size=2).map(tuple))),
    _some(ev.RunStarted, run=counts),
    _some(ev.UserMessageAdded, message=st.builds(UserMessage, contents, words), source=st.sampled_from(["user", "x"])),
    _some(ev.TurnStarted, turn=counts),
    _some(ev.TextDelta, text=words),
    _some(ev.ReplyFinished, message=replies, finish_reason=st.sampled_from(["stop", "interrupted"])),
    _some(ev.UsageReported, usage=usages, cost_usd=costs),
    _some(ev.ToolStarted, call_id=ids, name=words, arguments=words),
    _some(ev.ToolOutput, call_id=ids, text=words),
    _some(ev.ToolFinished, call_id=ids, name=words, content=contents, is_error=st.booleans(), details=details),
    _some(ev.FileChanged, call_id=ids, path=st.sampled_from(["/w/a", "/w/b", "/x", "c"]), kind=words),
    _some(ev.TodoChanged, items=todos),
    _some(ev.Notice, text=words),
    _some(ev.RunFinished, run=counts, status=words, changed_files=tuples_of_words, usage=usages, cost_usd=costs),
    _some(ev.SessionEnded),
)
histories = st.lists(events, max_size=30)


def new_folder(path: Path) -> SessionFolder:
    """A session's folder below `path`, empty."""
    folder = SessionFolder("20261123-193436-a1b2", path / "20261123-193436-a1b2")
    folder.path.mkdir(parents=True)
    return folder


def keep(folder: SessionFolder, *history: ev.Event) -> None:
    """Write `history` to the log of `folder`."""
    journal = Journal(folder)
    for event in history:
        journal(event)
    journal.close()


def read(folder: SessionFolder) -> list[ev.Event]:
    return list(LogReader(folder))
