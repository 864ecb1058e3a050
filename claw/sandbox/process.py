"""Commands in the shell: started by a back-end, watched, stopped, and none left behind.

*Order* of the end of a command: its shell exits; what is in the pipe is read, for 0.3 s at most if
someone else still holds it open; the rest is killed and the shell reaped. Only then is the exit code known.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from claw.errors import ToolError
from claw.sandbox.base import Confinement, Launch, Process
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
        process: Process,
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
        self._left: float | None = None  # when the shell exited
        self._code = 0  # what it exited with
        self._timers: list[asyncio.TimerHandle] = []  # the kill and the end of the drain
        self._pipe: int | None = process.stdout
        _widen(self._pipe)
        os.set_blocking(self._pipe, False)
        self._loop.add_reader(self._pipe, self._on_readable)
        process.watch(self._on_exit)

    @property
    def exit_code(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    @property
    def note(self) -> str:
        """What the back-end knows of the end besides the exit code: a limit that was reached. Mostly empty."""
        return self._process.note

    @property
    def duration_s(self) -> float:
        return (self._left or time.monotonic()) - self._started

    async def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code, or None if it still runs after `timeout_s`. Ending the wait does not end the command."""
        if not self._ended.done():
            await asyncio.wait((self._ended,), timeout=timeout_s)
        return self.exit_code

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """SIGTERM to everything of the command, SIGKILL after `grace_s`, even if nobody waits for it any more."""
        if not self._ended.done():
            self._process.signal(signal.SIGTERM)
            self._process.signal(signal.SIGCONT)  # one that was suspended would not notice
            self._timers.append(self._loop.call_later(grace_s, self._process.signal, signal.SIGKILL))
            await self.wait()

    def _on_exit(self, exit_code: int) -> None:
        if self._ended.done():
            return
        self._code = exit_code
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
            os.close(self._pipe)
            self._pipe = None

    def _finish(self) -> None:
        if self._ended.done():
            return
        self._close_pipe()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._process.reap()
        self._kept.end()
        if self._on_output and (text := self._decoder.feed(b"", final=True)):
            self._on_output(text)
        self._on_ended(self)
        self._ended.set_result(self._code)


class ShellCommands:
    """Starts commands in the shell, behind a back-end, in an environment without secrets.

    `spill_folder` takes the output that is too long for memory; it must exist. Of `environ` commands get what
    `command_environment` lets through; it says what `names`, `withheld` and `added` are.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        spill_folder: Path,
        confinement: Confinement,
        *,
        names: Collection[str] = (),
        withheld: Collection[str] = (),
        added: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = command_environment(environ, names=names, withheld=withheld, added=added)
        self._shell = shutil.which("bash", path=self._environment.get("PATH")) or "/bin/sh"
        self._spill_folder = spill_folder
        self._confinement = confinement
        self._running: set[ShellCommand] = set()
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
        """Run `command` in the shell. `env` is added to the environment of all commands.

        `on_output` gets the text as it comes, without escape sequences; it must not raise.

        *Errors*: ToolError if the folder is missing, the system can start no process, or none that is confined.
        """
        self._refuse_if_closed()
        # `--`: without it a command such as `-l` would be read as options of the shell.
        launch = Launch((self._shell, "-c", "--", command), str(cwd), {**self._environment, **(env or {})})
        try:
            process = await self._confinement.start(launch)
        except ValueError as error:  # a NUL byte, or characters that no byte stands for
            raise ToolError(
                f"the command cannot be given to the shell: {error}. Nothing was run.", "bad command"
            ) from None
        except OSError as error:
            raise _cannot_start(error, command, cwd) from error
        # Nothing is awaited from here on: a process that nobody knows would outlive everything.
        running = ShellCommand(command, process, SpilledOutput(self._spill_folder), on_output, self._running.discard)
        self._running.add(running)
        if self._closed:
            process.signal(signal.SIGKILL)
            self._refuse_if_closed()
        return running

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ToolError("claw is shutting down; no command is started any more.", "shutting down")

    async def close(self, grace_s: float = 1.0) -> None:
        """Stop everything that runs, and start nothing any more."""
        self._closed = True
        await asyncio.gather(*(command.stop(grace_s) for command in self._running))
        await self._confinement.close()

    def kill_all(self) -> None:
        """SIGKILL to everything, at once. For signal handlers and the exit of the interpreter."""
        self._confinement.kill_all()


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


def _widen(pipe: int) -> None:
    """Fewer, larger reads where the system allows it; there is a limit on what a user may take."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _READ_BYTES)
