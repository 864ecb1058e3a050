"""The way out for confined commands: an HTTP proxy on a Unix socket that reaches only the hosts of the gate.

It takes `CONNECT`, where the name inside the TLS that follows must be the one that was judged, and requests
with a whole `http://` URL, each judged for itself. A name that is not allowed is not even looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from claw.errors import UsageError
from claw.network.base import Dial, Resolver, SystemResolver, connect
from claw.network.gate import NetworkGate

_TOLD_LIMIT = 100
_LAST_BYTES_S = 5.0


class ProxyLimits(Struct, frozen=True):
    """*Units*: connections at once; seconds for a request's head, and for nothing to move at all."""

    connections: int = 128
    head_s: float = 30.0
    idle_s: float = 600.0


class Proxy:
    """*Order*: `start`, then clients come and go, `close`; not started again.

    `on_refused` is given a sentence for the person, once for each host.
    """

    def __init__(
        self,
        gate: NetworkGate,
        on_refused: Callable[[str], None] = lambda text: None,
        *,
        resolver: Resolver | None = None,
        dial: Dial = connect,
        limits: ProxyLimits | None = None,
    ) -> None:
        self._gate = gate
        self._on_refused = on_refused
        self._resolver = resolver or SystemResolver()
        self._dial = dial
        self._limits = limits or ProxyLimits()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()
        self._place: tuple[int, str] | None = None

    async def start(self, path: Path) -> None:
        """Listen at `path`, in a folder that is made if need be, and that only the user can enter.

        *Errors*: UsageError where that cannot be done.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.chmod(0o700)
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _cannot_listen(path, error) from None
        self._place = folder, path.name
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(_short(path, folder))
            path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=64 * 1024)
        except OSError as error:
            listener.close()
            raise _cannot_listen(path, error) from None

    async def close(self) -> None:
        """All connections are closed afterwards."""
        if self._place:
            folder, name = self._place
            self._place = None
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)  # by now a command may have put another folder in its place
            os.close(folder)
        if self._server is None:
            return
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._server.wait_closed()
        self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from claw.network.proxy_client import Client, Ways  # brings h11, which most runs need later or never

        task = asyncio.current_task()
        assert task is not None
        ways = Ways(self._gate, self._resolver, self._dial, self._tell)
        client = Client(reader, writer, ways, self._limits.head_s, self._limits.idle_s)
        if len(self._tasks) >= self._limits.connections:
            await client.turn_away()
            return
        self._tasks.add(task)
        try:
            await client.serve()
            writer.close()
            async with asyncio.timeout(_LAST_BYTES_S):
                await writer.wait_closed()
        except OSError:
            pass
        except asyncio.CancelledError:
            pass  # by `close`; the stream machinery would log it as an error
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    def _tell(self, host: str, text: str) -> None:
        if host in self._told or len(self._told) >= _TOLD_LIMIT:
            return
        self._told.add(host)
        self._on_refused(text)


def _short(path: Path, folder: int) -> str:
    """A way to `path` that fits into the 107 bytes of a socket's address (103 on some systems)."""
    if len(os.fsencode(path)) <= 103 or not os.path.isdir("/proc/self/fd"):
        return str(path)
    return f"/proc/self/fd/{folder}/{path.name}"


def _cannot_listen(path: Path, error: OSError) -> UsageError:
    return UsageError(f"the network proxy cannot listen at {path}: {error}; a shorter CLAW_HOME may help")
