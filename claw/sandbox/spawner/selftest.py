"""Whether the walls stand: tried from inside, by a process that is confined as every command is."""

from __future__ import annotations

import _socket
import errno
import os
from _collections_abc import Callable, Iterable

from claw.sandbox.spawner import signals
from claw.sandbox.spawner.walls import Path, Walls, as_bytes

CHECKS = (
    "write_inside", "write_outside", "truncate_outside", "hidden", "network", "unix_sockets", "kernel_settings",
    "mounts", "signals", "capabilities", "no_new_privileges", "filter", "loopback",
)  # fmt: skip
_SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger")
_NO_TEMPORARY = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT)


class SelfTest:
    """`checks()` runs inside. *Shapes*: its answer is {name: "" or what was seen}; what does not apply holds."""

    def __init__(self, walls: Walls, unix_sockets: bool, outside: Iterable[Path] = (), tcp_port: int | None = None):
        self._walls = walls
        self._sockets_allowed = unix_sockets
        self._outside = [as_bytes(folder) for folder in outside]
        self._tcp_port = tcp_port
        self._spawner = os.getpid()

    def checks(self) -> dict[str, str]:
        found = {}
        for name in CHECKS:
            check: Callable[[], str] = getattr(self, f"_{name}")
            try:
                found[name] = check()
            except OSError as error:
                found[name] = str(error)
        return found

    def _write_inside(self) -> str:
        path = os.path.join(self._walls.tmp, b".claw-self-test-%d" % os.getpid())
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.truncate(path, 1)
        os.unlink(path)
        for folder in self._walls.writable:
            try:  # a file without a name leaves no trace in the user's folder
                os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600))
            except OSError as error:
                if error.errno not in _NO_TEMPORARY or not os.access(folder, os.W_OK):
                    raise
        return ""

    def _write_outside(self) -> str:
        for folder in (*self._outside, b"/", b"/etc", b"/usr"):
            path = os.path.join(folder, b".claw-self-test-%d" % os.getpid())
            if not _refused(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY):
                os.unlink(path)
                return f"made {os.fsdecode(path)}"
        return ""

    def _truncate_outside(self) -> str:
        """A right of its own, which kernels before 6.2 do not have. Files are cut to the length that they have."""
        for folder in self._outside:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        try:
                            os.truncate(entry.path, entry.stat().st_size)
                        except OSError:
                            continue
                        return f"truncated {os.fsdecode(entry.path)}"
        return ""

    def _hidden(self) -> str:
        for place in self._walls.hidden:
            for path in _first_file(place):
                try:
                    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                except OSError:
                    continue
                try:
                    if os.read(descriptor, 1):
                        return f"{os.fsdecode(path)} can be read"
                finally:
                    os.close(descriptor)
        return ""

    def _network(self) -> str:
        if self._walls.open_network:
            return ""
        if self._tcp_port:
            try:
                _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect(("127.0.0.1", self._tcp_port))
            except OSError:
                pass
            else:
                return f"reached 127.0.0.1:{self._tcp_port}"
        try:  # choosing a route sends nothing; there must be none
            _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return "there is a route to the outside"

    def _unix_sockets(self) -> str:
        if self._sockets_allowed:
            return ""
        try:
            _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        except OSError:
            return ""
        return "a Unix socket can be made"

    def _kernel_settings(self) -> str:
        open_ones = [path for path in _SETTINGS if not _refused(path, os.O_WRONLY)]
        return f"can be written: {', '.join(open_ones)}" if open_ones else ""

    def _mounts(self) -> str:
        """In the kind with namespaces `/proc` must be the command's own: its first process is number 1."""
        if self._walls.namespaces and os.getppid() != 1:
            return "no process numbers of its own"
        if self._walls.namespaces and sorted(filter(str.isdigit, os.listdir("/proc"))) != ["1", str(os.getpid())]:
            return "/proc shows other processes"
        return ""

    def _signals(self) -> str:
        """0 tries whether one could be sent. The number means nothing in a pid namespace of its own."""
        if self._walls.namespaces:
            return ""
        try:
            os.kill(self._spawner, 0)
        except OSError:
            return ""
        return "processes outside can be killed"

    def _capabilities(self) -> str:
        wanted = self._walls.kept_capabilities
        status = _status()
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            if int(status[name], 16) & ~wanted:
                return f"{name} {status[name]}"
        # Without no_new_privs only root could come by those of the bounding set.
        return f"CapBnd {status['CapBnd']}" if not os.getuid() and int(status["CapBnd"], 16) & ~wanted else ""

    def _no_new_privileges(self) -> str:
        return "" if _status()["NoNewPrivs"] == "1" else "not set"

    def _filter(self) -> str:
        mode = _status().get("Seccomp", "0")
        return "" if mode == "2" else f"seccomp mode {mode}"

    def _loopback(self) -> str:
        """Not a wall, but what tests with servers need. While the network is off Landlock cannot offer it."""
        server = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        signals.alarm(1)  # never waits on a loopback that is down
        _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect(server.getsockname())
        signals.alarm(0)
        return ""


def _refused(path: str | bytes, flags: int) -> bool:
    try:
        os.close(os.open(path, flags, 0o600))
    except OSError:
        return True
    return False


def _first_file(place: bytes) -> list[bytes]:
    """`place` itself, or a file in it with something inside."""
    if not os.path.isdir(place):
        return [place]
    try:
        with os.scandir(place) as entries:
            return [entry.path for entry in entries if entry.is_file(follow_symlinks=False)][:1]
    except OSError:
        return []


def _status() -> dict[str, str]:
    descriptor = os.open("/proc/self/status", os.O_RDONLY)
    try:
        lines = os.read(descriptor, 16384).decode().splitlines()
    finally:
        os.close(descriptor)
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
