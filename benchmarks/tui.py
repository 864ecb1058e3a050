"""What the terminal costs: start, keys, idling, streaming, a long session.

    python benchmarks/tui.py [--only NAME] [--json]

`claw` runs in a pty of 120x40 against a loopback server that streams at a given pace. Starts are measured in turn
with `import textual.app`, runs in the terminal in turn with `claw exec`, since a shared machine drifts. Each figure
stands beside its budget; the exit code is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.answering_server import AnsweringServer
from benchmarks.loop import echo_then_done
from benchmarks.terminal_process import TerminalProcess, claw
from claw.paths import find_home
from claw.protocol import events as ev
from claw.protocol.codec import PROTOCOL_VERSION
from claw.protocol.details import CommandRun
from claw.protocol.messages import AssistantMessage, Prefix, ToolCall, Usage, UserMessage, as_content
from claw.session.journal import Journal
from claw.session.store import SessionStore

N_CALLS = 4_000
PROMPT = "❯".encode()
# Figure → its budget.
BUDGETS = {
    "start_over_import": 1.8,
    "key_echo_p95_ms": 50.0,
    "idle_cpu_share": 0.005,
    "idle_bytes": 0.0,
    "bytes_per_1000_tokens": 80_000.0,
    "cpu_at_100_tokens_s": 0.2,
    "memory_4000_calls_mb": 250.0,
    "scroll_stall_ms": 100.0,
    "turn_over_headless": 1.1,
}
_TEXT = """## Step {0}

The parser reads **one word** at a time and keeps what it saw in `state`; see the list:

- first the sign, then the number,
- then whatever follows *after* the comma.

```python
def step_{0}(words: list[str]) -> int:
    for number, word in enumerate(words):
        if word == "--":  # nothing after it is a flag
            return number
    return -1
```

