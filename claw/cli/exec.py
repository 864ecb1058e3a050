"""`claw exec`: its options, and the step from words on a command line to settings of a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from claw.cli.options import Option
from claw.cli.settings import RUN_OPTIONS, fields_of
from claw.config import load_config, resolve_settings
from claw.paths import find_home
from claw.runtime.policy import prepare

HELP = "Work on a goal without a screen, for scripts and CI. Stdin, where there is any, is added to the prompt."

EXEC_OPTIONS = (
    Option("--output-format", str, "What stdout gets: the answer, one object, or every event.",
           choices=("text", "json", "stream-json"), default="text"),
    Option("--input-format", str, "What stdin holds: text for the prompt, or one op a line.",
           choices=("text", "stream-json"), default="text"),
    Option("--output-last-message", Path, "Write the final answer to this file too.", "FILE"),
    Option("--output-schema", Path, "A JSON schema that the final answer must fit.", "FILE"),
    Option("--image", Path, "A picture (or video) to show to the model, like @FILE in the prompt.", "FILE", many=True),
    *RUN_OPTIONS,
    Option("--verify", str, "The definition of done: a command that must exit 0 at the end.", "COMMAND"),
    Option("--record", Path, "Keep the model's side of the run in this file.", "FILE"),
    Option("--replay", Path, "Play a recorded run against the real tools, with no model.", "FILE"),
)  # fmt: skip


def run_exec(prompt: str | None, values: dict[str, Any]) -> int:
    """Returns the exit code. *Errors*: ClawError before the run has begun."""
    flags = dict(values)
    output_format, input_format = flags.pop("output_format"), flags.pop("input_format")
    last_message: Path | None = flags.pop("output_last_message")
    home = find_home()
    settings = resolve_settings(fields_of(flags), os.environ, load_config(home))
    prepared = prepare(settings, os.environ, home)
    try:
        # The heavy half: usage errors need not wait for it, and the sandbox tests itself meanwhile.
        from claw.headless.run import Output, run_headless

        output = Output(output_format, last_message)
        return run_headless(prepared, prompt, input_format, output, os.environ, sys.stdin.buffer)
    finally:
        prepared.cancel()
