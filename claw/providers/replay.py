"""Record what a model says, and play it back against the real tools with no model and no network.

This is how an agent's set-up is tested for free: the replayed run does everything again but the asking.
Where the tools return something else than in the recording, the recorded replies no longer fit, and the
run stops there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from itertools import zip_longest
from pathlib import Path

from claw.errors import ReplayDiverged, UsageError
from claw.protocol.messages import Message, Prefix, ToolCall, ToolMessage
from claw.providers.base import Chat, JsonSchema, Provider, ReasoningChunk, Reply, StreamItem, TextChunk
from claw.providers.cassette import (
    CassetteWriter,
    News,
    Returned,
    Said,
    TurnRecord,
    newest,
    news_of,
    read_cassette,
    to_record,
    to_reply,
)
from claw.providers.normalise import Normaliser

_CONTEXT_LINES = 2
_DIFF_LINES = 30
_COMPARED_LINES = 400
_LINE_CHARS = 200


class RecordingProvider:
    """Passes everything through to `inner` and keeps each reply in the cassette at `path`.

    *Errors*: UsageError if `path` cannot be written or holds something else.
    """

    def __init__(self, inner: Provider, path: Path, normaliser: Normaliser) -> None:
        self.host, self.model, self.context_window = inner.host, inner.model, inner.context_window
        self._inner = inner
        self._writer = CassetteWriter(path, inner)
        self._normaliser = normaliser
        self._n_chats = 0
        self._n_turns = 0

    @property
    def price_known(self) -> bool:
        return self._inner.price_known

    @property
    def holds_to_schema(self) -> bool:
        return self._inner.holds_to_schema

    def open(self, prefix: Prefix, *, session: str = "", schema: JsonSchema | None = None) -> Chat:
        self._n_chats += 1
        chat = self._inner.open(prefix, session=session, schema=schema)
        return _RecordingChat(chat, self, self._n_chats - 1)

    async def close(self) -> None:
        self._writer.close()
        await self._inner.close()

    def keep(self, chat: int, messages: Sequence[Message], reply: Reply) -> None:
        """Append one turn."""
        self._writer.add(to_record(chat, messages, reply, self._normaliser, is_first=self._n_turns == 0))
        self._n_turns += 1


class _RecordingChat:
    def __init__(self, inner: Chat, provider: RecordingProvider, number: int) -> None:
        self._inner = inner
        self._provider = provider
        self._number = number

    async def ask(self, messages: Sequence[Message]) -> AsyncGenerator[StreamItem]:
        async with aclosing(self._inner.ask(messages)) as stream:
            async for item in stream:
                if isinstance(item, Reply):
                    self._provider.keep(self._number, messages, item)
                yield item


class ReplayProvider:
    """Gives the replies of the cassette at `path`, as long as what it is told is what was recorded.

    *Errors*: UsageError for a file that is no cassette. `ask` and `finish` raise ReplayDiverged.
    """

    host = "replay"

    def __init__(self, path: Path, normaliser: Normaliser) -> None:
        header, self._turns = read_cassette(path)
        if not self._turns:
            raise UsageError(f"{path} holds no reply: the recording was stopped before the model spoke")
        self.model, self.context_window, self._price_known = header.model, header.context_window, header.price_known
        self._holds_to_schema = header.holds_to_schema
        self._normaliser = normaliser
        self._chats: list[_ReplayChat] = []

    @property
    def price_known(self) -> bool:
        return self._price_known

    @property
    def holds_to_schema(self) -> bool:
        return self._holds_to_schema

    @property
    def prompt(self) -> str:
        """The user's text that the recording begins with."""
        return self._normaliser.put_cwd_in(self._turns[0].prompt or "")

    def open(self, prefix: Prefix, *, session: str = "", schema: JsonSchema | None = None) -> Chat:
        number = len(self._chats)
        chat = _ReplayChat([turn for turn in self._turns if turn.chat == number], self._normaliser)
        self._chats.append(chat)
        return chat

    async def close(self) -> None:
        """Nothing is held open."""

    def finish(self) -> None:
        """To be called when the run is over. *Errors*: ReplayDiverged if the recording is not."""
        n_opened = len(self._chats)
        for chat in self._chats:
            chat.finish()
        if unopened := [turn for turn in self._turns if turn.chat >= n_opened]:
            raise ReplayDiverged(
                f"the replay ended, but the recording goes on with another conversation of {len(unopened)} turns"
            )