"""


def tokens() -> Iterator[str]:
    """Markdown, some four characters at a time."""
    number = 0
    while True:
        text = _TEXT.format(number)
        yield from (text[start : start + 4] for start in range(0, len(text), 4))
        number += 1


class PacedServer:
    """Answers every request by `n_tokens` at `tokens_a_s`; `began` and `ended` are when the last answer did."""

    def __init__(self, tokens_a_s: float, n_tokens: int) -> None:
        self._pace, self._n = tokens_a_s, n_tokens
        self.began = self.ended = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            while file.readline():
                size = 0
                while (line := file.readline().strip()) != b"":
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                file.read(size)
                try:
                    self._stream(connection)
                except OSError:
                    return

    def _stream(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())

        def send(delta: dict[str, object], finish: str | None = None, **more: object) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            body = (
                f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'choices': [choice], **more})}\n\n"
            )
            connection.sendall(f"{len(body.encode()):x}\r\n{body}\r\n".encode())

        self.began = start = time.perf_counter()
        for number, token in zip(range(self._n), tokens(), strict=False):
            send({"content": token})
            time.sleep(max(0.0, start + (number + 1) / self._pace - time.perf_counter()))
        send({}, "stop", usage={"prompt_tokens": 100, "completion_tokens": self._n, "total_tokens": 100 + self._n})
        connection.sendall(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        self.ended = time.perf_counter()

    def __enter__(self) -> PacedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


@contextmanager
def place() -> Iterator[tuple[Path, Path]]:
    """A home for claw and a folder to work in."""
    root = Path(tempfile.mkdtemp(prefix="claw-bench-"))
    (root / "work").mkdir()
    try:
        yield root / "home", root / "work"
    finally:
        shutil.rmtree(root, ignore_errors=True)


def long_session(home: Path, cwd: Path, n_calls: int = N_CALLS) -> str:
    """The id of a session with so many calls."""
    store = SessionStore(find_home({"CLAW_HOME": str(home)}))
    folder = store.create(cwd)
    journal = Journal(folder)
    seq = 0

    def write(event: ev.Event) -> None:
        nonlocal seq
        event.session, event.seq, event.ts = folder.id, seq, time.time()
        journal(event)
        seq += 1

    write(ev.SessionStarted(
        protocol=PROTOCOL_VERSION, claw="0", cwd=str(cwd), roots=(str(cwd),), host="h", model="kimi-k2.6",
        mode="ask", sandbox="none",
    ))  # fmt: skip
    write(ev.PrefixSet(prefix=Prefix("You are a coding agent.", ())))
    write(ev.RunStarted(run=1))
    write(ev.UserMessageAdded(message=UserMessage(as_content("Make it fast."))))
    output = "".join(f"tests/test_{number}.py ..........  [{number} %]\n" for number in range(40))
    for number in range(n_calls):
        call = ToolCall(f"bash:{number}", "bash", json.dumps({"command": f"pytest -q tests/part_{number}"}))
        write(ev.TurnStarted(turn=number + 1))
        text = f"Part **{number}** comes next: `part_{number}`."
        write(ev.ReplyFinished(message=AssistantMessage(text, "I look.", (call,)), finish_reason="tool_calls"))
        write(ev.UsageReported(usage=Usage(1000, 900, 50, 10), cost_usd=0.001))
        write(ev.ToolStarted(call_id=call.id, name="bash", arguments=call.arguments, summary=f"pytest {number}"))
        run = CommandRun(f"pytest -q tests/part_{number}", 0, 0.5, len(output))
        content = as_content(output)
        write(ev.ToolFinished(call_id=call.id, name="bash", content=content, duration_s=0.5, details=run))
        write(ev.TurnFinished(turn=number + 1))
    write(ev.RunFinished(run=1, status="done", result="Done.", n_turns=n_calls, n_tool_calls=n_calls))
    journal.close()
    return folder.id


def start_over_import() -> dict[str, float]:
    claws, imports = [], []
    with place() as (home, cwd), PacedServer(100, 1) as server:
        for _ in range(7):
            process = claw(home, server.url, cwd)
            claws.append(process.wait(lambda text: PROMPT in text) - process.started)
            process.close()
            start = time.perf_counter()
            subprocess.run([sys.executable, "-P", "-c", "import textual.app"], check=True)
            imports.append(time.perf_counter() - start)
    return {"start_over_import": statistics.median(claws[1:]) / statistics.median(imports[1:])}


def _ready(process: TerminalProcess) -> None:
    process.wait(lambda text: b"ready" in text)
    time.sleep(2)


def key_echo() -> dict[str, float]:
    """Of letters that are typed while an answer comes: from the key to the byte that shows it."""
    delays = []
    with place() as (home, cwd), PacedServer(200, 200 * 60) as server:
        process = claw(home, server.url, cwd, "--resume", long_session(home, cwd))
        try:
            _ready(process)
            process.write(b"go\r")
            time.sleep(3)
            for number in range(200):
                # In no answer, and in no escape sequence: an X, say, ends the one that erases.
                letter = "жщюыяэ"[number % 6].encode()
                n_before = len(process.output)
                pressed = process.write(letter)
                delays.append(process.wait(lambda text, letter=letter: letter in text, n_before) - pressed)
                time.sleep(0.08)
        finally:
            process.close()
    return {"key_echo_p95_ms": statistics.quantiles(delays, n=20)[-1] * 1000}


def idle() -> dict[str, float]:
    with place() as (home, cwd), PacedServer(100, 1) as server:
        process = claw(home, server.url, cwd)
        try:
            _ready(process)
            time.sleep(3)
            start, cpu = time.perf_counter(), process.cpu_s()
            time.sleep(20)
            end = time.perf_counter()
            used = process.cpu_s() - cpu
            return {"idle_cpu_share": used / (end - start), "idle_bytes": float(process.n_bytes(start, end))}
        finally:
            process.close()


def streaming() -> dict[str, float]:
    n_tokens = 1_500
    with place() as (home, cwd), PacedServer(100, n_tokens) as server:
        process = claw(home, server.url, cwd)
        try:
            _ready(process)
            process.write(b"go\r")
            while not server.began:
                time.sleep(0.001)
            cpu = process.cpu_s()
            while not server.ended:
                time.sleep(0.01)
            time.sleep(0.2)
            used, seconds = process.cpu_s() - cpu, server.ended - server.began
            n_bytes = process.n_bytes(server.began, server.ended + 0.2)
            return {"bytes_per_1000_tokens": n_bytes / n_tokens * 1000, "cpu_at_100_tokens_s": used / seconds}
        finally:
            process.close()


def long() -> dict[str, float]:
    """Memory after all of the history was read, and the longest that the loop was busy with a key that scrolls.

    Behind each such key a letter is typed: it is echoed once the loop is free again, whatever else was painted.
    """
    page_up, page_down, top, end = b"\x1b[5~", b"\x1b[6~", b"\x1b[1;5H", b"\x1b[1;5F"
    with place() as (home, cwd), PacedServer(100, 1) as server:
        process = claw(home, server.url, cwd, "--resume", long_session(home, cwd))
        try:
            _ready(process)
            n_pressed = 0

            def press(key: bytes) -> float:
                nonlocal n_pressed
                letter = "жщюыяэ"[n_pressed % 6].encode()
                n_pressed += 1
                n_before = len(process.output)
                pressed = process.write(key + letter)
                stall = process.wait(lambda text: letter in text, n_before) - pressed
                process.write(b"\x7f")
                time.sleep(0.02)
                return stall

            stalls = [press(page_up) for _ in range(20)]
            while not any(b"Make it fast." in data for _, data in process.output):
                stalls.append(press(top))
            stalls += [press(page_down) for _ in range(20)]
            stalls.append(press(end))
            time.sleep(1)
            return {"memory_4000_calls_mb": process.memory_mb(), "scroll_stall_ms": max(stalls) * 1000}
        finally:
            process.close()


def turns() -> dict[str, float]:
    """From the last byte of a reply to the first byte of the next request, with the terminal and without."""
    n_turns = 120

    def median_gap(run: Callable[[str], None]) -> float:
        with AnsweringServer(echo_then_done(n_turns)) as server:
            run(server.url)
            pairs = zip(server.exchanges[10:], server.exchanges[11:], strict=False)
            return statistics.median(later.first_byte - earlier.last_byte for earlier, later in pairs)

    with place() as (home, cwd):
        flags = ["--mode", "full-auto", "--sandbox", "off"]

        def in_terminal(url: str) -> None:
            process = claw(home, url, cwd, *flags, "go")
            process.wait(lambda text: b"done" in text and f"{n_turns} calls".encode() in text)
            process.close()

        def headless(url: str) -> None:
            environ = {**os.environ, "CLAW_HOME": str(home), "CLAW_API_KEY": "benchmark"}
            argv = [sys.executable, "-P", "-m", "claw", "exec", "--host", url, "--model", "kimi-k2.6", *flags, "go"]
            subprocess.run(argv, cwd=cwd, env=environ, check=True, capture_output=True)

        ratios = [median_gap(in_terminal) / median_gap(headless) for _ in range(5)]
    return {"turn_over_headless": statistics.median(ratios)}


MEASURED: dict[str, Callable[[], dict[str, float]]] = {
    "start": start_over_import, "keys": key_echo, "idle": idle, "streaming": streaming, "long": long, "turns": turns,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=MEASURED, action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for name in options.only or MEASURED:
        found = MEASURED[name]()
        figures |= found
        for figure, value in found.items() if not options.json else ():
            word = "" if value <= BUDGETS[figure] else "  missed"
            print(f"{figure:<24}{value:>12,.3f}   budget {BUDGETS[figure]:>10,.3f}{word}", flush=True)
    if options.json:
        print(json.dumps(figures))
    return int(any(value > BUDGETS[figure] for figure, value in figures.items()))


if __name__ == "__main__":
    sys.exit(main())
