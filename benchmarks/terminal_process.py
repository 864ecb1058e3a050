"""`claw` in a pty of its own, everything that it writes kept with the moment in which it came."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_TICKS_A_S = os.sysconf("SC_CLK_TCK")


class TerminalProcess:
    """*Units*: seconds of `time.perf_counter`, bytes."""

    def __init__(self, argv: Sequence[str], cwd: Path, environ: Mapping[str, str], width: int, height: int) -> None:
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(argv[0], list(argv), dict(environ))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.output: list[tuple[float, bytes]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65_536)
            except OSError:
                return
            if not data:
                return
            self.output.append((time.perf_counter(), data))

    def write(self, data: bytes) -> float:
        """Returns when it was written."""
        os.write(self._fd, data)
        return time.perf_counter()

    def wait(self, seen: Callable[[bytes], bool], since: int = 0, within_s: float = 60.0) -> float:
        """When the output from piece `since` on has first been such that `seen`. *Errors*: TimeoutError."""
        until = time.perf_counter() + within_s
        number, text = since, b""
        while time.perf_counter() < until:
            while number < len(self.output):
                moment, data = self.output[number]
                text, number = text + data, number + 1
                if seen(text):
                    return moment
            time.sleep(0.0005)
        raise TimeoutError(f"it did not come; the last that came was {text[-600:]!r}")

    def n_bytes(self, start: float, end: float) -> int:
        return sum(len(data) for moment, data in list(self.output) if start <= moment <= end)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_S

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self) -> None:
        try:
            os.kill(self.pid, signal.SIGTERM)
            for _ in range(100):
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    break
                time.sleep(0.05)
            else:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self._fd)


def claw(home: Path, url: str, cwd: Path, *args: str, width: int = 120, height: int = 40) -> TerminalProcess:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    environ = {
        **kept, "CLAW_HOME": str(home), "CLAW_API_KEY": "benchmark", "TERM": "xterm-256color",
        "COLORTERM": "truecolor", "LANG": "C.UTF-8",
    }  # fmt: skip
    argv = [sys.executable, "-P", "-m", "claw", "--host", url, "--model", "kimi-k2.6", *args]
    return TerminalProcess(argv, cwd, environ, width, height)
