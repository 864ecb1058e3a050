"""Landlock: a set of rules that a process puts on itself, and on all that it starts, for ever.

A rule set names the rights that it handles; what is handled is refused unless a rule on the file or on a
folder above it grants it. The descriptor of a rule set is inherited, so one set serves every command.

*Source*: linux/landlock.h. Which rights exist is told by the ABI: 1 (Linux 5.13) to 3 (6.2) file system,
4 (6.7) TCP, 5 (6.10) ioctl of devices, 6 (6.12) scopes.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from _collections_abc import Iterable

from claw.sandbox.spawner import kernel

WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER = 1 << 13
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15

# All that changes something, but for metadata, which Landlock does not know.
CHANGES = (
    WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_CHAR | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_BLOCK
    | MAKE_SYM | REFER | TRUNCATE | IOCTL_DEV
)  # fmt: skip
DEVICE = WRITE_FILE | TRUNCATE | IOCTL_DEV  # truncating: `> /dev/null`
_OF_FILES = DEVICE | READ_FILE
_NEVER = MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV  # granted below no folder of the user

_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract Unix sockets, signals: only to processes below the same rule set

_create = kernel.function("syscall", ctypes.c_long, ctypes.c_char_p, ctypes.c_long, ctypes.c_long, name="landlock")
_add = kernel.function("syscall", ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_long,
                       name="landlock_add_rule")  # fmt: skip
_restrict = kernel.function("syscall", ctypes.c_long, ctypes.c_long, ctypes.c_long, name="landlock_restrict_self")


def abi() -> int:
    """0 where there is none: not built in, or not switched on."""
    try:
        return _create(444, None, 0, 1)
    except OSError:
        return 0


def restrict(rules: int) -> None:
    """*Order*: after no_new_privs."""
    _restrict(446, rules, 0)


def known(rights: int, version: int) -> int:
    """Those of `rights` that the kernel has."""
    if version < 2:
        rights &= ~REFER
    if version < 3:
        rights &= ~TRUNCATE
    if version < 5:
        rights &= ~IOCTL_DEV
    return rights


class Rules:
    """What every command may write, and with `hidden` what it may read. *Cost*: `refreshed` a stat a folder.

    Rules hang on inodes, not on names. So a folder that was replaced needs new rules, and so do the
    neighbours of what is hidden: a right on a folder cannot be taken back below it, so instead of a folder
    that has something hidden in it each of its entries is granted. What is new there can be neither read
    nor made until the rules are made anew. Names can be listed everywhere.
    """

    def __init__(
        self, writable: Iterable[bytes], devices: dict[bytes, int], hidden: Iterable[bytes], no_tcp: bool, version: int
    ) -> None:
        self._writable = tuple(writable)
        self._devices = devices
        self._hidden = frozenset(hidden)
        self._around = _folders_above(self._hidden)
        self._handled = known(CHANGES | (READ_FILE if self._hidden else 0), version)
        self._net = _TCP if no_tcp and version >= 4 else 0
        self._version = version
        self._seen: tuple[object, ...] = ()
        self._descriptor = -1

    def refreshed(self) -> int:
        """The descriptor of a rule set that fits the file system as it is now."""
        seen = tuple(map(identity, self._writable)) + tuple(map(_state, self._around))
        if seen != self._seen or self._descriptor < 0:
            made = self._make()
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor, self._seen = made, seen
        return self._descriptor

    def _make(self) -> int:
        sizes = 24 if self._version >= 6 else 16 if self._version >= 4 else 8
        rules = _create(444, struct.pack("=QQQ", self._handled, self._net, _SCOPES)[:sizes], sizes, 0)
        os.set_inheritable(rules, False)
        try:
            for path, rights in self._devices.items():
                self._grant(rules, path, rights)
            for path in self._writable:
                self._grant_around(rules, path, CHANGES & ~_NEVER)
            if self._hidden:
                self._grant_around(rules, b"/", READ_FILE)
        except OSError:
            os.close(rules)
            raise
        return rules

    def _grant_around(self, rules: int, path: bytes, rights: int) -> None:
        """`rights` at and below `path`, but not at and below what is hidden."""
        if any(path == place or path.startswith(place + b"/") for place in self._hidden):
            return
        if path not in self._around:
            self._grant(rules, path, rights)
            return
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if not entry.is_symlink():
                        self._grant_around(rules, entry.path, rights)
        except OSError:
            return  # it is gone, or the user cannot list it either: then nothing in it is granted

    def _grant(self, rules: int, path: bytes, rights: int) -> None:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _OF_FILES
            if rights := rights & self._handled:
                _add(445, rules, 1, struct.pack("=Qi", rights, descriptor), 0)
        except OSError as error:
            if error.errno != 77:  # EBADFD: a file system without inodes of its own, such as a pipe's
                raise
        finally:
            os.close(descriptor)


def _folders_above(paths: Iterable[bytes]) -> frozenset[bytes]:
    above = set()
    for path in paths:
        while path not in (b"/", b""):
            path = os.path.dirname(path)
            above.add(path)
    return frozenset(above)


def identity(path: bytes) -> object:
    """Of what is there under this name; None if nothing is."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _state(path: bytes) -> object:
    """Changes when an entry comes or goes."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns
