"""The newest part of a log first: for a screen that shows the end of a long session at once."""

from __future__ import annotations

import os

from claw.errors import SessionError
from claw.protocol.events import Event, RunStarted, SessionResumed, SessionStarted, TurnStarted
from claw.session.base import SessionFolder
from claw.session.blobs import FileBlobs
from claw.session.records import decode_record

_CHUNK_BYTES = 256 * 1024
_BEGINNINGS = (SessionStarted, SessionResumed, RunStarted, TurnStarted)


class BackwardLog:
    """Pieces of a log from its end to its beginning, each a whole number of turns in the order in which they happened.

    What is appended after the opening is not seen. Lines that are no events are passed over.
    *Cost*: a piece reads about 256 KiB, or one turn if that is longer.
    """

    def __init__(self, folder: SessionFolder) -> None:
        """*Errors*: SessionError if the log cannot be read."""
        self._folder = folder
        self._blobs = FileBlobs(folder.blobs, folder.tmp)
        self._kept: list[Event] = []  # the later part of a turn that begins further up
        self._line = b""  # the end of a line that begins further up
        try:
            self._position = os.stat(folder.log).st_size
        except OSError as error:
            raise SessionError(f"cannot read {folder.log}: {error.strerror}") from None

    @property
    def is_at_start(self) -> bool:
        return self._position == 0 and not self._kept and not self._line

    def older(self) -> list[Event]:
        """The piece before the last one; empty at the beginning. *Errors*: SessionError."""
        events = self._kept
        self._kept = []
        while self._position > 0:
            events = self._read() + events
            for number, event in enumerate(events):
                if isinstance(event, _BEGINNINGS):
                    if self._position > 0:
                        self._kept, events = events[:number], events[number:]
                    return events
        return events

    def _read(self) -> list[Event]:
        start = max(self._position - _CHUNK_BYTES, 0)
        try:
            with self._folder.log.open("rb") as file:
                file.seek(start)
                data = file.read(self._position - start) + self._line
        except OSError as error:
            raise SessionError(f"cannot read {self._folder.log}: {error.strerror}") from None
        self._position = start
        lines = data.split(b"\n")
        self._line = lines.pop(0) if start > 0 else b""
        events = []
        for line in lines:
            if line and not line.isspace():
                try:
                    events.append(decode_record(line, self._blobs))
                except SessionError:
                    continue
        return events
