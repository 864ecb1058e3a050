"""A real HTTP/1.1 server on loopback that speaks the streaming protocol from a script.

    with ModelServer([call(("bash", {"command": "ls"})), say("Done.")]) as server:
        …  # --host {server.url}
    assert server.requests[0].messages[-1]["content"] == "…"

It has a thread and an event loop of its own, so it serves an asyncio client in the same process as well
as another process. `python -m tests.fakes.model_server SCRIPT.jsonl` serves alone: it prints its URL and,
when it is ended with SIGTERM or its stdin closes, one line of JSON a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.answers import Answer, answer_from, broken, call, chunk, hang, raw, say, slow, status

__all__ = ["Answer", "ModelServer", "Request", "broken", "call", "chunk", "hang", "raw", "say", "slow", "status"]


@dataclass
class Request:
    """One request as it arrived. Header names are in lower case.

    *Units*: times are `time.monotonic()`, 0.0 until they happen. `connection` counts from 0; requests on the
    same one came over keep-alive. `dropped`: the client closed before the answer was complete.
    """

    method: str
    target: str
    headers: dict[str, str]
    connection: int
    first_byte_s: float
    raw: bytes = b""
    complete_s: float = 0.0
    answered_s: float = 0.0
    dropped: threading.Event = field(default_factory=threading.Event)

    @cached_property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages


Script = Callable[[Request], Answer]


class ModelServer:
    """Answers each request from `script`: the next of its answers, or what it returns for the request.

    A list that has run out answers 400, which no client tries again. `requests` and `script` may be
    looked at and replaced at any time.
    """

    def __init__(
        self, script: Iterable[Answer] | Script = (), tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.script: list[Answer] | Script = script if callable(script) else list(script)
        self.requests: list[Request] = []
        self.n_connections = 0
        self._tls = tls
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="model-server", daemon=True)
        self._ready = threading.Event()
        self._arrived = threading.Condition()
        self._connections: set[_Connection] = set()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}/v1"

    @property
    def port(self) -> int:
        return self._port

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [request.body for request in self.requests]

    def wait_for_requests(self, n_requests: int, timeout_s: float = 10.0) -> None:
        """Block until that many have arrived. *Errors*: TimeoutError."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requests) >= n_requests, timeout_s):
                raise TimeoutError(f"{len(self.requests)} of {n_requests} requests after {timeout_s:g} s")

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", self._port), backlog=128)
        self._port = self._socket.getsockname()[1]
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.create_server(lambda: _Connection(self), sock=self._socket, ssl=self._tls)
        self._server = self._loop.run_until_complete(listening)
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = [connection.answering for connection in self._connections if connection.answering]
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _opened(self, connection: _Connection) -> int:
        self._connections.add(connection)
        self.n_connections += 1
        return self.n_connections - 1

    def _answer(self, request: Request) -> Answer:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        script = self.script
        if callable(script):
            return script(request)
        return script.pop(0) if script else status(400, "script_ended", "the script of the fake server has ended")


class _Connection(asyncio.Protocol):
    """One client: reads a request, answers it, reads the next."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._request: Request | None = None
        self._n_body_bytes = 0
        self._writable = asyncio.Event()
        self.answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # asyncio sets it only on sockets that it made itself; without it each small piece waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writable.set()
        self._number = self._server._opened(self)

    def abort(self) -> None:
        self._transport.abort()
        if self.answering:
            self.answering.cancel()

    def connection_lost(self, error: Exception | None) -> None:
        self._server._connections.discard(self)
        self._writable.set()
        if self.answering and not self.answering.done():
            if self._request:
                self._request.dropped.set()
            self.answering.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._request is None and not self._buffer:
            self._first_byte_s = time.monotonic()
        self._buffer += data
        if self._request is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._request = self._read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if self._request.headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.answering is None and len(self._buffer) >= self._n_body_bytes:
            self._request.raw = bytes(self._buffer[: self._n_body_bytes])
            del self._buffer[: self._n_body_bytes]
            self._request.complete_s = time.monotonic()
            self.answering = self._server._loop.create_task(self._answer(self._request))

    def _read_head(self, head: bytes) -> Request:
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = line.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in lines)}
        self._n_body_bytes = int(headers.get("content-length", "0"))
        return Request(method, target, headers, self._number, self._first_byte_s)

    async def _answer(self, request: Request) -> None:
        answer = self._server._answer(request)
        if answer.silent_s:
            await asyncio.sleep(answer.silent_s)
        await self._write(_head_of(answer))
        for piece in answer.pieces:
            if isinstance(piece, bytes):
                await self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"")
            else:
                await asyncio.sleep(piece)
        if answer.cut:
            self._transport.close()
            return
        request.answered_s = time.monotonic()
        self._transport.write(b"0\r\n\r\n")
        self._request = self.answering = None
        if request.headers.get("connection", "").lower() == "close":
            self._transport.close()
        elif rest := bytes(self._buffer):
            self._buffer.clear()
            self.data_received(rest)

    async def _write(self, data: bytes) -> None:
        self._transport.write(data)
        await self._writable.wait()


def _head_of(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {'OK' if answer.status == 200 else 'Scripted'}", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _main(argv: list[str]) -> None:
    """Serve the answers of a JSONL file (see `answer_from`); the last one answers every further request."""
    answers = [answer_from(json.loads(line)) for line in Path(argv[0]).read_text("utf-8").splitlines() if line.strip()]

    def script(_request: Request) -> Answer:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    with ModelServer(script, port=int(argv[1]) if len(argv) > 1 else 0) as server:
        import signal

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            sys.stdin.read()
        for request in server.requests:
            figures = {
                "first_byte_s": request.first_byte_s,
                "complete_s": request.complete_s,
                "answered_s": request.answered_s,
                "size_bytes": len(request.raw),
                "connection": request.connection,
            }
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
