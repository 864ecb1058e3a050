"""What is said to the terminal itself: its title, and a word to somebody who is looking elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from claw.printable import one_line, printable


class Terminal:
    """`write` sends raw bytes of text past the screen; it does nothing where there is no real terminal."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._title = ""

    def begin(self) -> None:
        """Have the terminal keep the title that it has."""
        self._write("\x1b[22;2t")

    def end(self) -> None:
        self._write("\x1b[23;2t")

    def title(self, text: str) -> None:
        text = printable(one_line(text, 80))
        if text != self._title:
            self._title = text
            self._write(f"\x1b]2;{text}\x07")

    def notify(self, text: str) -> None:
        """As a desktop's message where the terminal makes one (OSC 9), and with the bell."""
        self._write(f"\x1b]9;{printable(one_line(text, 120))}\x07\x07")
