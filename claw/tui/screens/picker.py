"""One of many: a list that typing narrows, with a preview of what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from claw.printable import one_line, printable
from claw.tui.blocks.paint import Piece, fitted, strip
from claw.tui.look import Look

_PREVIEW_CELLS = 100  # from here on there is room for a preview beside the list


class Choice(NamedTuple):
    """`key` is what is returned, `text` what is read first, `details` what stands behind it."""

    key: str
    text: str
    details: str = ""

    def has(self, words: Sequence[str]) -> bool:
        whole = f"{self.key} {self.text} {self.details}".casefold()
        return all(word in whole for word in words)


Preview = Callable[[Choice, int], list[Strip]]


class PickList(Widget, can_focus=True):
    """The whole screen, painted line by line."""

    DEFAULT_CSS = "PickList { height: 1fr; width: 1fr; background: $background; }"

    def __init__(
        self, title: str, choices: Sequence[Choice], look: Look, preview: Preview | None,
        on_move: Callable[[Choice], Look | None], at: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self._title = title
        self._choices = choices
        self._look = look
        self._preview = preview
        self._on_move = on_move
        self._typed = ""
        self.shown: Sequence[Choice] = choices
        self.place = next((number for number, choice in enumerate(choices) if choice.key == at), 0)

    @property
    def chosen(self) -> Choice | None:
        return self.shown[self.place] if self.shown else None

    def on_key(self, event: events.Key) -> None:
        rows = max(self.size.height - 4, 1)
        steps = {"up": -1, "down": 1, "pageup": -rows, "pagedown": rows, "ctrl+p": -1, "ctrl+n": 1}
        if event.key in steps:
            self._move(self.place + steps[event.key])
        elif event.key in ("home", "end"):
            self._move(0 if event.key == "home" else len(self.shown) - 1)
        elif event.key == "backspace":
            self._type(self._typed[:-1])
        elif event.key == "ctrl+u":
            self._type("")
        elif event.is_printable and event.character:
            self._type(self._typed + event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def _type(self, typed: str) -> None:
        self._typed = typed
        words = typed.casefold().split()
        self.shown = [choice for choice in self._choices if choice.has(words)]
        self._move(0)

    def _move(self, place: int) -> None:
        self.place = max(0, min(place, len(self.shown) - 1))
        if self.chosen and (look := self._on_move(self.chosen)):
            self._look = look
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        number = self._top() + event.y - 2
        if event.y - 2 >= 0 and number < len(self.shown):
            self._move(number)

    def on_mouse_scroll_down(self) -> None:
        self._move(self.place + 1)

    def on_mouse_scroll_up(self) -> None:
        self._move(self.place - 1)

    # Painting

    def _top(self) -> int:
        rows = max(self.size.height - 4, 1)
        return max(0, min(self.place - rows // 2, len(self.shown) - rows))

    def render_lines(self, crop: object) -> list[Strip]:
        width, height, look = self.size.width, self.size.height, self._look
        list_cells = width // 2 if self._preview and width >= _PREVIEW_CELLS else width
        count = f"{len(self.shown)} of {len(self._choices)}" if self._typed else f"{len(self._choices)}"
        head: list[Piece] = [(f" {self._title}  ", look.strong), (count, look.dim)]
        search: list[Piece] = [(" / " if look.ascii else " ⌕ ", look.dim)]
        search.append((printable(self._typed), look.text) if self._typed else ("type to search", look.dim))
        rows = [strip(*head), strip(*search)]
        n_rows, top = max(height - 4, 1), self._top()
        last = min(top + n_rows, len(self.shown))
        rows += [self._row(self.shown[number], list_cells - 1, number == self.place) for number in range(top, last)]
        if not self.shown:
            rows.append(strip(("   nothing fits", look.dim)))
        rows += [Strip.blank(0)] * (height - 1 - len(rows))
        rows.append(strip((fitted(" Enter choose   Esc back   Up Down move", width), look.dim)))
        if list_cells < width and self._preview and self.chosen:
            side = self._preview(self.chosen, width - list_cells - 2)[: height - 3]
            bar = strip(("| " if look.ascii else "│ ", look.rule))
            for y in range(2, height - 1):
                beside = side[y - 2] if y - 2 < len(side) else Strip.blank(0)
                rows[y] = Strip.join([rows[y].crop(0, list_cells - 1).extend_cell_length(list_cells), bar, beside])
        background = Style(bgcolor=self.rich_style.bgcolor) if self.rich_style.bgcolor else self.rich_style
        return [row.crop(0, width).extend_cell_length(width).apply_style(background) for row in rows[:height]]

    def _row(self, choice: Choice, width: int, is_here: bool) -> Strip:
        look = self._look
        details = one_line(choice.details, max(width // 2, 1))
        text = fitted(one_line(choice.text, 400), max(width - 4 - len(details) - 2, 8))
        sign = ("> " if look.ascii else "▸ ") if is_here else "  "
        left = strip((f" {sign}", look.accent), (text, look.strong if is_here else look.text))
        right = strip((details, look.dim))
        gap = max(width - left.cell_length - right.cell_length, 1)
        row = Strip.join([left, strip((" " * gap, Style())), right])
        if is_here:
            row = Strip([Segment(each.text, (each.style or Style()) + look.selection) for each in row])
        return row


class Picker(Screen[str | None]):
    """Returns the key of what was chosen, or None.

    `on_move` is told of each choice that is looked at; a look that it returns is taken on at once.
    """

    DEFAULT_CSS = "Picker { background: $background; }"

    def __init__(
        self, title: str, choices: Sequence[Choice], look: Look, *, preview: Preview | None = None,
        on_move: Callable[[Choice], Look | None] = lambda choice: None, at: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        self._list = PickList(title, choices, look, preview, on_move, at)

    def compose(self) -> ComposeResult:
        yield self._list

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            self.dismiss(self._list.chosen.key if self._list.chosen else None)
        elif event.key in ("escape", "ctrl+c"):
            event.stop()
            self.dismiss(None)
