"""Progress as a person sees it: stderr is a real terminal, stdout a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

from tests.e2e.conftest import Claw
from tests.fakes.model_server import ModelServer, call, say


def read_all(terminal: int) -> str:
    """Until the other side is gone, or a minute has passed."""
    seen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: nobody holds the other side any more
            break
        if not piece:
            break
        seen += piece
    return seen.decode()


def test_progress_goes_to_the_terminal_and_the_answer_to_the_pipe(claw: Claw) -> None:
    hostile = call(("bash", {"command": "echo '\x1b]0;owned\x07'"}), text="Look \x1b[2J here.", reasoning="hm")
    master, slave = pty.openpty()
    with ModelServer([hostile, say("The answer.")]) as server:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "claw", "exec", "--host", server.url, "go"],
            cwd=claw.repository, env=claw.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        progress = read_all(master)
        stdout, _ = process.communicate(timeout=30)
    os.close(master)
    assert (process.returncode, stdout) == (0, b"The answer.\n")
    assert "kimi-k2.6 · mode auto-edit · sandbox " in progress
    assert "• bash" in progress
    assert "turn 2 · 240 tokens · $0.0002" in progress
    assert "tests: none were run" in progress
    # What the model sent is shown, not executed: the only escapes are claw's own, which clear a line.
    assert "Look \\x1b[2J here." in progress
    assert "\x1b" not in progress.replace("\r\x1b[K", "")
