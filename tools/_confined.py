"""Starting ripgrep so that it can open nothing but what it is to search: Linux's Landlock, on one thread.

ripgrep walks by paths, so a folder that is exchanged for a link while it walks would lead it out; the kernel
says no then. The thread that starts it gives up its own rights first and ends: the rest of the program keeps them.
Where there is no Landlock, what ripgrep finds is still looked up again, but a quick exchange goes unseen.

*Source*: landlock(7), ABI 1; the numbers are the same on every architecture.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH, _SET_NO_NEW_PRIVS = 1, 1, 38
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# What a program needs in order to start; nothing of it is private.
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/nix/store")


class Confined:
    """A child process, with the part of asyncio's `Process` that a search uses."""

    def __init__(self, popen: subprocess.Popen[bytes], stdout: asyncio.StreamReader, stderr: asyncio.StreamReader):
        self.pid = popen.pid
        self.stdout: asyncio.StreamReader | None = stdout
        self.stderr: asyncio.StreamReader | None = stderr
        self._popen = popen

    @property
    def returncode(self) -> int | None:
        return self._popen.returncode

    async def wait(self) -> int:
        if self._popen.poll() is None:
            ended = asyncio.Event()
            watched = os.pidfd_open(self.pid)
            loop = asyncio.get_running_loop()
            loop.add_reader(watched, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(watched)
                os.close(watched)
        return self._popen.wait()


def is_available() -> bool:
    """Whether this kernel has Landlock. *Cost*: a system call."""
    if sys.platform != "linux":
        return False
    return _system_call(_CREATE_RULESET, None, 0, _ASK_VERSION) >= 1


async def start(
    command: Sequence[str], *, env: Mapping[str, str], cwd: str, folder: Path, opened: int, in_stdin: bool
) -> Confined:
    """`opened` is a descriptor of `folder`, which is searched, or of the file to search, which becomes stdin.

    *Errors*: OSError if it cannot be started, or not be confined.
    """
    started: list[subprocess.Popen[bytes] | OSError] = []
    with contextlib.ExitStack() as stack:
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        for _, write_end in pipes:
            stack.callback(os.close, write_end)
        readers = [await _reader(read_end) for read_end, _ in pipes]
        stdin = opened if in_stdin else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        if not in_stdin:
            stack.callback(os.close, stdin)
        ruleset = _ruleset(Path(command[0]), None if in_stdin else folder, opened)
        stack.callback(os.close, ruleset)

        def run() -> None:
            try:
                _restrict_this_thread(ruleset)
                started.append(
                    subprocess.Popen(command, cwd=cwd, env=env, stdin=stdin, stdout=pipes[0][1], stderr=pipes[1][1])
                )
            except OSError as error:
                started.append(error)

        thread = threading.Thread(target=run, name="claw-search")
        thread.start()
        thread.join()  # a millisecond; to await it instead could leave a process of a cancelled call behind
    (result,) = started
    if isinstance(result, OSError):
        raise result
    return Confined(result, readers[0], readers[1])


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


def _ruleset(program: Path, folder: Path | None, opened: int) -> int:
    rights = _READ_FILE | _READ_DIR
    ruleset = _system_call(_CREATE_RULESET, struct.pack("=Q", rights), 8, 0)
    if ruleset < 0:
        raise OSError("no Landlock")
    try:
        if folder is not None:
            _allow(ruleset, opened, rights)
        for path in (str(program.resolve()), *_LIBRARIES, *(_ignore_files_above(folder) if folder else ())):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                found = os.open(path, os.O_PATH | os.O_CLOEXEC)
                try:
                    _allow(ruleset, found, rights if os.path.isdir(path) else _READ_FILE)
                finally:
                    os.close(found)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _ignore_files_above(folder: Path) -> Iterator[str]:
    """What ripgrep reads above the folder that it is started in."""
    for parent in folder.parents:
        yield from (f"{parent}/{name}" for name in (".gitignore", ".git/info/exclude"))


def _allow(ruleset: int, descriptor: int, rights: int) -> None:
    if _system_call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0):
        raise OSError("Landlock takes no rule")


def _restrict_this_thread(ruleset: int) -> None:
    import ctypes

    if ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _system_call(_RESTRICT_SELF, ruleset, 0):
        raise OSError("Landlock does not restrict this thread")


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    import ctypes  # 5 ms; not on the way to the first request

    long = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *long))
