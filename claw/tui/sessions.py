"""The list of sessions to choose from, with a preview of how each ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from textual.screen import Screen
from textual.strip import Strip

from claw.errors import ClawError, UsageError
from claw.printable import printable
from claw.tui.blocks.paint import strips, wrapped
from claw.tui.bridge import Bridge
from claw.tui.look import Look
from claw.tui.past import narrated
from claw.tui.screens.picker import Choice, Picker

if TYPE_CHECKING:
    from claw.runtime.history import SessionInfo, Sessions

_PREVIEW_LINES = 200


async def pick_session(bridge: Bridge, look: Look, ask: Callable[[Screen[Any]], Awaitable[Any]]) -> str | None:
    """The id of the one that the person chose. *Errors*: UsageError if there is none; SessionError."""
    sessions = await bridge.sessions()
    infos = [info for info in await asyncio.to_thread(sessions.list) if info.id != bridge.session]
    if not infos:
        raise UsageError("there are no other sessions")
    here = str(bridge.settings.cwd)
    choices = [Choice(info.id, info.title or "(nothing was said)", _details(info, here)) for info in infos]
    chosen: str | None = await ask(Picker("Sessions", choices, look, preview=Previews(sessions, infos, look)))
    return chosen


def _details(info: SessionInfo, here: str) -> str:
    place = "" if info.cwd == here else f"{info.cwd}  "
    return f"{place}{info.status}  {_ago(time.time() - info.updated_ts)}"


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "just now"


class Previews:
    """What stands at the end of a session. *Cost*: that of the last piece of its log, once."""

    def __init__(self, sessions: Sessions, infos: list[SessionInfo], look: Look) -> None:
        self._sessions = sessions
        self._infos = {info.id: info for info in infos}
        self._look = look
        self._painted: dict[tuple[str, int], list[Strip]] = {}

    def __call__(self, choice: Choice, width: int) -> list[Strip]:
        key = (choice.key, width)
        if key not in self._painted:
            self._painted[key] = self._paint(self._infos[choice.key], max(width, 1))
        return self._painted[key]

    def _paint(self, info: SessionInfo, width: int) -> list[Strip]:
        look = self._look
        cost = "cost unknown" if info.cost_usd is None else f"${info.cost_usd:.2f}"
        head = [
            f"{info.model}@{info.host}",
            f"{info.n_turns} turns, {info.n_tool_calls} calls, {cost}",
            info.cwd,
            info.id,
        ]
        lines = [line for text in head for line in strips(wrapped([(printable(text), look.dim)], width))]
        lines.append(Strip.blank(0))
        try:
            log = self._sessions.past(info.id)
            blocks = narrated(log.older()) if not log.is_at_start else []
        except ClawError as error:
            return lines + strips(wrapped([(printable(str(error)), look.error)], width))
        tail: list[Strip] = []
        for block in reversed(blocks):
            tail = [*block.lines(width, look), Strip.blank(0), *tail]
            if len(tail) >= _PREVIEW_LINES:
                break
        return lines + tail
