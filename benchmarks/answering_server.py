"""A model host that answers at once: raw sockets, so that what is measured is the client."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Answer = Callable[[int], dict[str, object]]


@dataclass
class Exchange:
    """One request. *Units*: seconds of `time.perf_counter`."""

    first_byte: float
    body_bytes: int
    last_byte: float = 0.0


@dataclass
class AnsweringServer:
    """Serves `answer(k)`, a chat-completions `delta`, as the k-th reply. Keep-alive, one thread a connection."""

    answer: Answer
    exchanges: list[Exchange] = field(default_factory=list)
    last_body: bytes = b""

    def __enter__(self) -> AnsweringServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        with connection:
            while True:
                if not data:
                    data = connection.recv(1 << 20)
                first_byte = time.perf_counter()
                while b"\r\n\r\n" not in data:
                    if not data or not (more := connection.recv(1 << 20)):
                        return
                    data += more
                head, _, rest = data.partition(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                body = bytearray(rest)
                while len(body) < length:
                    body += connection.recv(1 << 20)
                exchange = Exchange(first_byte, length)
                self.exchanges.append(exchange)
                self.last_body = bytes(body[:length])
                connection.sendall(_response(self.answer(len(self.exchanges) - 1)))
                exchange.last_byte = time.perf_counter()
                data = bytes(body[length:])


def _response(delta: dict[str, object]) -> bytes:
    calls = "tool_calls" in delta
    chunks = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 20, "cached_tokens": 900}},
    ]
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body
