"""`claw` alone: the terminal in the current folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from claw.cli.settings import RUN_OPTIONS, fields_of
from claw.config import load_config, resolve_settings
from claw.errors import UsageError
from claw.paths import find_home

HELP = "Open the terminal in this folder, which is what `claw` alone does; the prompt is sent at once."
OPEN_OPTIONS = RUN_OPTIONS
_MODE = "ask"


def open_terminal(prompt: str | None, values: dict[str, Any]) -> int:
    """Returns the exit code. *Errors*: ClawError before anything is shown."""
    _require_terminal(os.environ, prompt)
    home = find_home()
    config = load_config(home)
    settings = resolve_settings(fields_of(values), os.environ, config)
    if values["mode"] is None and config.mode is None:
        settings = replace(settings, mode=_MODE)  # somebody is there to be asked
    from claw.tui.start import run

    return run(settings, os.environ, home, prompt)


def _require_terminal(environ: Mapping[str, str], prompt: str | None) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        unknown = f"{prompt} is no command, and " if prompt and len(prompt.split()) == 1 else ""
        raise UsageError(
            f"{unknown}`claw` needs a terminal on stdin and stdout. For scripts and pipes there is `claw exec`."
        )
    if environ.get("TERM", "dumb") == "dumb":
        raise UsageError("the terminal cannot move its cursor (TERM is `dumb`). `claw exec` needs none of that.")
