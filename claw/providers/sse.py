"""Server-sent events: from bytes, cut anywhere, to the data of each event.

*Source*: the event-stream format of the WHATWG HTML standard, read tolerantly: the last event counts
even without the blank line that should end it.
"""

from __future__ import annotations

from claw.errors import StreamBroken

MAX_EVENT_BYTES = 8 * 2**20
_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Feed it what the socket gave; it returns the data of the events that are complete.

    Lines end in LF, CRLF or CR, and in nothing else: U+2028 inside JSON is text. Data that spans several
    lines is joined by LF. Comments and the fields `event`, `id` and `retry` are passed over.

    *Errors*: StreamBroken for an event longer than `MAX_EVENT_BYTES`.
    """

    def __init__(self) -> None:
        self._line = bytearray()  # what there is of a line whose end has not come yet
        self._data: list[bytes] = []
        self._n_data_bytes = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if not data:
            return []
        lines = data.splitlines()
        rest = b""
        if data.endswith(b"\r"):
            self._after_cr = True
        elif not data.endswith(b"\n"):
            rest = lines.pop()
        if lines and self._line:
            self._line += lines[0]
            lines[0] = bytes(self._line)
            self._line.clear()
        self._line += rest
        events = self._read(lines)
        if len(self._line) + self._n_data_bytes > MAX_EVENT_BYTES:
            raise StreamBroken(f"the host sent one event of more than {MAX_EVENT_BYTES >> 20} MiB")
        return events

    def close(self) -> list[bytes]:
        """The stream has ended: what was left counts as an event of its own."""
        line = bytes(self._line)
        self._line.clear()
        return self._read([line, b""] if line else [b""])

    def _read(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if self._at_start:
                line = line.removeprefix(_BOM)
                self._at_start = False
            if line[:5] == b"data:":
                value = line[6:] if line[5:6] == b" " else line[5:]
                self._data.append(value)
                self._n_data_bytes += len(value)
            elif line == b"data":
                self._data.append(b"")
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
                self._n_data_bytes = 0
        return events
