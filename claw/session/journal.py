"""The log of a session, `events.jsonl`: the only truth about it.

One event is one line, written with one system call and only ever appended, so that a process that dies
leaves at most one torn line, the last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from claw.errors import SessionError
from claw.protocol.codec import PROTOCOL_VERSION
from claw.protocol.events import Event, SessionStarted
from claw.redact import Redactor
from claw.session.base import SessionFolder
from claw.session.blobs import FileBlobs
from claw.session.records import decode_record, encode_record

_BOM = b"\xef\xbb\xbf"


class Journal:
    """Subscriber that keeps the events of a session. What is only for watching (deltas) is left out.

    Whatever `redactor` finds in an event is not kept; without one, what has the shape of a key is not.

    *Errors*: SessionError if the log cannot be written, or was begun by a newer claw.
    *Cost*: about 40 µs an event and 20 ms a megabyte; payloads of more than 16 KiB go to a blob first.
    """

    def __init__(self, folder: SessionFolder, redactor: Redactor | None = None) -> None:
        _refuse_newer(folder)
        self._folder = folder
        self._redactor = redactor or Redactor()
        self._blobs = FileBlobs(folder.blobs, folder.tmp, self._redactor)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._fd = os.open(folder.log, flags, 0o600)
            self._mid_line = _ends_mid_line(self._fd)
        except OSError as error:
            raise SessionError(f"cannot open {folder.log}: {error.strerror}") from None

    def __call__(self, event: Event) -> None:
        if not event.persisted:
            return
        record = encode_record(self._redactor.value(event), self._blobs)
        if self._mid_line:
            record = b"\n" + record
        try:
            self._write(record)
        except OSError as error:
            raise SessionError(f"cannot write {self._folder.log}: {error.strerror}") from None

    def _write(self, record: bytes) -> None:
        rest = memoryview(record)
        while rest:  # a short write means a full disk or a signal; the next one tells which
            n_written = os.write(self._fd, rest)
            rest = rest[n_written:]
            self._mid_line = bool(rest)

    def close(self) -> None:
        """May be called again; nothing is written after it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class LogReader:
    """The events of a log, oldest first, each time it is iterated.

    Lines that are no events are passed over and counted in `n_broken`; a last line that the process did
    not live to finish sets `is_torn`. Both are complete when the iteration is. Events of a newer claw
    come as `UnknownEvent`.

    *Errors*: SessionError if the log cannot be read.
    """

    def __init__(self, folder: SessionFolder) -> None:
        self._folder = folder
        self._blobs = FileBlobs(folder.blobs, folder.tmp)
        self.n_broken = 0
        self.is_torn = False

    def __iter__(self) -> Iterator[Event]:
        self.n_broken, self.is_torn = 0, False
        try:
            with self._folder.log.open("rb") as file:
                for line in file:
                    if line.isspace():
                        continue
                    try:
                        event = decode_record(line.removeprefix(_BOM), self._blobs)
                    except SessionError:
                        self._pass_over(line)
                    else:
                        yield event
        except OSError as error:
            raise SessionError(f"cannot read {self._folder.log}: {error.strerror}") from None

    def _pass_over(self, line: bytes) -> None:
        if line.endswith(b"\n"):
            self.n_broken += 1
        else:
            self.is_torn = True

    @property
    def damage(self) -> str:
        """What was passed over, in a sentence for a notice; empty for a sound log."""
        lost = [f"{self.n_broken} unreadable line{'s' * (self.n_broken != 1)}"] if self.n_broken else []
        if self.is_torn:
            lost.append("an unfinished last line")
        return f"passed over {' and '.join(lost)} in {self._folder.log}" if lost else ""


def _ends_mid_line(fd: int) -> bool:
    """Whether a torn line stands at the end, so that the next record must begin on a line of its own."""
    size_bytes = os.fstat(fd).st_size
    return size_bytes > 0 and os.pread(fd, 1, size_bytes - 1) != b"\n"


def _refuse_newer(folder: SessionFolder) -> None:
    if not folder.log.exists():
        return
    for event in LogReader(folder):
        if isinstance(event, SessionStarted) and event.protocol > PROTOCOL_VERSION:
            raise SessionError(
                f"session {folder.id} was written by a newer claw ({event.claw}); it can be shown, not continued. "
                "Update claw to go on with it."
            )
        return
