"""What a command printed, in bounded memory: the whole in a file once it is long, head and tail at hand."""

from __future__ import annotations

import codecs
import contextlib
import os
import tempfile
import weakref
from pathlib import Path

from claw.sandbox.text import Decoder, plain_text
from claw.tooling.services import Blob, Blobs
from claw.tooling.truncate import head_and_tail

KiB = 1024
MEMORY_BYTES = 256 * KiB
SPILL_BYTES = 512 * 1024 * KiB


class SpilledOutput:
    """Output of one command: up to `memory_bytes` in memory, beyond that in a file of mode 0600.

    The file takes `spill_bytes` at most: a command that prints for ever must not fill the disk. What
    comes after that is counted and seen in the tail, and then forgotten.

    *Cost*: linear in what is printed; twice `memory_bytes` of memory at most.
    """

    def __init__(self, folder: Path, *, memory_bytes: int = MEMORY_BYTES, spill_bytes: int = SPILL_BYTES) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._spill_bytes = spill_bytes
        self._size = 0
        self._ended = False
        self._head = bytearray()  # everything, until it is spilled
        self._tail: _Ring | None = None
        self._spill: _Spill | None = None
        self._blob: Blob | None = None

    @property
    def size_bytes(self) -> int:
        return self._size

    @property
    def overflows(self) -> bool:
        """More was printed than is kept."""
        return self._tail is not None and self._size > self._n_kept

    @property
    def _n_kept(self) -> int:
        """Bytes from the start on that can still be read."""
        return self._spill.size_bytes if self._spill else len(self._head)

    def append(self, data: bytes) -> None:
        self._size += len(data)
        if self._tail is None:
            self._head += data
            if self._size > self._memory_bytes:
                self._start_spilling()
        else:
            self._tail.append(data)
            self._spill_over(data)

    def _start_spilling(self) -> None:
        half = self._memory_bytes // 2
        self._tail = _Ring(half)
        self._tail.append(self._head)
        with contextlib.suppress(OSError):  # no room, no folder: head and tail are what remains
            self._spill = _Spill(self._folder)
        self._spill_over(self._head)
        del self._head[half:]

    def _spill_over(self, data: bytes | bytearray) -> None:
        if self._spill and (room := self._spill_bytes - self._spill.size_bytes) > 0:
            self._spill.append(data if len(data) <= room else data[:room])

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        if self._spill:
            self._spill.close()

    def text(self, limit_chars: int) -> str:
        """All of it as plain text, or its head and tail with a line between that says how much was left out."""
        if self._tail is None:
            return head_and_tail(plain_text(_decode(self._head)), limit_chars)
        head, tail = plain_text(_decode(self._head)), plain_text(_decode(_from_character(self._tail.content())))
        half = max(limit_chars // 2, 1)
        head, tail = _cut_head(head, half), _cut_tail(tail, half)
        n_left_out = max(self._size - len(head.encode()) - len(tail.encode()), 0)
        return f"{head}\n[… {n_left_out} bytes left out …]\n{tail}"

    def read(self, offset_bytes: int, limit_chars: int) -> tuple[str, int]:
        """What came after `offset_bytes`, as plain text, and the offset to go on from.

        A character or an escape sequence that has only half arrived is left for the next time.
        """
        data, start = self._bytes_from(max(offset_bytes, 0), max(limit_chars, 8))
        end = start + len(data)
        piece = _from_character(data) if start else data
        decoder = Decoder()
        text = decoder.feed(piece, final=self._ended and end == self._size)
        if not text and end < self._size:  # an escape longer than the limit must not hold up the rest
            text += decoder.feed(b"", final=True)
        return plain_text(text), end - decoder.n_pending_bytes

    def _bytes_from(self, offset: int, limit: int) -> tuple[bytes, int]:
        """At most `limit` bytes, and where they start: later than `offset` if what was there is gone."""
        if offset < self._n_kept:
            if self._spill:
                return self._spill.read(offset, limit), offset
            return bytes(self._head[offset : offset + limit]), offset
        if self._tail is None or offset >= self._size:
            return b"", min(offset, self._size)
        tail = self._tail.content()
        start = max(offset, self._size - len(tail))
        skip = start - (self._size - len(tail))
        return tail[skip : skip + limit], start

    def keep(self, blobs: Blobs) -> Blob:
        """Store the whole output as a blob, just as it was printed. Only once the command has ended."""
        if not self._ended:
            raise RuntimeError("the command still runs; its output cannot be kept yet")
        if self._blob is None:
            self._blob = self._spill.hand_over(blobs) if self._spill else blobs.put(self._in_memory())
        return self._blob

    def _in_memory(self) -> bytes:
        if self._tail is None:
            return bytes(self._head)
        tail = self._tail.content()
        n_lost = self._size - len(self._head) - len(tail)
        return bytes(self._head) + f"\n[… {n_lost} bytes could not be kept …]\n".encode() + tail


class _Ring:
    """The last `capacity` bytes of a stream."""

    def __init__(self, capacity: int) -> None:
        self._buffer = bytearray(capacity)
        self._next = 0
        self._full = False

    def append(self, data: bytes | bytearray) -> None:
        capacity = len(self._buffer)
        if len(data) >= capacity:
            self._buffer[:] = data[len(data) - capacity :]
            self._next, self._full = 0, True
            return
        first = min(len(data), capacity - self._next)
        self._buffer[self._next : self._next + first] = data[:first]
        self._buffer[: len(data) - first] = data[first:]
        self._full = self._full or self._next + len(data) >= capacity
        self._next = (self._next + len(data)) % capacity

    def content(self) -> bytes:
        if not self._full:
            return bytes(self._buffer[: self._next])
        return bytes(self._buffer[self._next :] + self._buffer[: self._next])


class _Spill:
    """A file that goes away with this object, unless it is handed over."""

    def __init__(self, folder: Path) -> None:
        self._fd, name = tempfile.mkstemp(prefix="output-", dir=folder)  # mode 0600
        self._path = Path(name)
        self._failed = False
        self.size_bytes = 0
        self._file = weakref.finalize(self, os.close, self._fd)
        self._name = weakref.finalize(self, _remove, name)

    def append(self, data: bytes | bytearray) -> None:
        """A disk that is full ends the spilling, not the command."""
        rest = memoryview(data)
        while rest and not self._failed:
            try:
                n_written = os.write(self._fd, rest)
            except OSError:
                self._failed = True
                return
            self.size_bytes += n_written
            rest = rest[n_written:]

    def read(self, offset: int, limit: int) -> bytes:
        if self._file.alive:
            return os.pread(self._fd, limit, offset)
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(limit)

    def close(self) -> None:
        self._file()  # once; later calls do nothing

    def hand_over(self, blobs: Blobs) -> Blob:
        blob = blobs.put_file(self._path)
        self._name.detach()
        self._path = Path(blob.path)
        return blob


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _decode(data: bytes | bytearray) -> str:
    return codecs.decode(data, "utf-8", "replace")


def _from_character(data: bytes) -> bytes:
    """Without the rest of a character whose start was cut off: at most three bytes."""
    n_cut = next((i for i, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
    return data[n_cut:]


def _cut_head(text: str, limit: int) -> str:
    """The start of `text`, ended at a line's end where one is near."""
    cut = text[:limit]
    end = cut.rfind("\n", limit - limit // 4)
    return cut[:end] if end > 0 else cut.removesuffix("\n")


def _cut_tail(text: str, limit: int) -> str:
    cut = text[-limit:]
    start = cut.find("\n")
    return cut[start + 1 :] if 0 <= start < limit // 4 else cut
