"""The review of changes: reading them, deciding on each hunk, and saying something about a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from claw.printable import printable
from claw.tui.blocks.paint import Piece, fitted, strip
from claw.tui.look import Look
from claw.tui.screens.diff_view import DiffView
from claw.tui.screens.diffs import Decision, FileLike

_KEYS = (
    ("a", "accept"), ("r", "undo it"), ("u", "undecided"), ("s", "split"), ("A R", "whole file"), ("c", "comment"),
    ("j k", "hunk"), ("J K", "file"), ("v", "side by side"), ("/", "search"), ("Enter", "done"), ("Esc", "leave"),
)  # fmt: skip


class Line(Widget, can_focus=False):
    """One row that says what it is told to."""

    DEFAULT_CSS = "Line { height: 1; width: 1fr; background: $background; }"

    def __init__(self, pieces: Sequence[Piece] = ()) -> None:
        super().__init__()
        self._pieces = list(pieces)

    def show(self, pieces: Sequence[Piece]) -> None:
        self._pieces = list(pieces)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        line = strip((" ", Style()), *self._pieces).crop(0, self.size.width)
        return line.extend_cell_length(self.size.width).apply_style(self.rich_style)


class ReviewScreen(Screen[bool]):
    """Returns whether to carry out what was decided; the decisions are in `files`. `note` is said at the top."""

    DEFAULT_CSS = """
    ReviewScreen { background: $background; }
    ReviewScreen > Input { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    ReviewScreen > Input:focus { border: none; }
    """
    # Handled in the order in which they come, and so not by bindings: those would be looked up by the app, when
    # the keys behind them are already on their way to the diff.
    KEYS: ClassVar[Mapping[str, tuple[str, tuple[Any, ...]]]] = {
        "a": ("decide", ("accept",)),
        "r": ("decide", ("reject",)),
        "u": ("decide", ("",)),
        "A": ("decide_file", ("accept",)),
        "R": ("decide_file", ("reject",)),
        "s": ("split", ()),
        "c": ("comment", ()),
        "/": ("search", ()),
        "enter": ("finish", ()),
        "w": ("finish", ()),
        "escape": ("leave", ()),
        "q": ("leave", ()),
    }

    def __init__(self, title: str, files: Sequence[FileLike], look: Look, note: str = "") -> None:
        super().__init__()
        self._title_text = title
        self._files = files
        self._look = look
        self._note = note
        self._view = DiffView(files, look)
        self._head = Line()
        self._keys = Line()
        self._input = Input(compact=True)
        self._asks = ""  # what the line of input is for: `comment` or `search`
        self._wants_to_leave = False
        self._told_at = self._view.cursor

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._view
        yield self._input
        yield self._keys

    def on_mount(self) -> None:
        self._input.cursor_blink = False
        self._view.focus()
        self._tell()

    def on_resize(self, event: events.Resize) -> None:
        self._tell()

    def on_diff_view_moved(self) -> None:
        if self._view.cursor != self._told_at:  # what was said was about the place
            self._tell()

    def _tell(self, said: str = "") -> None:
        look = self._look
        self._told_at = self._view.cursor
        counts = [(sum(file.n_accepted for file in self._files), "accepted", look.success),
                  (sum(file.n_rejected for file in self._files), "undone", look.error),
                  (sum(file.n_comments for file in self._files), "comments", look.accent)]  # fmt: skip
        n_files = len(self._files)
        pieces: list[Piece] = [(printable(self._title_text), look.strong)]
        pieces.append((f"  {n_files} {'file' if n_files == 1 else 'files'}", look.dim))
        pieces += [(f"  {count} {word}", style) for count, word, style in counts if count]
        if note := said or self._note:
            pieces.append((f"  {printable(note)}", look.warning))
        self._head.show(pieces)
        width = max(self.app.size.width - 2, 1)
        keys = "   ".join(f"{key} {word}" for key, word in _KEYS)
        if len(keys) > width:
            keys = "a accept  r undo  c comment  Enter done  Esc leave"
        self._keys.show([(fitted(keys, width), look.dim)])

    # Deciding

    @property
    def _is_decided(self) -> bool:
        return any(file.n_accepted or file.n_rejected or file.n_comments for file in self._files)

    def decide(self, decision: Decision) -> None:
        if file := self._view.file:
            file.decide(self._view.hunk, decision)
            self._view.changed()
            if decision:
                self._view.go_to_undecided()
            self._stay()

    def decide_file(self, decision: Decision) -> None:
        if file := self._view.file:
            for number in range(len(file.hunks)):
                file.decide(number, decision)
            self._view.changed()
            self._view.go_to_undecided()
            self._stay()

    def split(self) -> None:
        if file := self._view.file:
            was_split = file.split(self._view.hunk)
            self._view.changed()
            self._stay("" if was_split else "this hunk is one change")

    def _stay(self, said: str = "") -> None:
        self._wants_to_leave = False
        self._tell(said)

    # Saying something

    def comment(self) -> None:
        if (file := self._view.file) and (line := self._view.line):
            self._ask("comment", file.comment_on(line.old, line.new))

    def search(self) -> None:
        self._ask("search", "")

    def _ask(self, what: str, value: str) -> None:
        self._asks = what
        self._input.value = value
        self._input.cursor_position = len(value)
        self._input.placeholder = {"comment": "about this line; Enter keeps it, Esc does not", "search": "search"}[what]
        self._input.display = True
        self.set_focus(self._input)

    async def on_key(self, event: events.Key) -> None:
        """Keys that were on their way to the diff when the line of input was opened are for that line."""
        if not self._asks:
            if found := self.KEYS.get(event.character or "") or self.KEYS.get(event.key):
                getattr(self, found[0])(*found[1])
            elif not self._view.press(event):
                return
        elif event.is_printable and event.character:
            self._input.insert_text_at_cursor(event.character)
        elif event.key == "enter":
            await self._input.action_submit()
        elif event.key == "escape":
            self._close_input()
        else:
            return
        event.stop()
        event.prevent_default()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        asked, text = self._asks, message.value
        self._close_input()
        if asked == "search":
            self._stay("" if self._view.search(text) or not text else "not found")
        elif (file := self._view.file) and (line := self._view.line):
            file.comment(line.old, line.new, text)
            self._view.changed()
            self._stay()

    def _close_input(self) -> None:
        self._asks = ""
        self._input.display = False
        self.set_focus(self._view)

    # Leaving

    def finish(self) -> None:
        self.dismiss(self._is_decided)

    def leave(self) -> None:
        if self._is_decided and not self._wants_to_leave:
            self._wants_to_leave = True
            self._tell("Esc again throws the review away; Enter carries it out")
        else:
            self.dismiss(False)
