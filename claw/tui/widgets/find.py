"""The search in the transcript: a line to type in, and the way from one place to the next."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class FindBar(Horizontal):
    """Enter goes up to the next place, Shift-Enter or Down goes down, Esc ends the search."""

    DEFAULT_CSS = """
    FindBar { height: 1; background: $background; padding: 0 1; display: none; }
    FindBar > Static { width: auto; color: $accent; }
    FindBar > Input { width: 1fr; height: 1; border: none; padding: 0; background: $background; }
    FindBar > Input:focus { border: none; }
    """

    class Typed(Message):
        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Wanted(Message):
        """The next place, above if `step` is -1."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Closed(Message):
        pass

    def compose(self) -> ComposeResult:
        yield Static("search  ")
        yield Input(compact=True, select_on_focus=False)
        yield Static("", id="found")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    def open(self) -> None:
        self.query_one(Input).value = ""
        self.tell("")
        self.display = True
        self.screen.set_focus(self.query_one(Input), scroll_visible=False)  # at once: the next key is for it

    def close(self) -> None:
        self.display = False

    def tell(self, text: str) -> None:
        self.query_one("#found", Static).update(f"  {text}")

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.Typed(message.value))

    def on_key(self, event: events.Key) -> None:
        if event.key in ("enter", "up", "shift+enter", "down"):
            self.post_message(self.Wanted(-1 if event.key in ("enter", "up") else 1))
        elif event.key in ("escape", "ctrl+c", "ctrl+f"):
            self.post_message(self.Closed())
        else:
            return
        event.stop()
        event.prevent_default()
