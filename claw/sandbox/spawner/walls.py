"""The policy, made into what every command of the session gets: rules, filter, mounts, limits."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from _collections_abc import Iterable, Mapping

from claw.sandbox.spawner import kernel, landlock, seccomp

Path = str | bytes

_GONE = (errno.ENOENT, errno.ENOTDIR)
_RESERVED_PIDS = 300  # low numbers that the kernel does not give twice
_TASKS_PER_PROCESS = 4  # the kernel counts threads, the user's limit means processes
_PLAIN_MOUNT = kernel.MS_NOSUID | kernel.MS_NODEV
_PROC_MOUNT = _PLAIN_MOUNT | kernel.MS_NOEXEC
_MEMORY_SHARE = 0.8  # of the machine: beyond it the kernel would choose what to kill
_SHM_SHARE = 0.25

# What a command may write to besides its folders: nothing that reaches a person or another program.
_DEVICES = (b"/dev/null", b"/dev/zero", b"/dev/full", b"/dev/random", b"/dev/urandom", b"/dev/tty")
_SHARED_MEMORY = b"/dev/shm"  # semaphores of multiprocessing
_IN_FOLDERS = landlock.CHANGES & ~(landlock.MAKE_CHAR | landlock.MAKE_BLOCK)


class Order:
    """What a `start` message asks for."""

    def __init__(
        self,
        argv: list[Path],
        cwd: Path,
        env: dict[Path, Path],
        read_only: Iterable[Path] = (),
        self_bind: Iterable[Path] = (),
    ) -> None:
        self.argv = _all_bytes(argv)
        self.cwd = as_bytes(cwd)
        self.env = {as_bytes(name): as_bytes(value) for name, value in env.items()}
        self.read_only = _all_bytes(read_only)
        self.self_bind = _all_bytes(self_bind)


class Walls:
    """Made once; what a child does with it assumes only that the child is a copy of the spawner."""

    def __init__(
        self,
        kind: str,
        writable: Iterable[Path],
        tmp: Path,
        cache: Path,
        hidden: Iterable[Path],
        network: str,
        unix_sockets: bool,
        limits: Mapping[str, int],
    ) -> None:
        self.namespaces = kind == "bubblewrap"
        self.open_network = network == "on"
        self.tmp = as_bytes(tmp)
        self.writable = _all_bytes(writable)
        self.hidden = _all_bytes(hidden)
        self.limits = bounded(limits)
        self.abi = landlock.abi()
        self.process_limit = "rlimit" if os.getuid() else "watchdog"
        folders = [*self.writable, self.tmp, as_bytes(cache)]
        # Under Landlock a port can be allowed or refused, not an address: so there is no loopback.
        closed = not self.open_network and not self.namespaces
        code = seccomp.program(unix_sockets=unix_sockets, internet=not closed, own_pids=self.namespaces)
        self._filter = ctypes.create_string_buffer(code, len(code))
        head = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(self._filter))
        self._program = ctypes.create_string_buffer(head, len(head))
        self.kept_capabilities = 0 if self.namespaces else _capability_for(folders)
        self._own_devices = self.namespaces and _only_harmless(b"/dev")
        self._devices_are_open = False
        self._rules: landlock.Rules | None = None
        if self.abi:
            # In namespaces what is hidden is masked by mounts.
            hidden_by_rules = [] if self.namespaces else self.hidden
            self._rules = landlock.Rules(folders, self._devices(), hidden_by_rules, closed, self.abi)
        self._ruleset = -1
        self._masks: dict[bytes, object] = {}  # hidden path → what was seen there once it was masked

    def prepare(self) -> None:
        """The spawner's own part, before the first command."""
        kernel.drop_bounding_capabilities(self.kept_capabilities)
        if not self.namespaces:
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            return
        if _newer_than(6, 14):
            self.process_limit = "pid_max"
        try:
            kernel.mount(None, b"/", None, kernel.MS_REC | kernel.MS_PRIVATE, None)
            self._close_devices()
        except PermissionError:
            # Of an ordinary user bubblewrap makes a second user namespace, to which its mounts do not belong.
            # A command's copies of them do, and those send nothing back anyway.
            self._devices_are_open = self._own_devices

    def _close_devices(self) -> None:
        """No files beside the devices: they would be in memory, and never go."""
        if self._own_devices:
            flags = os.statvfs("/dev").f_flag & _PROC_MOUNT
            kernel.mount(None, b"/dev", None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | flags, None)

    def refresh(self) -> None:
        """Before a command: the rules may be outdated."""
        if self._rules:
            self._ruleset = self._rules.refreshed()

    def _devices(self) -> dict[bytes, int]:
        if self._own_devices:
            return {b"/dev": _IN_FOLDERS}  # with a terminal folder of its own, and shared memory for each command
        found = dict.fromkeys(_DEVICES, landlock.DEVICE)
        found[_SHARED_MEMORY] = _IN_FOLDERS & ~landlock.IOCTL_DEV
        return found

    # What follows runs in copies of the spawner.

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What such a copy needs until it is confined."""
        return (self._ruleset,) if self._ruleset >= 0 else ()

    def enter(self) -> None:
        """Of a first process: its own /proc, and what is the same for all of its commands."""
        limits = self.limits
        kernel.mount(b"proc", b"/proc", b"proc", _PROC_MOUNT, None)
        if self.process_limit == "pid_max":
            _write(b"/proc/sys/kernel/pid_max", b"%d" % (_RESERVED_PIDS + limits["processes"] * _TASKS_PER_PROCESS))
        # Read-only as a whole: for uid 0 its knobs are the machine's, whatever namespace it is in.
        kernel.mount(None, b"/proc", None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | _PROC_MOUNT, None)
        if self._devices_are_open:
            self._close_devices()
        for path in self.hidden:
            self._mask(path)

    def _mask(self, path: bytes) -> None:
        _unless_gone(_hide, path)
        self._masks[path] = landlock.identity(path)

    def prepare_program(self) -> None:
        """Of the program, in mounts of its own, before the command is known: all that can be done by then."""
        kernel.limit(kernel.RLIMIT_CORE, 0)
        kernel.limit(kernel.RLIMIT_FSIZE, self.limits["file_bytes"])
        kernel.limit(kernel.RLIMIT_NOFILE, self.limits["open_files"])
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if self._own_devices:
            size = int(min(self.limits["memory_bytes"], memory_of_machine()) * _SHM_SHARE)
            kernel.mount(b"tmpfs", _SHARED_MEMORY, b"tmpfs", _PLAIN_MOUNT, b"mode=1777,size=%d" % size)

    def cover(self, order: Order) -> None:
        """Of the program, when the command is known: the protected mounts.

        A mask falls off when something else is put in its place, and covers nothing that came after it:
        so whatever is not the mask itself is masked anew.
        """
        if not self.namespaces:
            return  # the mounts would be the machine's
        for path, seen in self._masks.items():
            if landlock.identity(path) != seen:
                self._mask(path)
        for path in order.self_bind:
            _unless_gone(kernel.bind, path, False)
        for path in order.read_only:
            _unless_gone(kernel.bind, path, True)

    def confine(self) -> None:
        """Of the program itself, after that and before it is executed. Nothing of it can be undone."""
        if self.process_limit != "pid_max" and os.getuid():
            kernel.limit(kernel.RLIMIT_NPROC, _threads_of_machine() + self.limits["processes"] * _TASKS_PER_PROCESS)
        kernel.set_capabilities(self.kept_capabilities)
        if self._ruleset >= 0:
            landlock.restrict(self._ruleset)
        kernel.prctl(kernel.PR_SET_SECCOMP, kernel.SECCOMP_MODE_FILTER, ctypes.addressof(self._program), 0, 0)


def as_bytes(value: Path) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def _all_bytes(values: Iterable[Path]) -> list[bytes]:
    return [as_bytes(value) for value in values]


def bounded(limits: Mapping[str, int]) -> dict[str, int]:
    """Memory is bounded by what the machine has."""
    memory = min(limits["memory_bytes"], int(memory_of_machine() * _MEMORY_SHARE))
    return {**limits, "memory_bytes": memory, "processes": max(limits["processes"], 1)}


def memory_of_machine() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _threads_of_machine() -> int:
    """As many as the user can have at most now: that limit counts all that are the user's, everywhere."""
    descriptor = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 200).split()[3].partition(b"/")[2])
    finally:
        os.close(descriptor)


