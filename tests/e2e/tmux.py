"""A real terminal: tmux on a socket of its own, typed into and looked at."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

WITHIN_S = 20.0


class Tmux:
    """One window that runs one command."""

    def __init__(self, argv: Sequence[str], cwd: Path, environ: Mapping[str, str], width: int, height: int) -> None:
        if not shutil.which("tmux"):
            pytest.skip("tmux is not installed")
        self._folder = tempfile.mkdtemp(prefix="claw-tmux-")
        self._environ = {**environ, "TERM": "xterm-256color"}
        variables = [f"{name}={value}" for name, value in environ.items()]
        line = shlex.join(["env", "-i", "TERM=tmux-256color", "COLORTERM=truecolor", *variables, *argv])
        self._do("new-session", "-d", "-x", str(width), "-y", str(height), "-c", str(cwd), f"{line}; echo left $?; cat")

    def _do(self, *words: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", os.path.join(self._folder, "socket"), *words]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout

    def screen(self) -> str:
        return self._do("capture-pane", "-p")

    def type(self, text: str) -> None:
        self._do("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._do("send-keys", *keys)

    def paste(self, text: str) -> None:
        """As terminals do: in brackets, if the program asked for them."""
        file = Path(self._folder, "pasted")
        file.write_text(text)
        self._do("load-buffer", str(file))
        self._do("paste-buffer", "-p")

    def resize(self, width: int, height: int) -> None:
        self._do("resize-window", "-x", str(width), "-y", str(height))

    def wait_for(self, text: str, within_s: float = WITHIN_S) -> str:
        """The screen, once `text` is on it."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if text in (screen := self.screen()):
                return screen
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not appear within {within_s} s:\n{self.screen()}")

    def close(self) -> None:
        subprocess.run(
            ["tmux", "-S", os.path.join(self._folder, "socket"), "kill-server"],
            env=self._environ, capture_output=True, check=False,
        )  # fmt: skip
        shutil.rmtree(self._folder, ignore_errors=True)
