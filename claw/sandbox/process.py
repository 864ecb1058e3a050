"""Starts commands, watches them, and leaves none behind.

A command is the leader of a session and process group of its own. asyncio's own subprocesses are not
used: on Python 3.11 each of them costs a thread. The loop watches the pipe and a pidfd instead.

*Order* of the end of a command: the leader exits; what is in the pipe is read, for 0.3 s at most if
someone else still holds it open; the rest of the group is killed; the leader is reaped. Only then is
the exit code known. The leader is reaped last because its number, and so the group's, can be given to
a stranger from that moment on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from claw.errors import ToolError
from claw.sandbox.base import Confinement, Launch
from claw.sandbox.environment import command_environment
from claw.sandbox.output import KiB, SpilledOutput
from claw.sandbox.text import Decoder
from claw.tooling.services import Output

DRAIN_S = 0.3
GRACE_S = 5.0
_READ_BYTES = 256 * KiB
_READS_AT_EXIT = 4  # what the pipe can hold, and a little more; a survivor may print for ever
_THROTTLE_S = 0.01

OnOutput = Callable[[str], None]


class ShellCommand:
    """A running or finished command; made by `ShellCommands.start`."""

    def __init__(
        self,
        command: str,
        process: subprocess.Popen[bytes],
        output: SpilledOutput,
        on_output: OnOutput | None,
        on_ended: Callable[[ShellCommand], None],
    ) -> None:
        self.command = command
        self.output: Output = output
        self._kept = output
        self._process = process
        self._on_output = on_output
        self._on_ended = on_ended
        self._decoder = Decoder()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._started = time.monotonic()
        self._left: float | None = None  # when the leader exited
        self._timers: list[asyncio.TimerHandle] = []  # the kill and the end of the drain
        assert process.stdout is not None
        self._pipe: int | None = process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._loop.add_reader(self._pipe, self._on_readable)
        self._watch_leader()

    @property
    def exit_code(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    @property
    def duration_s(self) -> float:
        return (self._left or time.monotonic()) - self._started

    async def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code, or None if it still runs after `timeout_s`. Ending the wait does not end the command."""
        if not self._ended.done():
            await asyncio.wait((self._ended,), timeout=timeout_s)
        return self.exit_code

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """SIGTERM to the group, SIGKILL after `grace_s`, even if nobody waits for it any more."""
        if not self._ended.done():
            self.signal_group(signal.SIGTERM)
            self.signal_group(signal.SIGCONT)  # one that was suspended would not notice
            self._timers.append(self._loop.call_later(grace_s, self.signal_group, signal.SIGKILL))
            await self.wait()

    def signal_group(self, number: signal.Signals) -> None:
        """To everything in the group. Safe in a signal handler, and once the command has ended."""
        if not self._ended.done():
            # EPERM is what macOS says of a group in which only the dead are left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _watch_leader(self) -> None:
        try:
            pidfd = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # not Linux, an old kernel, no descriptor left
            threading.Thread(target=self._wait_in_thread, name=f"wait-{self._process.pid}", daemon=True).start()
        else:
            self._loop.add_reader(pidfd, self._on_pidfd, pidfd)

    def _on_pidfd(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        self._on_leader_exit()

    def _wait_in_thread(self) -> None:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS before Python 3.13: the leader is reaped at once
            self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(self._on_leader_exit)

    def _on_leader_exit(self) -> None:
        self._left = time.monotonic()
        for _ in range(_READS_AT_EXIT):
            if self._pipe is None or not self._read_once():
                break
        if self._pipe is None:
            self._finish()
        else:
            self._timers.append(self._loop.call_later(DRAIN_S, self._finish))

    def _on_readable(self) -> None:
        self._read_once()
        if self._pipe is None:
            if self._left is not None:
                self._finish()
        elif self._kept.overflows:
            # It prints more than anyone will read: let it wait, instead of the loop being busy with it.
            self._loop.remove_reader(self._pipe)
            self._loop.call_later(_THROTTLE_S, self._read_again)

    def _read_again(self) -> None:
        if self._pipe is not None:
            self._loop.add_reader(self._pipe, self._on_readable)

    def _read_once(self) -> bool:
        """Whether there was something."""
        assert self._pipe is not None
        try:
            data = os.read(self._pipe, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_pipe()
            return False
        self._kept.append(data)
        if self._on_output and (text := self._decoder.feed(data)):
            self._on_output(text)
        return True

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            self._loop.remove_reader(self._pipe)
            self._pipe = None
            assert self._process.stdout is not None
            self._process.stdout.close()

    def _finish(self) -> None:
        if self._ended.done():
            return
        self._close_pipe()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.signal_group(signal.SIGKILL)
        exit_code = self._process.wait()  # returns at once: the leader is dead
        self._kept.end()
        if self._on_output and (text := self._decoder.feed(b"", final=True)):
            self._on_output(text)
        self._on_ended(self)
        self._ended.set_result(exit_code)


class ShellCommands:
    """Starts commands in the shell, behind a back-end, in a clean environment.

    `spill_folder` takes the output that is too long for memory; it must exist.
    """

    def __init__(self, environ: Mapping[str, str], spill_folder: Path, confinement: Confinement) -> None:
        self._environment = command_environment(environ)
        self._spill_folder = spill_folder
        self._confinement = confinement
        self._running: set[ShellCommand] = set()
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def confinement(self) -> str:
        """The name of the back-end, as the session's log has it."""
        return self._confinement.name

    async def start(
        self,
        command: str,
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> ShellCommand:
        """Run `command` in the shell. `env` is added to the scrubbed environment.

        `on_output` gets the text as it comes, without escape sequences; it must not raise.

        *Errors*: ToolError if the folder is missing or the system can start no process.
        """
        async with self._turn:
            # One start in each round of the loop: starting takes a millisecond, and fifty in a row
            # would hold everything else up. Nothing is awaited once the process exists.
            await asyncio.sleep(0)
            if self._closed:
                raise ToolError("claw is shutting down; no command is started any more.", "shutting down")
            launch = self._confinement.launch(command, cwd=cwd, env={**self._environment, **(env or {})})
            try:
                process = _spawn(launch, command, cwd)
            finally:
                self._confinement.launched(launch)
            running = ShellCommand(
                command, process, SpilledOutput(self._spill_folder), on_output, self._running.discard
            )
            self._running.add(running)
            return running

    async def close(self, grace_s: float = 1.0) -> None:
        """Stop everything that runs, and start nothing any more."""
        self._closed = True
        await asyncio.gather(*(command.stop(grace_s) for command in self._running))

    def kill_all(self) -> None:
        """SIGKILL to every group, at once. For signal handlers and the exit of the interpreter."""
        for command in tuple(self._running):
            command.signal_group(signal.SIGKILL)


def _spawn(launch: Launch, command: str, cwd: Path) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            launch.argv,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=launch.cwd,
            env=launch.env,
            pass_fds=launch.pass_fds,
            start_new_session=True,
        )
    except ValueError as error:  # a NUL byte, or characters that no byte stands for
        raise ToolError(f"the command cannot be given to the shell: {error}. Nothing was run.", "bad command") from None
    except OSError as error:
        raise _cannot_start(error, command, cwd) from error
    _widen_pipe(process)
    return process


def _cannot_start(error: OSError, command: str, cwd: Path) -> ToolError:
    if not cwd.is_dir():
        return ToolError(f"{cwd} is not a folder, so no command can run in it.", "no such folder")
    if error.errno == errno.E2BIG:
        return ToolError(
            f"the command is too long for the system ({len(command.encode(errors='replace'))} bytes). "
            "Write it to a script with the write tool, and run that.",
            "command too long",
        )
    return ToolError(f"the system could not start the command in {cwd}: {error.strerror}.", "cannot start")


def _widen_pipe(process: subprocess.Popen[bytes]) -> None:
    """Fewer, larger reads where the system allows it; there is a limit on what a user may take."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        assert process.stdout is not None
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _READ_BYTES)
