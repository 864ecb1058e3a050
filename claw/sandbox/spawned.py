"""Confinement by a long-lived spawner: it is handed command, environment and pipe, and reports the end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from claw.errors import ToolError
from claw.sandbox.base import Launch
from claw.sandbox.guard import Guard, Watch
from claw.sandbox.wire import SpawnerGone, Wire

_ARGUMENT_BYTES = 128 * 1024  # what the kernel takes as one argument, its end included
_CLOSE_S = 2.0
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
        self._running: dict[int, SpawnedProcess] = {}
        self._next_id = 1
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
        process = SpawnedProcess(self, self._next_id, read_end, watch)
        self._next_id += 1
        self._running[process.id] = process
        self._send(wire, ("start", process.id, order), write_end)
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
            return self._wire

    def _send(self, wire: Wire, message: object, descriptor: int | None = None) -> None:
        assert self._loop
        try:
            if not wire.send(message, descriptor):
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
                self._note(message)
        except SpawnerGone:
            self._lose(wire)

    def _note(self, message: tuple[Any, ...]) -> None:
        if message[0] not in ("exited", "failed") or (process := self._running.pop(message[1], None)) is None:
            return
        self.guard.end(process.watched)
        if message[0] == "exited":
            self._may_restart = True
            code, reason = message[2], message[3]
            too_large = code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)
            process.end(code, _REASONS.get(reason, "") or (_FILE_TOO_LARGE if too_large else ""))
        else:
            number, where = message[2], message[3]
            process.end(_NOT_STARTED, f"it could not be started: {where}: {os.strerror(number)}")

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
        running, self._running = self._running, {}
        note = "" if self._closed else "the helper that confines commands died, and it with it"
        for process in running.values():
            self.guard.end(process.watched)
            process.end(-signal.SIGKILL, note)

    def signal(self, process_id: int, number: int) -> None:
        if self._wire and process_id in self._running:
            self._send(self._wire, ("signal", process_id, int(number)))

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


class SpawnedProcess:
    """A program inside; known to the spawner by a number. Its end is told when all that it started is dead too."""

    def __init__(self, spawned: Spawned, process_id: int, stdout: int, watched: Watch) -> None:
        self.id = process_id
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
        self._spawned.signal(self.id, number)

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
