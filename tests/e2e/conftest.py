"""`claw exec` as a process, against a real server, in a real repository."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_server import ModelServer

TIMEOUT_S = 60.0


@dataclass
class Done:
    """A process that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.stdout)
        return parsed

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


class Claw:
    """Starts claw with a home of its own. `repository` is the folder it works in."""

    def __init__(self, repository: Path, home: Path) -> None:
        self.repository = repository
        self.home = home
        bin_folder = str(Path(sys.executable).parent)
        self.environ = {
            "PATH": os.pathsep.join([bin_folder, "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(home),
            "CLAW_HOME": str(home / "claw"),
            "LANG": "C.UTF-8",
            # Python takes a file of the same size and second for unchanged; these models edit that fast.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, *args: str, stdin: int = subprocess.DEVNULL, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "claw", *args],
            cwd=self.repository,
            env={**self.environ, **environ},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, stdin: str | None = None, **environ: str) -> Done:
        process = self.start(*args, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE, **environ)
        return self.finish(process, stdin)

    def finish(self, process: subprocess.Popen[str], stdin: str | None = None) -> Done:
        try:
            stdout, stderr = process.communicate(stdin, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            pytest.fail(f"claw did not end in {TIMEOUT_S} s.\n{stdout}\n{stderr}")
        return Done(process.returncode, stdout, stderr)

    def exec(self, server: ModelServer, *args: str, stdin: str | None = None, **environ: str) -> Done:
        """`claw exec` on the server, with a JSON result unless `args` say otherwise."""
        format_args = () if "--output-format" in args else ("--output-format", "json")
        return self.run("exec", "--host", server.url, *format_args, *args, stdin=stdin, **environ)

    def signalled(self, server: ModelServer, number: signal.Signals, *args: str) -> Done:
        """A run that gets a signal as soon as the model was asked once and its command runs."""
        process = self.start("exec", "--host", server.url, "--output-format", "json", *args)
        wait_for(lambda: (self.repository / "started").exists())
        process.send_signal(number)
        return self.finish(process)


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", folder, *args], capture_output=True, text=True, check=True)
    return done.stdout


def make_repository(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.email", "dev@example.org")
    git(folder, "config", "user.name", "Dev")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


PROJECT = {
    ".gitignore": "__pycache__/\n.pytest_cache/\n",
    "calc/__init__.py": "",
    "calc/add.py": "def add(a, b):\n    return a - b\n",
    "calc/mul.py": "def mul(a, b):\n    return a + b\n",
    "calc/half.py": "def half(a):\n    return a // 2\n",
    "tests/test_calc.py": (
        "from calc.add import add\nfrom calc.half import half\nfrom calc.mul import mul\n\n\n"
        "def test_add():\n    assert add(2, 3) == 5\n\n\ndef test_mul():\n    assert mul(2, 3) == 6\n\n\n"
        "def test_half():\n    assert half(3) == 1.5\n"
    ),
}
RUN_TESTS = "python -m pytest -q -p no:cacheprovider"


@pytest.fixture
def claw(tmp_path: Path) -> Claw:
    """In a repository of three small modules, each with a defect, and a test for each."""
    home = tmp_path / "home"
    home.mkdir()
    return Claw(make_repository(tmp_path.resolve() / "repo", PROJECT), home)


def tool_results(server: ModelServer, request: int = -1) -> Iterable[str]:
    """What the model was told of its calls, in the order sent."""
    return [message["content"] for message in server.requests[request].messages if message["role"] == "tool"]
