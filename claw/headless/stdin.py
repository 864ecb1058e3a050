"""What comes in on stdin: the prompt, something to go with it, or a stream of ops."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from claw.errors import ClawError, UsageError
from claw.protocol.codec import decode_op
from claw.protocol.ops import AnyOp

STDIN_LIMIT_BYTES = 10 * 1024 * 1024
FIRST_BYTE_WAIT_S = 3.0


def read_prompt(prompt: str | None, stdin: BinaryIO) -> str | None:
    """The prompt with stdin taken in: `-` means that stdin is the prompt, else it is appended.

    An inherited pipe that nobody writes to must not hang a CI job: without a first byte in 3 s claw
    goes on, and says so. `-` waits as long as it takes.

    *Errors*: UsageError for more than 10 MiB, or text that is not UTF-8.
    """
    if prompt == "-":
        return _read_text(stdin)
    if not _has_data(stdin):
        return prompt
    attached = _read_text(stdin)
    if not attached.strip():
        return prompt
    return attached if prompt is None else f"{prompt}\n\n<stdin>\n{attached}\n</stdin>"


def _has_data(stdin: BinaryIO) -> bool:
    try:
        descriptor = stdin.fileno()
        kind = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISREG(kind):
        return True
    if stat.S_ISCHR(kind):  # a terminal, or /dev/null
        return False
    ready, _, _ = select.select([descriptor], [], [], FIRST_BYTE_WAIT_S)
    if not ready:
        print(f"claw: nothing on stdin after {FIRST_BYTE_WAIT_S:g} s, going on without it (`-` waits)", file=sys.stderr)
    return bool(ready)


def _read_text(stdin: BinaryIO) -> str:
    data = stdin.read(STDIN_LIMIT_BYTES + 1)
    if len(data) > STDIN_LIMIT_BYTES:
        raise UsageError("stdin holds more than 10 MiB; put it in a file and name the file in the prompt")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"stdin is not UTF-8 text: {error.reason} at byte {error.start}") from None


class OpReader:
    """Reads ops from stdin on a thread and hands them to the loop; `closed` is called at the end of input.

    A thread, since stdin may be a regular file, which no event loop can wait for; a daemon, since a
    read that is waiting cannot be cancelled.
    """

    def __init__(
        self,
        stdin: BinaryIO,
        submit: Callable[[AnyOp], None],
        closed: Callable[[], None],
        refused: Callable[[ClawError], None],
    ) -> None:
        self._stdin = stdin
        self._submit = submit
        self._closed = closed
        self._refused = refused

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="stdin", daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for line in self._stdin:
                if not line.strip():
                    continue
                try:
                    op = decode_op(line)
                except ClawError as error:
                    loop.call_soon_threadsafe(self._refused, error)
                else:
                    loop.call_soon_threadsafe(self._submit, op)
            loop.call_soon_threadsafe(self._closed)
        except RuntimeError:
            return  # the loop is closed: the run has ended
