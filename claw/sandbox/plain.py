"""The back-end that confines nothing: the user's shell rights, a clean environment."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from claw.sandbox.base import Launch


class Plain:
    """Runs commands with `bash`, or with `sh` where there is none."""

    name = "none"

    def __init__(self, search_path: str | None = None) -> None:
        """`search_path` is a `PATH` to look for bash in; by default this process's own."""
        self._shell = shutil.which("bash", path=search_path) or "/bin/sh"

    def launch(self, command: str, *, cwd: Path, env: Mapping[str, str]) -> Launch:
        # `--`: without it a command such as `-l` would be read as options of the shell.
        return Launch((self._shell, "-c", "--", command), str(cwd), env)

    def launched(self, launch: Launch) -> None:
        """Nothing is held open."""