class _ReplayChat:
    def __init__(self, turns: Sequence[TurnRecord], normaliser: Normaliser) -> None:
        self._turns = turns
        self._normaliser = normaliser
        self._n_played = 0

    async def ask(self, messages: Sequence[Message]) -> AsyncGenerator[StreamItem]:
        reply = to_reply(self._check(messages), self._normaliser)
        self._n_played += 1
        if reply.message.reasoning:
            yield ReasoningChunk(reply.message.reasoning)
        if reply.message.content:
            yield TextChunk(reply.message.content)
        yield reply

    def finish(self) -> None:
        if left := self._turns[self._n_played :]:
            calls = ", ".join(_show_call(call) for call in left[0].reply.tool_calls[:3])
            raise ReplayDiverged(
                f"the replay ended after turn {self._n_played} of {len(self._turns)}; the recording goes on with "
                + (calls or "an answer")
            )

    def _check(self, messages: Sequence[Message]) -> TurnRecord:
        """The record of this turn, if what led to it is what is told now."""
        actual = tuple(map(self._renormalise, news_of(messages, self._normaliser)))
        where = f"turn {self._n_played + 1} of {len(self._turns)}"
        if self._n_played == len(self._turns):
            told = "; ".join(_show_news(news) for news in actual) or "nothing new"
            raise ReplayDiverged(
                f"the recording ends after turn {self._n_played}, but the run goes on. Told since then: {told}"
            )
        turn = self._turns[self._n_played]
        expected = tuple(map(self._renormalise, turn.expect))
        for i, (then, now) in enumerate(zip_longest(expected, actual)):
            if then != now:
                what = self._name(i, then, now, messages)
                raise ReplayDiverged(f"{where}: {what}\n{_difference(then, now)}")
        return turn

    def _renormalise(self, news: News) -> News:
        """The rules may have grown since the recording, and a cassette may be written by hand.

        What is told now goes through it as well, so that the rules need not leave their own work alone.
        """
        if isinstance(news, Said):
            return Said(self._normaliser.normalise(news.text))
        return Returned(news.name, self._normaliser.normalise(news.content), news.is_error)

    def _name(self, i: int, then: News | None, now: News | None, messages: Sequence[Message]) -> str:
        if then is None or now is None:
            return f"{'more' if then is None else 'less'} is told to the model than in the recording"
        if isinstance(then, Returned) and isinstance(now, Returned):
            return f"the result of {self._call_of(newest(messages)[i], now)} is not what was recorded"
        if isinstance(then, Said) and isinstance(now, Said):
            return "the user's message is not what was recorded"
        return "something else is told to the model than in the recording"

    def _call_of(self, message: object, now: Returned) -> str:
        """The call that `message` answers, as the last reply made it."""
        if self._n_played and isinstance(message, ToolMessage):
            for call in self._turns[self._n_played - 1].reply.tool_calls:
                if call.id == message.tool_call_id:
                    return _show_call(call)
        return now.name


def _show_call(call: ToolCall) -> str:
    return f"{call.name} {_cut(call.arguments)}"


def _show_news(news: News) -> str:
    if isinstance(news, Said):
        return f"user: {_cut(news.text)}"
    return f"{'error' if news.is_error else 'result'} of {news.name}: {_cut(news.content)}"


def _cut(text: str) -> str:
    line = " ".join(text[: 4 * _LINE_CHARS].split())
    return line if len(line) <= _LINE_CHARS else line[: _LINE_CHARS - 1] + "…"


def _difference(then: News | None, now: News | None) -> str:
    """A unified diff, or one line for each side where they are no two texts of a kind."""
    if isinstance(then, Returned) and isinstance(now, Returned) and then.content != now.content:
        texts = then.content, now.content
        heading = [] if then.is_error == now.is_error else [f"error: {then.is_error} → {now.is_error}"]
    elif isinstance(then, Said) and isinstance(now, Said):
        texts, heading = (then.text, now.text), []
    else:
        return "\n".join(f"{side}: {_show_news(news) if news else 'nothing'}"
                         for side, news in (("recorded", then), ("now", now)))  # fmt: skip
    return "\n".join([*heading, *_diff_lines(*texts)])


def _diff_lines(then: str, now: str) -> Iterator[str]:
    """Bounded in length and in time: what both begin with is skipped before anything is compared."""
    import difflib  # only where a replay fails: runs that record nothing import this module too

    old, new = then.split("\n"), now.split("\n")
    n_same = _common(old, new)
    start = max(0, n_same - _CONTEXT_LINES)
    old, new = old[start : start + _COMPARED_LINES], new[start : start + _COMPARED_LINES]
    _show_where_they_part(old, new, n_same - start)
    diff = list(difflib.unified_diff(old, new, "recorded", "now", n=_CONTEXT_LINES, lineterm=""))
    yield from (line if len(line) <= _LINE_CHARS else line[: _LINE_CHARS - 1] + "…" for line in diff[:_DIFF_LINES])
    if len(diff) > _DIFF_LINES:
        yield f"… {len(diff) - _DIFF_LINES} more lines"


def _show_where_they_part(old: list[str], new: list[str], i: int) -> None:
    """Cut the beginning off long lines that differ only beyond what would be shown."""
    if i < min(len(old), len(new)) and (n_same := _common(old[i], new[i])) > _LINE_CHARS // 2:
        start = n_same - _LINE_CHARS // 4
        old[i], new[i] = "…" + old[i][start:], "…" + new[i][start:]


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """How many items both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
