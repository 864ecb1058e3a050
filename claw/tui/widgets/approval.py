"""The question whether a call may run: what it will really do, and one key for each answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, Literal

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from claw.printable import printable
from claw.protocol.events import ApprovalAsked
from claw.protocol.ops import Answer
from claw.tui.blocks.diff import counts, paint_diff
from claw.tui.blocks.paint import Piece, strips, wrapped
from claw.tui.look import Look

GUARD_S = 0.4  # what is typed in the moment in which it appears answers nothing
Scope = Literal["once", "session", "project", "user"]
_SCOPES: dict[str, Scope] = {"y": "once", "s": "session", "p": "project", "u": "user"}


class ApprovalPanel(Widget, can_focus=True):
    """Takes the focus while it is there. Several questions are answered one after the other."""

    DEFAULT_CSS = """
    ApprovalPanel { height: auto; max-height: 50%; background: $panel; padding: 0 1; margin: 1 0 0 0; }
    """

    class Answered(Message):
        def __init__(self, answer: Answer, *, interrupt: bool = False) -> None:
            super().__init__()
            self.answer = answer
            self.interrupt = interrupt

    SCROLL: ClassVar[dict[str, int]] = {"up": -1, "down": 1}

    def __init__(self, look: Look, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._look = look
        self._clock = clock
        self._asked: list[ApprovalAsked] = []
        self._n_answered = 0
        self._since = 0.0
        self._top = 0
        self._content: list[Strip] = []

    def restyle(self, look: Look) -> None:
        self._look = look
        self._changed()

    def add(self, event: ApprovalAsked) -> None:
        self._asked.append(event)
        if len(self._asked) == 1:
            self._since = self._clock()
        self._changed()

    def withdraw(self, approval: str) -> None:
        """Nobody needs an answer to it any more."""
        was_first = bool(self._asked) and self._asked[0].approval == approval
        self._asked = [event for event in self._asked if event.approval != approval]
        if was_first:
            self._next()
        else:
            self._changed()

    def _next(self) -> None:
        self._n_answered += 1
        self._top = 0
        self._since = self._clock()
        if self._asked:
            self._changed()
        else:
            self.remove()

    def _changed(self) -> None:
        if self.is_attached:
            self.refresh(layout=True)

    def on_mount(self) -> None:
        self.focus()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("pageup", "pagedown", "ctrl+c") or not self._asked:
            return
        event.stop()
        event.prevent_default()
        if event.key in self.SCROLL:
            self._top = max(min(self._top + self.SCROLL[event.key], len(self._content) - 3), 0)
            self.refresh()
            return
        if self._clock() - self._since < GUARD_S:
            return
        asked = self._asked[0]
        if event.key in _SCOPES and _SCOPES[event.key] in asked.scopes:
            self._answer(Answer(asked.approval, True, _SCOPES[event.key]))
        elif event.key in ("n", "escape"):
            self._answer(Answer(asked.approval, False), interrupt=event.key == "escape")

    def _answer(self, answer: Answer, *, interrupt: bool = False) -> None:
        self._asked.pop(0)
        self.post_message(self.Answered(answer, interrupt=interrupt))
        self._next()

    # Painting

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        self._content = self.content(max(width, 1))
        return len(self._content) + len(self.keys(max(width, 1)))

    def content(self, width: int) -> list[Strip]:
        if not self._asked:
            return []
        look, asked = self._look, self._asked[0]
        preview = asked.preview
        total = self._n_answered + len(self._asked)
        count = f"  {self._n_answered + 1} of {total}" if total > 1 else ""
        head: list[Piece] = [("Allow ", look.strong), (printable(asked.name), look.tool), ("?", look.strong),
                             (count, look.dim)]  # fmt: skip
        lines = strips(wrapped(head, width))
        if preview.command:
            lines += self._labelled("run", [(printable(preview.command), look.text)], width)
            if asked.segments and asked.segments != (preview.command,):
                for segment in asked.segments:
                    lines += self._labelled("ask", [(printable(segment), look.accent)], width)
            for program in preview.programs:
                lines += self._labelled("is", [(printable(program), look.dim)], width)
            lines += self._labelled("in", [(printable(preview.cwd), look.dim)], width)
        if preview.url:
            lines += self._labelled("get", [(printable(preview.url), look.text)], width)
        for change in preview.changes:
            lines += strips(wrapped(counts(change, look), width))
            lines += paint_diff(change, width, look)
        if not preview.changes:
            for word, paths in (("write", preview.writes), ("read", () if preview.command else preview.reads)):
                for path in paths:
                    lines += self._labelled(word, [(printable(path), look.text)], width)
        return lines + self._labelled("why", [(printable(asked.reason), look.dim)], width)

    def _labelled(self, word: str, pieces: list[Piece], width: int) -> list[Strip]:
        label = f"{word:<6}"
        return strips(wrapped(pieces, max(width - 6, 1)), indent=(" " * 6, Style()), first=(label, self._look.dim))

    def keys(self, width: int) -> list[Strip]:
        if not self._asked:
            return []
        look, asked = self._look, self._asked[0]
        words = {"once": "yes, once", "session": "for the session", "project": "in this project", "user": "always"}
        pieces: list[Piece] = []
        for key, scope in _SCOPES.items():
            if scope in asked.scopes:
                pieces += [(key, look.accent), (f" {words[scope]}   ", look.text)]
        pieces += [("n", look.accent), (" no   ", look.text), ("Esc", look.accent), (" no, and stop", look.text)]
        lines = strips(wrapped(pieces, width))
        if asked.suggestion and len(asked.scopes) > 1:
            lines += strips(wrapped([(f"beyond once: {printable(asked.suggestion)}", look.dim)], width))
        return lines

    def render_line(self, y: int) -> Strip:
        width = max(self.size.width, 1)
        keys = self.keys(width)
        room = max(self.size.height - len(keys), 0)
        shown = self._content[self._top : self._top + room]
        rows = [*shown, *[Strip.blank(0)] * (room - len(shown)), *keys]
        line = rows[y] if y < len(rows) else Strip.blank(0)
        return line.crop(0, width).extend_cell_length(width).apply_style(self.rich_style)
