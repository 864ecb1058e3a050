"""What it costs to read a stream: CPU of the client for each delta.

    python benchmarks/stream.py [--deltas 100000] [--runs 3] [--json]

A loopback server sends one reply of many small deltas, a fifth of them thinking, each as an HTTP chunk of its
own, as hosts do. The whole client reads it: HTTP, server-sent events, JSON, assembly. Only the CPU of the
client's thread is counted. `packed` sends the same events in large pieces, which leaves HTTP out; `calls` are
the pieces of a tool call's arguments. The exit code is 1 if the budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from claw.protocol.messages import Prefix, UserMessage, as_content
from claw.providers.base import ReasoningChunk, Reply, TextChunk
from claw.providers.catalog import load_catalog
from claw.providers.openai_chat import OpenAIChat
from claw.providers.retry import Retry

# Figure → its budget. *Units*: microseconds of CPU a delta.
BUDGETS = {"stream_us": 25.0, "packed_us": 25.0, "calls_us": 25.0}
PACKED_BYTES = 64 * 1024
SENT_AT_ONCE_BYTES = 64 * 1024

Delta = Callable[[int], dict[str, object]]


def words(k: int) -> dict[str, object]:
    field = "reasoning_content" if k % 5 == 0 else "content"
    return {field: f" word{k % 100}" if k % 20 else ".\n"}


def arguments(k: int) -> dict[str, object]:
    if k == 0:
        return {"tool_calls": [{"index": 0, "id": "write:0", "function": {"name": "write", "arguments": '{"text":"'}}]}
    return {"tool_calls": [{"index": 0, "function": {"arguments": f" word{k % 100}"}}]}


def events(n_deltas: int, delta: Delta) -> list[bytes]:
    head = {"id": "chatcmpl-0123456789abcdef", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6"}
    choices: list[list[dict[str, object]]] = [
        [{"index": 0, "delta": delta(k), "finish_reason": None}] for k in range(n_deltas)
    ]
    choices.append([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    lines = [json.dumps({**head, "choices": choice}) for choice in choices]
    usage = {"prompt_tokens": 1000, "completion_tokens": n_deltas}
    lines += [json.dumps({**head, "choices": [], "usage": usage}), "[DONE]"]
    return [f"data: {line}\n\n".encode() for line in lines]


def response(pieces: list[bytes]) -> bytes:
    """The whole response, each piece a chunk of the transfer encoding."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def packed(pieces: list[bytes]) -> list[bytes]:
    whole = b"".join(pieces)
    return [whole[i : i + PACKED_BYTES] for i in range(0, len(whole), PACKED_BYTES)]


class OneAnswer:
    """Serves one connection with the same bytes, whatever is asked."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def __enter__(self) -> OneAnswer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            request = b""
            while not request.endswith(b"}"):  # the body is one JSON object, and no header ends so
                request += connection.recv(1 << 20)
            for start in range(0, len(self._answer), SENT_AT_ONCE_BYTES):
                connection.sendall(self._answer[start : start + SENT_AT_ONCE_BYTES])
            connection.recv(1)  # until the client lets go


async def read(url: str) -> tuple[float, Reply, int]:
    """CPU seconds of this thread, the reply, and how many characters were streamed."""
    provider = OpenAIChat(load_catalog().resolve(url, None, {}), thinking=True, retry=Retry(attempts=1))
    n_chars, reply = 0, None
    started = time.thread_time()
    async for item in provider.open(Prefix("You are claw.")).ask((UserMessage(as_content("hello")),)):
        if isinstance(item, TextChunk | ReasoningChunk):
            n_chars += len(item.text)
        elif isinstance(item, Reply):
            reply = item
    elapsed_s = time.thread_time() - started
    await provider.close()
    assert reply
    return elapsed_s, reply, n_chars


def measure(n_deltas: int, delta: Delta, pieces: list[bytes]) -> float:
    """Microseconds of CPU a delta; the reply must be whole."""
    with OneAnswer(response(pieces)) as server:
        elapsed_s, reply, n_chars = asyncio.run(read(server.url))
    message = reply.message
    if delta is words:
        expected = sum(len(str(text)) for k in range(n_deltas) for text in words(k).values())
        whole = n_chars == len(message.content) + len(message.reasoning or "") == expected
    else:
        whole = len(message.tool_calls) == 1 and message.tool_calls[0].arguments.count(" word") == n_deltas - 1
    if not whole or reply.usage is None or reply.usage.output != n_deltas:
        raise SystemExit("the reply is not what was sent")
    return elapsed_s * 1_000_000 / n_deltas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deltas", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured; medians are shown")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    n = options.deltas
    measure(1000, words, events(1000, words))  # once, so that every module is loaded
    texts, calls = events(n, words), events(n, arguments)
    samples: dict[str, list[float]] = {name: [] for name in BUDGETS}
    for _ in range(options.runs):
        samples["stream_us"].append(measure(n, words, texts))
        samples["packed_us"].append(measure(n, words, packed(texts)))
        samples["calls_us"].append(measure(n, arguments, calls))
    figures = {name: statistics.median(values) for name, values in samples.items()}
    missed = [name for name, budget in BUDGETS.items() if figures[name] > budget]
    print(json.dumps({"figures": figures, "budgets": BUDGETS, "missed": missed}))
    if not options.json:
        for name, value in figures.items():
            print(f"{name:<24}{value:>10.2f}  ≤ {BUDGETS[name]:<6g}{'MISSED' if name in missed else ''}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
