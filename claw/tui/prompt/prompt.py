"""The prompt: several lines, with a history, and with long pastes folded to a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static, TextArea

from claw.tui.look import Look
from claw.tui.prompt.completion import Suggestion
from claw.tui.prompt.history import History
from claw.tui.widgets.menu import Menu

_CHIP_LINES = 8
_CHIP_CHARS = 1_000
_NEWLINE_KEYS = ("ctrl+j", "shift+enter")
_LATER_KEYS = ("alt+enter", "tab")  # without the keyboard protocol of kitty, Alt-Enter comes as Enter


class PromptArea(TextArea):
    """The text itself. Enter sends, Ctrl-J or a backslash before Enter begins a new line."""

    class Sent(Message):
        def __init__(self, text: str, steer: bool) -> None:
            super().__init__()
            self.text = text
            self.steer = steer

    class TookBack(Message):
        """Up on an empty prompt."""

    def __init__(self, history: History, menu: Menu, suggest: Callable[[str], Sequence[Suggestion]]) -> None:
        super().__init__(soft_wrap=True, show_line_numbers=False, highlight_cursor_line=False, compact=True)
        self.cursor_blink = False
        self._history = history
        self._menu = menu
        self._suggest = suggest
        self._place = 0  # from the end of the history; 0 is what is being typed
        self._draft = ""
        self._chips: dict[str, str] = {}

    def whole_text(self) -> str:
        """With what the chips stand for."""
        text = self.text
        for chip, pasted in self._chips.items():
            text = text.replace(chip, pasted)
        return text

    async def _on_key(self, event: events.Key) -> None:
        if event.key in ("tab", "enter") and self._menu.is_open:
            self.suggest()  # the menu may be behind what was typed
        if self._menu.is_open and self._on_menu_key(event):
            self._take(event)
        elif event.key in _NEWLINE_KEYS:
            self._take(event)
            self.insert("\n")
        elif event.key == "enter" and self.before_cursor().endswith("\\"):
            self._take(event)
            self.action_delete_left()
            self.insert("\n")
        elif event.key == "enter" or event.key in _LATER_KEYS:
            self._take(event)
            self._send(steer=event.key == "enter")
        elif event.key == "up" and self.cursor_at_first_line:
            self._take(event)
            if not self.text and self._place == 0:
                self.post_message(self.TookBack())
            self._walk(1)
        elif event.key == "down" and self.cursor_at_last_line and self._place:
            self._take(event)
            self._walk(-1)
        else:
            await super()._on_key(event)

    def _on_menu_key(self, event: events.Key) -> bool:
        """Whether the key was for the menu."""
        if event.key in ("up", "down", "ctrl+p", "ctrl+n"):
            self._menu.move(-1 if event.key in ("up", "ctrl+p") else 1)
        elif event.key == "escape":
            self._menu.show(())
        elif event.key in ("tab", "enter"):
            chosen = self._menu.chosen
            self._menu.show(())
            typed = self.before_cursor()[-chosen.n_typed :] if chosen.n_typed else ""
            if chosen.text.rstrip() != typed:
                row, column = self.cursor_location
                self.replace(chosen.text, (row, column - chosen.n_typed), (row, column))
            if event.key == "enter" and chosen.is_whole:
                self._send(steer=True)
        else:
            return False
        return True

    def suggest(self) -> None:
        """Look anew for what could be meant; what was chosen before stays so if it is still there."""
        before = self.before_cursor()
        self._menu.show(self._suggest(before) if self.cursor_location[0] == 0 or "@" in before else ())

    def _take(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()

    def before_cursor(self) -> str:
        row, column = self.cursor_location
        return self.document.get_line(row)[:column]

    def _send(self, *, steer: bool) -> None:
        text = self.whole_text()
        if text.strip():
            self._history.add(text)
            self.forget()
            self.post_message(self.Sent(text, steer))

    def forget(self) -> None:
        self._place, self._draft = 0, ""
        self._chips.clear()
        self.text = ""

    def _walk(self, step: int) -> None:
        entries = self._history.entries
        place = min(max(self._place + step, 0), len(entries))
        if place == self._place:
            return
        if self._place == 0:
            self._draft = self.text
        self._place = place
        self.text = entries[-place] if place else self._draft
        self.move_cursor(self.document.end)

    async def _on_paste(self, event: events.Paste) -> None:
        pasted = event.text.replace("\r\n", "\n").replace("\r", "\n")  # terminals send returns
        n_lines = pasted.count("\n") + 1
        event.stop()
        event.prevent_default()
        if n_lines <= _CHIP_LINES and len(pasted) <= _CHIP_CHARS:
            self.insert(pasted)
            return
        size = f"{n_lines:,} lines" if n_lines > 1 else f"{len(pasted):,} characters"
        chip = f"[pasted {size} #{len(self._chips) + 1}]"
        self._chips[chip] = pasted
        self.insert(chip)


class Prompt(Horizontal):
    """The area with its sign. It grows with the text, up to a third of the screen."""

    DEFAULT_CSS = """
    Prompt { height: auto; background: $background; margin: 1 0 0 0; padding: 0 1; }
    Prompt > Static { width: 2; height: 1; color: $accent; }
    Prompt > PromptArea { height: auto; max-height: 33vh; min-height: 1; width: 1fr; border: none; padding: 0;
        background: $background; scrollbar-size-vertical: 0; }
    Prompt > PromptArea:focus { border: none; }
    """

    class Submitted(Message):
        """`steer`: now; else when what goes on has ended."""

        def __init__(self, text: str, steer: bool) -> None:
            super().__init__()
            self.text = text
            self.steer = steer

    class TookBack(Message):
        """The last message that waits is wanted back."""

    def __init__(
        self,
        look: Look,
        history_path: Path | None = None,
        suggest: Callable[[str], Sequence[Suggestion]] = lambda before: (),
        menu: Menu | None = None,
    ) -> None:
        """`suggest` says what could be meant by the text before the cursor; `menu` shows it."""
        super().__init__()
        self._sign = ">" if look.ascii else "❯"
        self._area = PromptArea(History(history_path), menu or Menu(look), suggest)

    def compose(self) -> ComposeResult:
        yield Static(self._sign)
        yield self._area

    @property
    def text(self) -> str:
        return self._area.text

    def whole_text(self) -> str:
        return self._area.whole_text()

    def put(self, text: str) -> None:
        self._area.text = text
        self._area.move_cursor(self._area.document.end)

    def clear(self) -> None:
        self._area.forget()

    def take_focus(self) -> None:
        self._area.focus()

    def suggest(self) -> None:
        """Look anew for what could be meant."""
        self._area.suggest()

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        message.stop()
        self.suggest()

    def on_prompt_area_sent(self, message: PromptArea.Sent) -> None:
        message.stop()
        self.post_message(self.Submitted(message.text, message.steer))

    def on_prompt_area_took_back(self, message: PromptArea.TookBack) -> None:
        message.stop()
        self.post_message(self.TookBack())
