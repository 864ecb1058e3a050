"""Real servers on loopback that answer as a test says, and a resolver that says where names lie."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

from claw.errors import ToolError
from claw.tooling.addresses import Address


@dataclass
class Server:
    """`answers` go out one by one, the last of them again and again; `requests` are the heads and bodies that came."""

    answers: list[bytes]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    n_connections: int = 0
    pause_s: float = 0.0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"transfer-encoding: chunked" in head.lower():
                    head += await reader.readuntil(b"0\r\n\r\n")
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        head += await reader.readexactly(int(line[15:]))
                self.requests.append(head)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if self.pause_s:
                    for i in range(len(answer)):
                        writer.write(answer[i : i + 1])
                        await writer.drain()
                        await asyncio.sleep(self.pause_s)
                writer.write(b"" if self.pause_s else answer)
                await writer.drain()
                if b"content-length" not in answer.lower() and b"chunked" not in answer.lower():
                    break
        writer.close()


@asynccontextmanager
async def serving(*answers: bytes, tls: ssl.SSLContext | None = None, pause_s: float = 0.0) -> AsyncIterator[Server]:
    server = Server(list(answers), pause_s=pause_s)
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await server._serve(reader, writer)
        writer.transport.abort()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def answer(body: bytes | str, *headers: str, status: str = "200 OK", kind: str = "text/plain; charset=utf-8") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer("elsewhere", f"Location: {location}", status=status)


@dataclass
class FakeResolver:
    """Names lie where `hosts` says; a list of lists is gone through, one each time that the name is asked for."""

    hosts: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str) -> Sequence[Address]:
        self.asked.append(host)
        if host not in self.hosts:
            raise ToolError(f"{host} has no address: not known here.", "unknown host")
        times = self.hosts[host]
        return [ip_address(text) for text in (times.pop(0) if len(times) > 1 else times[0])]
