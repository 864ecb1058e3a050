"""What confines commands: a policy says what they may touch, a back-end starts them so that it holds.

Process handling, output and jobs know nothing of the back-ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from claw.config import CommandLimits


class Policy(Struct, frozen=True):
    """What every command of a session may touch. *Shapes*: all paths are canonical and absolute.

    All of the file system may be read but `hidden`; written may be what lies below `writable` (nothing in
    read-only mode), except what `claw.tooling.boundary` calls protected, and `tmp` and `cache`, folders of
    claw's own. Where the back-end can, `tmp` is seen as `/tmp` too; `visible` are further folders that must be
    seen even if they lie below the real `/tmp`. `network` is `off`, `on` or `hosts`: then the proxy behind the
    Unix socket `proxy_socket` is the only way out.
    """

    writable: tuple[Path, ...]
    tmp: Path
    cache: Path
    visible: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    network: str = "off"
    proxy_socket: Path | None = None
    unix_sockets: bool = False
    limits: CommandLimits = CommandLimits()


class Launch(Struct, frozen=True):
    """A program to start: in the folder `cwd`, with `env` as its whole environment.

    Its stdin is closed, it has no controlling terminal, and stdout and stderr are one pipe.
    """

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]


class Process(Protocol):
    """A program that was started, with everything that it starts."""

    stdout: int  # the read end of its output: whoever reads closes it
    note: str  # once it has ended, what is known besides the exit code, such as a limit; mostly empty

    def watch(self, on_exit: Callable[[int], None]) -> None:
        """Call `on_exit` once, on the loop's thread, with the exit code (negative: a signal) of the program."""
        ...

    def signal(self, number: int) -> None:
        """To the program and all that it started, as far as the back-end can find them. Never raises for the dead."""
        ...

    def reap(self) -> None:
        """The exit was seen and the output read: kill what is left and let go."""
        ...


class Confinement(Protocol):
    """A back-end at work for one policy. `name` is what the log and the person see; `none` confines nothing.

    `gaps` are sentences on what this back-end cannot hold, for `claw doctor`.
    """

    name: str
    gaps: tuple[str, ...]

    async def start(self, launch: Launch) -> Process:
        """*Errors*: OSError where the system starts nothing; ToolError if it cannot be confined: it must not run."""
        ...

    def accept(self, path: Path) -> None:
        """claw itself has written `path`, with leave: it is not what a command that still runs has left."""
        ...

    def kill_all(self) -> None:
        """SIGKILL to everything, at once. For signal handlers and the exit of the interpreter."""
        ...

    async def close(self) -> None:
        """Everything is dead afterwards, and nothing can be started any more."""
        ...