def _newer_than(major: int, minor: int) -> bool:
    """Whether this Linux is that, or later."""
    first, _, rest = os.uname().release.partition(".")
    digits = "".join(character if character.isdigit() else " " for character in rest).split()
    return (int(first), int(digits[0]) if digits else 0) >= (major, minor)


def _capability_for(folders: list[bytes]) -> int:
    """Root in a container often works on a folder of another user's. Only that one is left: the rest would
    let it change metadata everywhere, which Landlock does not know.
    """
    if os.geteuid():
        return 0
    foreign = any(os.path.isdir(folder) and os.stat(folder).st_uid for folder in folders)
    return 1 << kernel.CAP_DAC_OVERRIDE if foreign else 0


def _only_harmless(devices: bytes) -> bool:
    """Whether it is a file system of its own, as bubblewrap makes it, and nobody put a disk into it."""
    if os.stat(devices).st_dev == os.stat(b"/").st_dev:
        return False
    with os.scandir(devices) as entries:
        return {entry.name for entry in entries} <= _HARMLESS


_HARMLESS = {
    b"null", b"zero", b"full", b"random", b"urandom", b"tty", b"console", b"ptmx", b"pts", b"shm", b"fd", b"core",
    b"stdin", b"stdout", b"stderr",
}  # fmt: skip


def _write(path: bytes, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _unless_gone(step: kernel.Function, path: bytes, *arguments: object) -> None:
    try:
        step(path, *arguments)
    except OSError as error:
        if error.errno not in _GONE:
            raise OSError(error.errno, error.strerror, f"{error.filename} {os.fsdecode(path)}") from None


def _hide(path: bytes) -> None:
    try:
        _cover(path)
    except NotADirectoryError:
        if not os.path.lexists(path):
            return
        kernel.mount(b"/dev/null", path, None, kernel.MS_BIND, None)


def _cover(path: bytes) -> None:
    """An empty folder on `path`, which is one."""
    kernel.mount(b"tmpfs", path, b"tmpfs", _PLAIN_MOUNT | kernel.MS_RDONLY, b"mode=0555,size=4k")
