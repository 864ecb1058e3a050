"""What was said in a session before it was opened: read from the log piece by piece, as one scrolls up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from claw.protocol.events import Event
from claw.tui.blocks.base import Block
from claw.tui.document import Document
from claw.tui.narrator import Narrator

if TYPE_CHECKING:
    from claw.runtime.history import PastSession, SessionInfo


class Past:
    """Puts older blocks in front of a document. `note` is called for every event of the newest piece."""

    def __init__(self, log: PastSession, document: Document, info: SessionInfo) -> None:
        self._log = log
        self.info = info
        self._document = document

    @property
    def is_whole(self) -> bool:
        return self._log.is_at_start

    def fill(self, note: Callable[[Event], None] = lambda event: None) -> bool:
        """One more piece; whether there was one. *Errors*: SessionError."""
        while not self._log.is_at_start:
            events = self._log.older()
            for event in events:
                note(event)
            if blocks := narrated(events):
                self._document.prepend(blocks)
                return True
        return False


def narrated(events: list[Event]) -> list[Block]:
    """The blocks of whole turns; calls that never ended are shown as such."""
    document = Document()
    narrator = Narrator(document)
    for event in events:
        narrator(event)
    for block in narrator.running_tools:
        block.interrupt()
    return list(document)
