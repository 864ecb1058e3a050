"""What bash really does with a line, in a folder to throw away where every program only notes that it ran."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# Programs that note their arguments; and real ones, which only start others.
RECORDED = (
    "git",
    "ls",
    "evil",
    "cat",
    "rm",
    "status",
    "log",
    "a",
    "b",
    "x",
    "in",
    "g",
    "it",
    "s",
    "gi",
    "t",
    "l",
    "echo",
)
REAL = ("env", "timeout", "nice", "nohup", "xargs", "find", "bash", "stdbuf")
_END = "\x1e"
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Ran:
    """`programs` are the argument lists of what was started; `written` the files that came or changed."""

    programs: tuple[tuple[str, ...], ...]
    written: tuple[str, ...]


class Bash:
    def __init__(self, folder: Path) -> None:
        """*Shapes*: `folder` is empty, and deep enough that a `..` or two leads nowhere."""
        self._bin, self._work, self._log = folder / "bin", folder / "deep/down/work", folder / "log"
        self._bin.mkdir()
        for name in RECORDED:
            script = self._bin / name
            script.write_text(
                f"#!/bin/sh\nprintf '%s{_BETWEEN}' \"${{0##*/}}\" \"$@\" '{_END}' >> '{self._log}'\n", "utf-8"
            )
            script.chmod(0o755)
        for name in REAL:
            if found := shutil.which(name):
                (self._bin / name).symlink_to(found)

    def run(self, line: str, timeout_s: float = 3.0) -> Ran:
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True)
        (self._work / "present").write_text("git\n", "utf-8")
        self._log.write_text("", "utf-8")
        bash = subprocess.Popen(
            ["/bin/bash", "-c", line],
            cwd=self._work,
            env={"PATH": str(self._bin), "HOME": str(self._work), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            bash.wait(timeout_s)
            _wait_for_the_rest(bash.pid, 1.0)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(bash.pid, signal.SIGKILL)
            bash.wait()
        return Ran(self._programs(), self._written())

    def _programs(self) -> tuple[tuple[str, ...], ...]:
        calls = self._log.read_text("utf-8", "replace").split(f"{_END}{_BETWEEN}")
        return tuple(tuple(call.split(_BETWEEN)[:-1]) for call in calls if call)

    def _written(self) -> tuple[str, ...]:
        here = {str(path.relative_to(self._work)): path for path in self._work.rglob("*") if not path.is_dir()}
        above = [path.name for path in (*self._work.parent.iterdir(), *self._work.parent.parent.iterdir())]
        strange = [name for name in above if name not in ("work", "down")]
        return (*strange, *(name for name, path in here.items() if name != "present" or path.read_bytes() != b"git\n"))


def _wait_for_the_rest(group: int, timeout_s: float) -> None:
    """What it left in the background shall get to note itself."""
    until = time.monotonic() + timeout_s
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(group, 0)
            time.sleep(0.002)
