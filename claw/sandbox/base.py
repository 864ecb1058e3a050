"""What confines a command: a back-end turns a command line into a program to start.

This build has one, `plain`, which confines nothing. Others take its place by answering the same
question, so process handling, output and jobs know nothing of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct


class Launch(Struct, frozen=True):
    """A program to start.

    `cwd` is the folder that the process starts in, `env` its whole environment. `pass_fds` are file
    descriptors that it inherits and that the back-end closes once it was started.
    """

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()


class Confinement(Protocol):
    """A back-end. `name` is what the session log and the person see; `none` if nothing is confined."""

    name: str

    def launch(self, command: str, *, cwd: Path, env: Mapping[str, str]) -> Launch:
        """The program that runs `command` in a shell, confined.

        *Errors*: ToolError if it cannot be confined as the policy wants: it must not run then.
        """
        ...

    def launched(self, launch: Launch) -> None:
        """The process was started, or could not be: let go of what `launch` held open."""
        ...
