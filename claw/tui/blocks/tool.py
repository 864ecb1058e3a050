"""A card for one call of a tool: what it is, how it goes, what came of it."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from claw.printable import one_line, printable
from claw.protocol import events as ev
from claw.protocol.details import CommandRun, FileDiffs, TodoItem, TodoList
from claw.protocol.messages import Text, text_of
from claw.tui.blocks.base import Block
from claw.tui.blocks.diff import counts, paint_diff
from claw.tui.blocks.paint import Piece, fitted, strip, strips, wrapped
from claw.tui.look import Look

_LIVE_LINES = 8
_DONE_LINES = 3
_OPEN_LINES = 200
_DIFF_LINES = 40
_LIVE_CHARS = 64_000  # of a command that still runs
_KEPT_CHARS = 20_000  # of what the model read
_INDENT = "  "
# State → its sign, the sign in ASCII, the style.
_STATES = {
    "asking": ("?", "?", "warning"),
    "running": ("▸", ">", "accent"),
    "done": ("✓", "+", "success"),
    "failed": ("✗", "x", "error"),
    "denied": ("⊘", "!", "warning"),
    "interrupted": ("■", "#", "warning"),
}


class ToolBlock(Block):
    """*Order*: made by the question about a call or by its start; `finish` or `interrupt` is the last."""

    foldable: ClassVar[bool] = True
    spaced: ClassVar[bool] = False

    def __init__(self, started: ev.ToolStarted) -> None:
        super().__init__()
        self.name = started.name
        self._arguments = started.arguments
        self._summary = started.summary
        self._state = "running"
        self._since = started.ts
        self._seconds = 0.0
        self._brief = ""
        self._text = ""
        self._details: object = None
        self._n_media = 0
        self.folded = True

    @property
    def is_running(self) -> bool:
        return self._state in ("running", "asking")

    def start(self, event: ev.ToolStarted) -> None:
        """It was asked about before."""
        self._arguments, self._since = event.arguments, event.ts
        self._summary = event.summary or self._summary
        self._state = "running"
        self.touch()

    def ask(self, event: ev.ApprovalAsked) -> None:
        self._state, self._summary = "asking", event.summary or self._summary
        self.touch()

    def answered(self, event: ev.ApprovalAnswered) -> None:
        self._state = "running" if event.allowed else "denied"
        self.touch()

    def output(self, text: str) -> None:
        self._text = (self._text + text)[-_LIVE_CHARS:]
        self.touch()

    def change(self, event: ev.FileChanged) -> None:
        """Its diff comes with the end of the call."""

    def tick(self, now: float) -> bool:
        """Whether the seconds that it shows have changed."""
        if self._state != "running" or int(now - self._since) == int(self._seconds):
            return False
        self._seconds = now - self._since
        self.touch()
        return True

    def finish(self, event: ev.ToolFinished) -> None:
        self._state = "denied" if event.denied else "failed" if event.is_error else "done"
        self._brief, self._seconds, self._details = event.brief, event.duration_s, event.details
        self._n_media = sum(not isinstance(part, Text) for part in event.content)
        text = text_of(event.content)
        if len(text) > _KEPT_CHARS:
            text = f"{text[: _KEPT_CHARS // 2]}\n…\n{text[-_KEPT_CHARS // 2 :]}"
        self._text = text
        if isinstance(event.details, CommandRun) and event.details.exit_code:
            self._state = "failed"
        self.touch()

    def interrupt(self) -> None:
        """It will not finish any more."""
        if self.is_running:
            self._state = "interrupted"
            self.touch()

    # Painting

    def paint(self, width: int, look: Look) -> list[Strip]:
        return [self._head(width, look), *self._body(width, look)]

    def _head(self, width: int, look: Look) -> Strip:
        sign, plain_sign, style_name = _STATES[self._state]
        style: Style = getattr(look, style_name)
        left: list[Piece] = [(f"{plain_sign if look.ascii else sign} ", style), (printable(self.name), look.tool)]
        right = self._right()
        room = width - sum(cell_len(text) for text, _ in left) - 1
        if room > 8:
            summary = fitted(one_line(self._summary, 1000), max(room - cell_len(right) - 2, 8))
            left.append((f" {summary}", look.text))
        used = sum(cell_len(text) for text, _ in left)
        if right and used + cell_len(right) + 2 <= width:
            left += [(" " * (width - used - cell_len(right)), Style()), (right, look.dim)]
        line = strip(*left)
        return line if line.cell_length <= width else line.crop(0, width)

    def _right(self) -> str:
        parts = []
        if self._state == "asking":
            parts.append("waits for your answer")
        elif self._brief and not isinstance(self._details, TodoList):
            parts.append(one_line(self._brief, 60))
        if isinstance(self._details, CommandRun) and self._details.job:
            parts.append(f"goes on as {printable(self._details.job)}")
        if self._seconds >= 0.1:
            parts.append(brief_time(self._seconds))
        return " · ".join(parts)

    def _body(self, width: int, look: Look) -> list[Strip]:
        match self._details:
            case FileDiffs(changes) if self._state == "done":
                return self._diffs(changes, width, look)
            case TodoList(items):
                return todo_lines(items, width, look, indent=_INDENT)
        if self._state in ("failed", "denied"):
            return self._tail(width, look, _OPEN_LINES if not self.folded else _LIVE_LINES, look.error)
        if self.is_running:
            return self._tail(width, look, _LIVE_LINES, look.dim)
        if not self.folded:
            return self._tail(width, look, _OPEN_LINES, look.dim)
        if isinstance(self._details, CommandRun):
            return self._tail(width, look, _DONE_LINES, look.dim)
        return []

    def _diffs(self, changes: tuple, width: int, look: Look) -> list[Strip]:  # type: ignore[type-arg]
        lines: list[Strip] = []
        inner = width - len(_INDENT)
        for change in changes:
            if len(changes) > 1 or self.folded:
                lines += strips(wrapped(counts(change, look), max(inner, 1)), (_INDENT, Style()), (_INDENT, Style()))
            most = _DIFF_LINES if self.folded else None
            lines += [Strip.join([strip((_INDENT, Style())), line])
                      for line in paint_diff(change, max(inner, 8), look, max_lines=most)]  # fmt: skip
        return [line if line.cell_length <= width else line.crop(0, width) for line in lines]

    def _tail(self, width: int, look: Look, most: int, style: Style) -> list[Strip]:
        """The last lines of the text, each on one row."""
        lines = self._text.rstrip().splitlines()
        shown = lines[-most:]
        painted = []
        if more := len(lines) - len(shown):
            painted.append(
                strip((fitted(f"{_INDENT}… {more} more {'line' if more == 1 else 'lines'}", width), look.dim))
            )
        inner = max(width - len(_INDENT), 1)
        for line in shown:
            text = printable(line.expandtabs(8))
            rows = (
                [fitted(text, inner)]
                if self.folded
                else [part for row in wrapped([(text, style)], inner) for part in ["".join(t for t, _ in row)]]
            )
            painted += [strip((_INDENT + row, style)) for row in rows]
        return [line if line.cell_length <= width else line.crop(0, width) for line in painted]

    def plain(self) -> str:
        parts = [f"{self.name} {self._summary}".rstrip(), self._arguments]
        if isinstance(self._details, FileDiffs):
            parts += [change.diff for change in self._details.changes]
        else:
            parts.append(self._text)
        return "\n".join(filter(None, parts))


def todo_lines(items: tuple[TodoItem, ...], width: int, look: Look, *, indent: str = "") -> list[Strip]:
    """The plan as a list to tick off."""
    lines: list[Strip] = []
    for item in items:
        sign, style = {
            "done": ("[x]" if look.ascii else "✓", look.dim),
            "in_progress": ("[>]" if look.ascii else "▸", look.accent),
        }.get(item.status, ("[ ]" if look.ascii else "·", look.text))
        room = max(width - len(indent) - cell_len(sign) - 1, 1)
        lines += strips(
            wrapped([(printable(item.text), style)], room),
            indent=(indent + " " * (cell_len(sign) + 1), style),
            first=(f"{indent}{sign} ", style),
        )
    return [line if line.cell_length <= width else line.crop(0, width) for line in lines]


def brief_time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"
