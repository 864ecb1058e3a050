"""From events to what they add up to. Pure: no clock, no files.

`Tally` keeps the few numbers of a session's line in the index, at a cost that does not grow; `Fold`
keeps the whole state. Both are subscribers, so they may watch a session live or read its log. What the
log does not keep (deltas) changes neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

import msgspec

from claw.protocol import events as ev
from claw.protocol.details import TodoItem
from claw.protocol.messages import (
    AssistantMessage,
    Message,
    Prefix,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
    as_content,
)
from claw.session.base import EMPTY, UNFINISHED, SessionInfo, SessionState

TITLE_LIMIT_CHARS = 80
INTERRUPTED = "interrupted, effects unknown: verify before repeating"


def fold(events: Iterable[ev.Event]) -> SessionState:
    """The state after `events`, which begin with `SessionStarted`."""
    whole = Fold()
    for event in events:
        whole(event)
    return whole.state()


class Tally:
    """Counts what a session did."""

    def __init__(self) -> None:
        self._id = self._cwd = self._host = self._model = self._title = ""
        self._status = EMPTY
        self._n_runs = self._n_turns = self._n_tool_calls = 0
        self._usage = Usage()
        self._cost_usd: float | None = 0.0
        self._started_ts = self._updated_ts = 0.0

    def __call__(self, event: ev.Event) -> None:
        if not _counts(event):
            return
        self._id = self._id or event.session
        self._started_ts = self._started_ts or event.ts
        self._updated_ts = max(self._updated_ts, event.ts)
        match event:
            case ev.SessionStarted() | ev.SessionResumed():
                self._cwd, self._host, self._model = event.cwd, event.host, event.model
            case ev.RunStarted():
                self._n_runs += 1
                self._status = UNFINISHED
            case ev.UserMessageAdded() if event.source == "user" and not self._title:
                self._title = title_of(event.message)
            case ev.TitleChanged():
                self._title = event.title
            case ev.TurnStarted():
                self._n_turns += 1
            case ev.ToolFinished():
                self._n_tool_calls += 1
            case ev.UsageReported():
                self._usage += event.usage
                unknown = self._cost_usd is None or event.cost_usd is None
                self._cost_usd = None if unknown else self._cost_usd + event.cost_usd  # type: ignore[operator]
            case ev.RunFinished():
                self._status = event.status

    def info(self, log_bytes: int = 0) -> SessionInfo:
        return SessionInfo(
            id=self._id,
            cwd=self._cwd,
            title=self._title,
            host=self._host,
            model=self._model,
            status=self._status,
            n_runs=self._n_runs,
            n_turns=self._n_turns,
            n_tool_calls=self._n_tool_calls,
            usage=self._usage,
            cost_usd=self._cost_usd,
            started_ts=self._started_ts,
            updated_ts=self._updated_ts,
            log_bytes=log_bytes,
        )


class Fold:
    """Keeps the state of a session, the conversation included. `tally` may be taken on from there."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._protocol = 0
        self._cwd = self._mode = self._sandbox = ""
        self._roots: tuple[str, ...] = ()
        self._prefix: Prefix | None = None
        self._conversation: list[UserMessage | _Exchange] = []
        self._waiting: dict[str, list[_Exchange]] = {}
        self._todo: tuple[TodoItem, ...] = ()
        self._changed: dict[str, None] = {}
        self._last_run: ev.RunFinished | None = None
        self._next_seq = 0

    def __call__(self, event: ev.Event) -> None:
        if not _counts(event):
            return
        self.tally(event)
        self._next_seq = max(self._next_seq, event.seq + 1)
        match event:
            case ev.SessionStarted():
                self._protocol = event.protocol
                self._settle(event)
            case ev.SessionResumed():
                self._settle(event)
            case ev.PrefixSet():
                self._prefix = event.prefix
            case ev.UserMessageAdded():
                self._conversation.append(event.message)
            case ev.ReplyFinished():
                self._reply(event)
            case ev.ToolFinished():
                self._answer(event)
            case ev.TodoChanged():
                self._todo = event.items
            case ev.FileChanged():
                self._change(event.path)
            case ev.RunFinished():
                self._last_run = event
                for path in event.changed_files:
                    self._change(path)

    def state(self) -> SessionState:
        messages: list[Message] = []
        for entry in self._conversation:
            if isinstance(entry, _Exchange):
                messages += entry.messages()
            else:
                messages.append(entry)
        return SessionState(
            info=self.tally.info(),
            protocol=self._protocol,
            roots=self._roots,
            mode=self._mode,
            sandbox=self._sandbox,
            prefix=self._prefix,
            messages=tuple(messages),
            todo=self._todo,
            changed_files=tuple(self._changed),
            last_run=self._last_run,
            next_seq=self._next_seq,
        )

    def _settle(self, event: ev.SessionStarted | ev.SessionResumed) -> None:
        self._cwd, self._roots, self._mode, self._sandbox = event.cwd, event.roots, event.mode, event.sandbox

    def _reply(self, event: ev.ReplyFinished) -> None:
        exchange = _Exchange(event)
        self._conversation.append(exchange)
        for call in exchange.reply.tool_calls:
            self._waiting.setdefault(call.id, []).append(exchange)

    def _answer(self, result: ev.ToolFinished) -> None:
        """Hosts may use an id again in a later reply, so the newest call that waits for it takes it."""
        if waiting := self._waiting.get(result.call_id):
            waiting.pop().answer(result)

    def _change(self, path: str) -> None:
        inside = bool(self._cwd) and PurePath(path).is_relative_to(self._cwd)
        self._changed[str(PurePath(path).relative_to(self._cwd)) if inside else path] = None


class _Exchange:
    """A reply of the model with the results of its calls."""

    def __init__(self, event: ev.ReplyFinished) -> None:
        self.reply = event.message
        if event.finish_reason == "interrupted" or self.reply.interrupted:
            self.reply = msgspec.structs.replace(self.reply, tool_calls=(), interrupted=True)
        self._results: list[ToolMessage | None] = [None] * len(self.reply.tool_calls)

    def answer(self, event: ev.ToolFinished) -> None:
        """The first call of this id that waits; a model may send two calls with one id."""
        for i, call in enumerate(self.reply.tool_calls):
            if call.id == event.call_id and self._results[i] is None:
                self._results[i] = ToolMessage(event.call_id, event.name, event.content, event.is_error)
                return

    def messages(self) -> list[AssistantMessage | ToolMessage]:
        """The reply, then one result a call whatever became of it: hosts refuse a call that has none."""
        pairs = zip(self.reply.tool_calls, self._results, strict=True)
        return [self.reply, *(result or _lost(call) for call, result in pairs)]


def _lost(call: ToolCall) -> ToolMessage:
    return ToolMessage(call.id, call.name, as_content(INTERRUPTED), is_error=True)


def _counts(event: ev.Event) -> bool:
    """An unknown event is not written by us, but it has its place in the log that it was read from."""
    return event.persisted or isinstance(event, ev.UnknownEvent)


def title_of(message: UserMessage) -> str:
    """What the user said, in one line of at most `TITLE_LIMIT_CHARS`; a picture without words is `(picture)`."""
    line = " ".join(message.text[: 20 * TITLE_LIMIT_CHARS].split()) or "(picture)" * bool(message.content)
    return line if len(line) <= TITLE_LIMIT_CHARS else line[: TITLE_LIMIT_CHARS - 1] + "…"
