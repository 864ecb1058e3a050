"""From one place with the words to the next, through blocks that are on the screen and those still in the log."""

from __future__ import annotations

from collections.abc import Callable

from claw.tui.document import Document
from claw.tui.widgets.transcript import Transcript

_MOST_PIECES = 2_000  # of the log, for one step


class Search:
    """`fill` puts older blocks in front and says whether there were any."""

    def __init__(self, document: Document, transcript: Transcript, fill: Callable[[], bool]) -> None:
        self._document = document
        self._transcript = transcript
        self._fill = fill
        self._words = ""
        self._place: int | None = None

    def begin(self, words: str) -> str:
        """Mark the words and go to the last place that has them. Returns what to say of it."""
        self._words, self._place = words.casefold(), None
        self._transcript.highlight(words)
        if not words:
            self._transcript.go_to_end()
            return ""
        return self.step(-1)

    def step(self, step: int) -> str:
        """To the next block with the words: above if `step` is -1."""
        if not self._words:
            return ""
        start = len(self._document) if self._place is None else self._place
        found = self._find(start, step)
        for _ in range(_MOST_PIECES if step < 0 and found is None else 0):
            before = len(self._document)
            if not self._fill():
                break
            added = len(self._document) - before
            start += added
            if self._place is not None:
                self._place += added
            if (found := self._find(added, -1)) is not None:
                break
        if found is None:
            return "not found" if self._place is None else "no more " + ("above" if step < 0 else "below")
        self._place = found
        block = self._document[found]
        if block.foldable and block.folded:
            block.fold(False)
            self._document.changed()
        self._transcript.go_to(found)
        return f"in {found + 1} of {len(self._document)}"

    def _find(self, start: int, step: int) -> int | None:
        number = start + step
        while 0 <= number < len(self._document):
            if self._words in self._document[number].plain().casefold():
                return number
            number += step
        return None

    def end(self) -> None:
        self._words = ""
        self._transcript.highlight("")
