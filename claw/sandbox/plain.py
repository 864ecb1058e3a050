"""The back-end that confines nothing: the user's own rights, a clean environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from claw.errors import ToolError
from claw.sandbox.base import Launch


class Plain:
    """Starts programs as they are. Only what stays in the program's process group is found again."""

    name = "none"
    gaps: tuple[str, ...] = ("commands may do whatever you may: nothing is confined",)

    def __init__(self) -> None:
        self._running: set[GroupProcess] = set()
        self._turn = asyncio.Lock()
        self._closed = False

    async def start(self, launch: Launch) -> GroupProcess:
        async with self._turn:
            # One start in each round of the loop: starting takes a millisecond, and fifty in a row
            # would hold everything else up. Nothing is awaited once the process exists.
            await asyncio.sleep(0)
            if self._closed:
                raise ToolError("claw is shutting down; no command is started any more.", "shutting down")
            process = self._make(launch)
            self._running.add(process)
            return process

    def _make(self, launch: Launch) -> GroupProcess:
        return GroupProcess(launch, self._running.discard)

    def accept(self, path: Path) -> None:
        """Nothing is put back here."""

    def kill_all(self) -> None:
        for process in tuple(self._running):
            process.signal(signal.SIGKILL)

    async def close(self) -> None:
        self._closed = True
        for process in tuple(self._running):
            process.reap()


class GroupProcess:
    """A program that leads a session and process group of its own.

    asyncio's own subprocesses are not used: on Python 3.11 each of them costs a thread. The loop watches a
    pidfd instead. The leader is reaped last, because its number, and so the group's, can be given to a
    stranger from that moment on.
    """

    note = ""

    def __init__(
        self, launch: Launch, on_reaped: Callable[[GroupProcess], object], pass_fds: tuple[int, ...] = ()
    ) -> None:
        self._on_reaped = on_reaped
        self._reaped = False
        read_end, write_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                cwd=launch.cwd,
                env=launch.env,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self.stdout = read_end

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, on_exit: Callable[[int], None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            pidfd = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # not Linux, an old kernel, no descriptor left
            waiter = threading.Thread(
                target=self._wait_in_thread, args=(loop, on_exit), name=f"wait-{self._process.pid}", daemon=True
            )
            waiter.start()
            return

        def on_pidfd() -> None:
            loop.remove_reader(pidfd)
            os.close(pidfd)
            on_exit(self._code())

        loop.add_reader(pidfd, on_pidfd)

    def _wait_in_thread(self, loop: asyncio.AbstractEventLoop, on_exit: Callable[[int], None]) -> None:
        # macOS before Python 3.13 has no waitid: the leader is reaped at once.
        code = self._code() if hasattr(os, "waitid") else self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
            loop.call_soon_threadsafe(on_exit, code)

    def _code(self) -> int:
        """Waits for the leader, and leaves it as a zombie."""
        if self._reaped:
            return self._process.wait()
        try:
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:  # reaped meanwhile, by `close`
            return self._process.wait()
        assert ended is not None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def wait(self) -> int:
        """Blocks until the leader has ended."""
        return self._code()

    def signal(self, number: int) -> None:
        if not self._reaped:
            # EPERM is what macOS says of a group in which only the dead are left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def reap(self) -> None:
        if not self._reaped:
            self.signal(signal.SIGKILL)
            self._reaped = True
            self._process.wait()
            self._on_reaped(self)
