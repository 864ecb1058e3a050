"""Confinement by a long-lived spawner: it is handed command, environment and pipe, and reports the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import marshal
import os
import signal
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from claw.errors import ToolError
from claw.sandbox.base import Launch
from claw.sandbox.guard import Guard, Watch
from claw.sandbox.wire import SpawnerGone, Wire, framed

_ARGUMENT_BYTES = 128 * 1024  # what the kernel takes as one argument, its end included
_CLOSE_S = 2.0
_GIVE_S = 2.0
_MOST_FREE = 4  # first processes that are kept for later
_RECORD_BYTES = 4096
_NOT_STARTED = 126

# What `reason` of an ended command means, for the model.
_REASONS = {
    "memory": "it was killed because it took more memory than a command may",
    "processes": "it was killed because it started more processes than a command may",
    "killed": "it was killed from outside, perhaps because the machine ran out of memory",
}
_FILE_TOO_LARGE = "it was killed because it wrote a larger file than a command may"

Restart = Callable[[], Awaitable[tuple[Wire, Mapping[str, str]]]]


class Spawned:
    """Starts programs through a spawner. A spawner that died is replaced, once: one that dies again stays dead.

    `added` are variables that lead programs out, to the proxy.
    """

    def __init__(
        self, name: str, gaps: tuple[str, ...], wire: Wire, added: Mapping[str, str], guard: Guard, restart: Restart
    ) -> None:
        self.name = name
        self.gaps = gaps
        self.guard = guard
        self._wire: Wire | None = wire
        self._loop: asyncio.AbstractEventLoop | None = None
        self._added = added
        self._restart = restart
        self._may_restart = True
        self._starting = asyncio.Lock()
        self._firsts: dict[int, First] = {}
        self._free: list[First] = []
        self._waiting: deque[tuple[SpawnedProcess, bytes, int]] = deque()  # with its order and its output
        self._closed = False

    async def start(self, launch: Launch) -> SpawnedProcess:
        argv, cwd, env = as_bytes(launch, self._added)
        if not os.path.isdir(cwd):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), launch.cwd)
        wire = await self._live_wire()
        # Nothing is awaited from here on: a command that nobody knows would outlive everything.
        watch = self.guard.begin(launch.argv[-1])
        order = {
            "argv": argv,
            "cwd": cwd,
            "env": env,
            "read_only": [os.fsencode(path) for path in watch.mounts.read_only],
            "self_bind": [os.fsencode(path) for path in watch.mounts.self_bind],
        }
        read_end, write_end = os.pipe()
        process = SpawnedProcess(self, read_end, watch)
        self._waiting.append((process, framed(order), write_end))
        self._hand_over(wire)
        if self._waiting:
            self._send(wire, ("make",))
        return process

    @property
    def helper_pid(self) -> int:
        """Of the spawner, or of the bubblewrap around it; 0 if it is gone."""
        return self._wire.pid if self._wire else 0

    async def start_helper(self) -> None:
        """Now rather than with the next command, if it is gone."""
        await self._live_wire()

    async def _live_wire(self) -> Wire:
        async with self._starting:
            # One start in each round of the loop: fifty looks at the protected files in a row would hold it up.
            await asyncio.sleep(0)
            if self._closed:
                raise ToolError("claw is shutting down; no command is started any more.", "shutting down")
            if self._wire is None:
                if not self._may_restart:
                    raise ToolError(
                        "the helper that confines commands died twice; nothing is run without it. Start claw anew.",
                        "no sandbox",
                    )
                self._may_restart = False
                self._wire, self._added = await self._restart()
                self._loop = None
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
                self._loop.add_reader(self._wire.socket, self._on_readable, self._wire)
                self._on_readable(self._wire)  # what came with the answer to the policy
            return self._wire

    def _send(self, wire: Wire, message: object) -> None:
        assert self._loop
        try:
            if not wire.send(message):
                self._loop.add_writer(wire.socket, self._on_writable, wire)
        except SpawnerGone:
            self._loop.call_soon(self._lose, wire)

    def _on_writable(self, wire: Wire) -> None:
        assert self._loop
        try:
            if wire.flush():
                self._loop.remove_writer(wire.socket)
        except SpawnerGone:
            self._lose(wire)

    def _on_readable(self, wire: Wire) -> None:
        try:
            for message in wire.receive():
                self._note(wire, message)
        except SpawnerGone:
            self._lose(wire)

    def _note(self, wire: Wire, message: tuple[Any, ...]) -> None:
        assert self._loop
        if message[0] == "first":
            first = First(message[1], socket.socket(fileno=wire.take_descriptor()))
            self._firsts[first.number] = first
            self._loop.add_reader(first.socket, self._on_record, first)
            self._free.append(first)
            self._hand_over(wire)
            if len(self._free) > _MOST_FREE:
                self._drop(self._free[0])
        elif message[0] == "exited" and message[1] in self._firsts:
            self._end(self._firsts[message[1]], message[0], *message[2:])
        elif message[0] == "failed" and self._waiting:
            process, _, output = self._waiting.popleft()
            os.close(output)
            self._tell(process, *message)

    def _hand_over(self, wire: Wire) -> None:
        """Give the commands that wait to the first processes that wait."""
        while self._waiting and self._free:
            first = self._free.pop()
            process, order, output = self._waiting[0]
            given = first.give(order, output)
            failure = () if given else first.last_words()
            if given or failure:
                self._waiting.popleft()
                os.close(output)
            if given:
                first.process, process.first = process, first
                continue
            self._drop(first)
            if failure:
                self._tell(process, *failure)
            else:
                self._send(wire, ("make",))

    def _on_record(self, first: First) -> None:
        assert self._loop
        try:
            record = first.socket.recv(_RECORD_BYTES)
        except OSError:
            record = b""
        if record and first.process:
            self._end(first, *marshal.loads(record))
        elif first.process:  # the spawner will tell
            self._loop.remove_reader(first.socket)
        else:
            self._drop(first)

    def _drop(self, first: First) -> None:
        """It leaves when its socket is closed."""
        if self._firsts.pop(first.number, None):
            if first in self._free:
                self._free.remove(first)
            if self._loop:
                self._loop.remove_reader(first.socket)
            first.socket.close()

    def _end(self, first: First, how: str, code: int, detail: str) -> None:
        """`detail` is the reason if it has exited; if it failed the call that did, and `code` is the errno."""
        process, first.process = first.process, None
        # Of a signal it is not known whether it has arrived yet: it must not meet the next command.
        if how != "exited" or detail or first.was_signalled or len(self._free) >= _MOST_FREE:
            self._drop(first)
        else:
            self._free.append(first)
        if process:
            self._tell(process, how, code, detail)
        if self._waiting and self._wire:
            self._hand_over(self._wire)

    def _tell(self, process: SpawnedProcess, how: str, code: int, detail: str) -> None:
        process.first = None
        self.guard.end(process.watched)
        if how == "exited":
            self._may_restart = True
            too_large = code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)
            process.end(code, _REASONS.get(detail, "") or (_FILE_TOO_LARGE if too_large else ""))
        else:
            process.end(_NOT_STARTED, f"it could not be started: {detail}: {os.strerror(code)}")

    def _lose(self, wire: Wire) -> None:
        """The spawner is gone, and with it, or very soon, all that it started."""
        if self._wire is not wire:
            return
        self._wire = None
        if self._loop:
            self._loop.remove_reader(wire.socket)
            self._loop.remove_writer(wire.socket)
        wire.cut()
        wire.kill()
        wire.reap()
        wire.close()
        lost = [first.process for first in self._firsts.values() if first.process]
        for first in tuple(self._firsts.values()):
            self._drop(first)
        for process, _, output in self._waiting:
            os.close(output)
            lost.append(process)
        self._waiting.clear()
        note = "" if self._closed else "the helper that confines commands died, and it with it"
        for process in lost:
            process.first = None
            self.guard.end(process.watched)
            process.end(-signal.SIGKILL, note)

    def signal(self, process: SpawnedProcess, number: int) -> None:
        if process.first:
            if self._wire:
                process.first.was_signalled = True
                self._send(self._wire, ("signal", process.first.number, int(number)))
            return
        for entry in self._waiting:
            if entry[0] is process and number != signal.SIGCONT:
                self._waiting.remove(entry)
                os.close(entry[2])
                self.guard.end(process.watched)
                process.end(-number, "")
                return

    def accept(self, path: Path) -> None:
        self.guard.accept(path)

    def kill_all(self) -> None:
        self._closed = True
        if self._wire:
            self._wire.cut()

    async def close(self) -> None:
        self._closed = True
        if (wire := self._wire) is not None:
            if self._loop:
                self._loop.remove_reader(wire.socket)
                self._loop.remove_writer(wire.socket)
            wire.cut()
            await asyncio.to_thread(wire.wait_until_left, _CLOSE_S)
            self._lose(wire)
        self.guard.close()


class First:
    """A first process: `socket` takes an order, and tells the end of that command. It serves one at a time."""

    def __init__(self, number: int, its_socket: socket.socket) -> None:
        self.number = number  # by which the spawner knows it
        self.socket = its_socket
        self.socket.settimeout(_GIVE_S)
        self.process: SpawnedProcess | None = None
        self.was_signalled = False

    def give(self, order: bytes, output: int) -> bool:
        """Whether it was there to take it."""
        try:
            sent = socket.send_fds(self.socket, [order], [output])
            if sent < len(order):
                self.socket.sendall(memoryview(order)[sent:])
        except OSError:
            return False
        return True

    def last_words(self) -> tuple[Any, ...]:
        """Why it is not there any more, if it could say."""
        with contextlib.suppress(OSError):
            if record := self.socket.recv(_RECORD_BYTES):
                words: tuple[Any, ...] = marshal.loads(record)
                return words
        return ()


class SpawnedProcess:
    """A program inside. Its end is told when all that it started is dead too."""

    def __init__(self, spawned: Spawned, stdout: int, watched: Watch) -> None:
        self.first: First | None = None
        self.stdout = stdout
        self.note = ""
        self.watched = watched
        self._spawned = spawned
        self._code: int | None = None
        self._on_exit: Callable[[int], None] | None = None

    def watch(self, on_exit: Callable[[int], None]) -> None:
        if self._code is None:
            self._on_exit = on_exit
        else:
            asyncio.get_running_loop().call_soon(on_exit, self._code)

    def end(self, code: int, note: str) -> None:
        self._code, self.note = code, note
        if self._on_exit:
            self._on_exit(code)

    def signal(self, number: int) -> None:
        self._spawned.signal(self, number)

    def reap(self) -> None:
        self.signal(signal.SIGKILL)  # of no effect, if it has ended


def as_bytes(launch: Launch, added: Mapping[str, str]) -> tuple[list[bytes], bytes, dict[bytes, bytes]]:
    """*Errors*: ValueError for what no system can be given; OSError (E2BIG) for what is too long."""
    argv = [os.fsencode(argument) for argument in launch.argv]
    env = {os.fsencode(name): os.fsencode(value) for name, value in {**launch.env, **added}.items()}
    cwd = os.fsencode(launch.cwd)
    pieces = [*argv, cwd, *env.keys(), *env.values()]
    if any(b"\0" in piece for piece in pieces):
        raise ValueError("embedded null byte")
    if max(map(len, pieces)) >= _ARGUMENT_BYTES:
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
    return argv, cwd, env
