"""The system calls that Python does not have, by ctypes.

The interpreter lock is kept during a call (PyDLL): `clone` comes back twice, in a process with one thread.
*Errors*: all raise OSError, with the call as its file name.
"""

from __future__ import annotations

import ctypes
import os
import struct
from _collections_abc import Callable, Iterable

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

CLONE_PIDFD = 0x1000
CLONE_NEWNS = 0x20000
CLONE_NEWPID = 0x20000000
_SIGCHLD = 17

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE = _AT_SYMLINK_NOFOLLOW | _AT_RECURSIVE | 0x1 | os.O_CLOEXEC  # 1: a copy of the tree
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MOUNT_ATTR_RDONLY = struct.pack("=QQQQ", 1, 0, 0, 0)

RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_NOFILE = 1, 4, 6, 7
CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522

# Where the numbers differ; those from 424 on are the same everywhere.
_NUMBERS = {"x86_64": {"clone": 56, "capset": 126}, "aarch64": {"clone": 220, "capset": 91}}
_OPEN_TREE_NR, _MOVE_MOUNT_NR, _CLOSE_RANGE_NR, _MOUNT_SETATTR_NR = 428, 429, 436, 442

_libc = ctypes.PyDLL(None, use_errno=True)
_long, _int, _bytes = ctypes.c_long, ctypes.c_int, ctypes.c_char_p


Function = Callable[..., object]


def function(symbol: str, *types: type, name: str = "") -> Callable[..., int]:
    """A function of libc. *Errors*: -1 becomes OSError, with `name` or the symbol as its file name."""

    def checked(result: int, _function: object, _arguments: object) -> int:
        if result == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), name or symbol)
        return result

    found = _libc[symbol]
    found.argtypes = types
    found.restype = _long
    found.errcheck = checked  # type: ignore[assignment]
    return found


def number(name: str) -> int:
    machine = os.uname().machine
    if machine not in _NUMBERS:
        raise OSError(38, f"no system call numbers for {machine}", name)
    return _NUMBERS[machine][name]


prctl = function("prctl", _int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
mount = function("mount", _bytes, _bytes, _bytes, ctypes.c_ulong, _bytes)
_setrlimit = function("setrlimit", _int, _bytes)
_syscall3 = function("syscall", _long, _long, _long, _long, name="close_range")
_capset = function("syscall", _long, _bytes, _bytes, name="capset")
_clone = function("syscall", _long, _long, _long, ctypes.c_void_p, _long, _long, name="clone")
_open_tree = function("syscall", _long, _long, _bytes, _long, name="open_tree")
_move_mount = function("syscall", _long, _long, _bytes, _long, _bytes, _long, name="move_mount")
_mount_setattr = function("syscall", _long, _long, _bytes, _long, _bytes, _long, name="mount_setattr")


def clone(flags: int) -> tuple[int, int]:
    """Pid and pidfd of a copy of this process; 0 and -1 in the copy."""
    pidfd = ctypes.c_int(-1)
    pid = _clone(number("clone"), flags | CLONE_PIDFD | _SIGCHLD, 0, ctypes.addressof(pidfd), 0, 0)
    return (pid, pidfd.value) if pid else (0, -1)


def close_on_exec_from(first: int) -> None:
    """Also what someone forgot to mark; before Linux 5.11 what is marked is all there is."""
    try:
        _syscall3(_CLOSE_RANGE_NR, first, 0xFFFFFFFF, 4)
    except OSError as error:
        if error.errno not in (22, 38):
            raise


def close_all_but(kept: Iterable[int]) -> None:
    first = 0
    for number in sorted(kept):
        _close_between(first, number - 1)
        first = number + 1
    _close_between(first, 0xFFFFFFFF)


def _close_between(first: int, last: int) -> None:
    if last >= first:
        try:
            _syscall3(_CLOSE_RANGE_NR, first, last, 0)
        except OSError:
            os.closerange(first, min(last, 65535) + 1)


def limit(which: int, value: int) -> None:
    """Both the soft and the hard limit; never above the hard one of today."""
    try:
        _setrlimit(which, struct.pack("=QQ", value, value))
    except PermissionError:
        return  # the hard limit is lower already


def set_capabilities(capabilities: int) -> None:
    """Effective and permitted; none is inheritable, and so none is ambient."""
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _capset(number("capset"), header, struct.pack("=6I", low, low, 0, high, high, 0))


def drop_bounding_capabilities(keep: int) -> None:
    """Whoever is not privileged cannot, and needs not: nothing gives it capabilities."""
    for capability in range(64):
        if not keep >> capability & 1:
            try:
                prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
            except OSError:
                return  # EINVAL: past the last one


def bind(path: bytes, read_only: bool) -> None:
    """Mount `path`, with what is mounted below, on itself. The last component is not followed."""
    try:
        tree = _open_tree(_OPEN_TREE_NR, _AT_FDCWD, path, _OPEN_TREE)
    except OSError as error:
        if error.errno != 38:
            raise
        _bind_of_old(path, read_only)
        return
    try:
        if read_only:
            flags = _AT_EMPTY_PATH | _AT_RECURSIVE
            _mount_setattr(_MOUNT_SETATTR_NR, tree, b"", flags, _MOUNT_ATTR_RDONLY, len(_MOUNT_ATTR_RDONLY))
        _move_mount(_MOVE_MOUNT_NR, tree, b"", _AT_FDCWD, path, _MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)


def _bind_of_old(path: bytes, read_only: bool) -> None:
    """For kernels before 5.2. The flags that the mount has must be given again: some are locked."""
    if os.path.islink(path):
        raise OSError(40, os.strerror(40), "mount")
    mount(path, path, None, MS_BIND | MS_REC, None)
    if read_only:
        flags = os.statvfs(path).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, None)
