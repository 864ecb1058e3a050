"""The near end of a spawner: how it is started, and messages with descriptors over its socket.

Nothing here needs a running loop: the spawner is started while the rest of claw is still being loaded.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

_LENGTH = struct.Struct("<I")
_READ_BYTES = 64 * 1024
_RIGHTS_BYTES = socket.CMSG_SPACE(64 * 4)
_ITS_SOCKET = 3
_STDERR_CHARS = 500


class SpawnerGone(Exception):
    """The other end is closed."""


class Wire:
    """One spawner, and the socket to it. Everything that it started is dead soon after `cut`."""

    def __init__(self, argv: list[str], environ: Mapping[str, str]) -> None:
        """*Errors*: OSError if it cannot be started."""
        near, far = socket.socketpair()
        self._stderr = os.memfd_create("spawner")
        actions = [
            (os.POSIX_SPAWN_DUP2, self._stderr, 2),
            (os.POSIX_SPAWN_DUP2, far.fileno(), _ITS_SOCKET),
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_RDWR, 0),
        ]
        # What is readable as /proc/1/environ must hold nothing. The loader of Python may need this one.
        scrubbed = {name: environ[name] for name in ("LD_LIBRARY_PATH",) if name in environ}
        try:
            # In a session of its own: Ctrl-C at the keyboard is for claw alone.
            self._pid: int | None = os.posix_spawn(argv[0], argv, scrubbed, file_actions=actions, setsid=True)
        except BaseException:
            near.close()
            os.close(self._stderr)
            raise
        finally:
            far.close()
        near.setblocking(False)
        self.socket = near
        self._unsent: deque[memoryview] = deque()
        self._received = bytearray()
        self._descriptors: deque[int] = deque()

    def send(self, message: Any) -> bool:
        """Whether all of it is gone; if not, `flush` goes on."""
        self._unsent.append(memoryview(framed(message)))
        return self.flush()

    def flush(self) -> bool:
        """*Errors*: SpawnerGone."""
        while self._unsent:
            try:
                n_sent = self.socket.send(self._unsent[0])
            except BlockingIOError:
                return False
            except OSError as error:
                raise SpawnerGone from error
            self._unsent[0] = self._unsent[0][n_sent:]
            if not self._unsent[0]:
                self._unsent.popleft()
        return True

    def receive(self) -> Iterator[tuple[Any, ...]]:
        """The messages that are there. *Errors*: SpawnerGone, after the last of them."""
        while True:
            yield from self._whole_messages()
            try:
                data, rights, _, _ = self.socket.recvmsg(_READ_BYTES, _RIGHTS_BYTES, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError as error:
                raise SpawnerGone from error
            for _, _, content in rights:
                self._descriptors.extend(memoryview(content).cast("i"))
            self._received += data
            if not data:
                raise SpawnerGone

    def take_descriptor(self) -> int:
        """The one that came with the message that was yielded last; the caller closes it."""
        return self._descriptors.popleft()

    def _whole_messages(self) -> Iterator[tuple[Any, ...]]:
        while len(self._received) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._received)[0]
            if len(self._received) < end:
                return
            message = marshal.loads(bytes(self._received[_LENGTH.size : end]))
            del self._received[:end]
            yield message

    def wait_for_first(self, timeout_s: float) -> tuple[Any, ...]:
        """Blocks. *Errors*: SpawnerGone; TimeoutError."""
        until = time.monotonic() + timeout_s
        while True:
            for message in self.receive():
                return message
            flushed = self.flush()
            remaining = until - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            select.select([self.socket], [] if flushed else [self.socket], [], remaining)

    def complaint(self) -> str:
        """The last line that it, or bubblewrap, has printed."""
        with contextlib.suppress(OSError):
            size = os.fstat(self._stderr).st_size
            lines = os.pread(self._stderr, 8192, max(size - 8192, 0)).decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")[:_STDERR_CHARS]
        return ""

    def cut(self) -> None:
        """It kills everything and leaves. Safe in a signal handler."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def has_left(self) -> bool:
        """Whether its process has ended; it is reaped then."""
        if self._pid is not None:
            try:
                ended, _ = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has reaped it
                ended = self._pid
            if ended:
                self._pid = None
        return self._pid is None

    @property
    def pid(self) -> int:
        return self._pid or 0

    def wait_until_left(self, timeout_s: float) -> bool:
        """Blocks."""
        until = time.monotonic() + timeout_s
        while not self.has_left():
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        return True

    def kill(self) -> None:
        if not self.has_left() and self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)

    def reap(self) -> None:
        """After `kill`: blocks for a moment."""
        if self._pid is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = None

    def close(self) -> None:
        """After `cut`: let go of what is held here."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self._unsent.clear()
        self.socket.close()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1


def framed(message: Any) -> bytes:
    data = marshal.dumps(message, 4)
    return _LENGTH.pack(len(data)) + data


def can_spawn() -> bool:
    return sys.platform == "linux" and bool(sys.executable)
