"""Progress of a run for a person at a terminal: a line per tool call, and one live line below them."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TextIO

from claw.printable import one_line, printable
from claw.protocol import events
from claw.protocol.details import CommandRun, FileDiffs
from claw.protocol.events import Event

_REDRAW_S = 0.1


class Progress:
    """A subscriber that writes to `stream`, stderr as a rule, so that stdout holds the answer alone.

    `live` keeps one line below the others that says what goes on now; it needs a terminal.
    """

    def __init__(self, stream: TextIO, *, live: bool) -> None:
        self._stream = stream
        self._is_live = live
        self._width = max(40, shutil.get_terminal_size().columns)
        self._running: dict[str, str] = {}  # call → what it is; the newest last
        self._doing = "starting"
        self._is_idle = True
        self._turn = 0
        self._tokens = 0
        self._cost_usd: float | None = 0.0
        self._started = time.monotonic()
        self._drawn_at = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case events.SessionStarted() | events.SessionResumed():
                self._line(
                    printable(f"claw · {event.host} {event.model} · mode {event.mode} · sandbox {event.sandbox}")
                )
            case events.TurnStarted(turn=turn):
                self._turn, self._doing = turn, "waiting for the model"
            case events.ReasoningDelta():
                self._doing = "thinking"
            case events.TextDelta():
                self._doing = "answering"
            case events.RetryScheduled():
                self._line(f"  retry {event.attempt} in {event.delay_s:.1f} s: {one_line(event.reason, 200)}")
            case events.ReplyFinished(message=message) if message.tool_calls and (
                said := message.content or message.reasoning
            ):
                self._line(f"  {one_line(said, self._width - 2)}")
            case events.ToolStarted():
                self._running[event.call_id] = f"{event.name} {event.summary}"
            case events.ToolFinished():
                self._tool(event)
            case events.UsageReported(usage=usage, cost_usd=cost):
                self._tokens += usage.total
                self._cost_usd = None if self._cost_usd is None or cost is None else self._cost_usd + cost
            case events.VerifyFinished():
                self._line(f"  verify {one_line(event.command, 80)} → {'passed' if event.passed else 'failed'}")
            case events.UserMessageAdded(source=source) if source not in ("user", "verify"):
                self._line(f"  ({source}) {one_line(event.message.text, self._width - 16)}")
            case events.Notice(text=text):
                self._line(f"  note: {printable(text)}")
            case events.RunFinished():
                self._line("")
                self._is_idle = True
            case events.RunStarted():
                self._is_idle = False
        self._live(force=event.persisted)

    async def tick(self) -> None:
        """Keep the seconds of the live line going while nothing happens; until cancelled."""
        while self._is_live:
            await asyncio.sleep(1)
            self._live(force=True)

    def _tool(self, event: events.ToolFinished) -> None:
        mark = "✗" if event.is_error else "•"
        what = one_line(self._running.pop(event.call_id, event.name), self._width - 30)
        brief = f" → {one_line(event.brief, 60)}" if event.brief else ""
        self._line(f"{mark} {what}{brief} ({event.duration_s:.1f} s)")
        match event.details:
            case FileDiffs(changes) if len(changes) > 1:
                for change in changes:
                    self._line(f"    {one_line(change.path, 80)} +{change.n_added} -{change.n_removed}")
            case CommandRun(exit_code=code) if code:
                tail = [part.text for part in event.content if hasattr(part, "text")]
                for line in "\n".join(tail).rstrip().splitlines()[-4:]:
                    self._line(f"    {one_line(line, self._width - 6)}")

    def _line(self, text: str) -> None:
        self._clear()
        self._stream.write(text + "\n")

    def _clear(self) -> None:
        if self._is_live:
            self._stream.write("\r\x1b[K")

    def _live(self, *, force: bool) -> None:
        now = time.monotonic()
        if not self._is_live or self._is_idle or (not force and now - self._drawn_at < _REDRAW_S):
            return
        self._drawn_at = now
        cost = "" if self._cost_usd is None else f" · ${self._cost_usd:.4f}"
        doing = one_line(next(reversed(self._running.values())), 60) if self._running else self._doing
        status = f"turn {self._turn} · {self._tokens:,} tokens{cost} · {now - self._started:.0f} s · {doing}"
        self._stream.write("\r\x1b[K" + status[: self._width - 1])
        self._stream.flush()
