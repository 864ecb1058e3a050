"""`claw exec`: its options, and the step from words on a command line to settings of a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from claw.cli.options import Option
from claw.config import Rules, Settings, load_config, parse_duration, resolve_settings
from claw.errors import UsageError
from claw.paths import find_home
from claw.permissions.policy import MODES
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
    Option("--model", str, "The model to ask.", "NAME"),
    Option("--host", str, "Who serves it: a known host, or a base URL that ends in /v1.", "NAME|URL"),
    Option("--thinking", str, "Whether the model thinks before it answers.", choices=("on", "off")),
    Option("--cwd", Path, "The folder to work in.", "DIR"),
    Option("--add-dir", Path, "Another folder that may be written.", "DIR", many=True),
    Option("--mode", str, "What may run without asking.", choices=MODES),
    Option("--allow", str, "A rule for what may run unasked: 'bash(git *)', 'edit(src/**)'.", "RULE", many=True),
    Option("--deny", str, "A rule for what may never run; it beats every other.", "RULE", many=True),
    Option("--sandbox", str, "Whether commands are confined: off gives them full access; required: never without.",
           choices=("on", "off", "required")),
    Option("--network", str, "Whether commands reach the network.", choices=("on", "off")),
    Option("--allow-host", str, "A host that may be reached, such as pypi.org or *.pypi.org.", "HOST", many=True),
    Option("--trust", bool, "Listen to the folder's own AGENTS.md and .claw/config.toml.", default=False),
    Option("--verify", str, "The definition of done: a command that must exit 0 at the end.", "COMMAND"),
    Option("--max-turns", int, "End after this many replies of the model.", "N"),
    Option("--max-cost", float, "End once this much is spent.", "USD"),
    Option("--max-tokens", int, "End once this many tokens, in and out, are used.", "N"),
    Option("--max-time", str, "End after this time: 20s, 15m, 12h.", "DURATION"),
    Option("--resume", str, "Go on with this session.", "ID"),
    Option("--continue", bool, "Go on with the latest session of this folder.", default=False),
    Option("--record", Path, "Keep the model's side of the run in this file.", "FILE"),
    Option("--replay", Path, "Play a recorded run against the real tools, with no model.", "FILE"),
)  # fmt: skip


def run_exec(prompt: str | None, values: dict[str, Any]) -> int:
    """Returns the exit code. *Errors*: ClawError before the run has begun."""
    flags = dict(values)
    output_format, input_format = flags.pop("output_format"), flags.pop("input_format")
    last_message: Path | None = flags.pop("output_last_message")
    home = find_home()
    settings = resolve_settings(_as_settings(flags), os.environ, load_config(home))
    prepared = prepare(settings, os.environ, home)
    try:
        # The heavy half: usage errors need not wait for it, and the sandbox tests itself meanwhile.
        from claw.headless.run import Output, run_headless

        output = Output(output_format, last_message)
        return run_headless(prepared, prompt, input_format, output, os.environ, sys.stdin.buffer)
    finally:
        prepared.cancel()


def _check_patterns(settings: Settings) -> None:
    """*Errors*: UsageError for a rule or a host, of the flags or of the configuration, that cannot be read."""
    rules = settings.rules
    if any((rules.allow, rules.ask, rules.deny)):
        from claw.permissions.rules import parse_rule  # most runs have none

        for rule in (*rules.allow, *rules.ask, *rules.deny):
            parse_rule(rule)
    if settings.network_hosts:
        from claw.permissions.patterns import HostPattern

        for host in settings.network_hosts:
            try:
                HostPattern(host)
            except ValueError as error:
                raise UsageError(f"host {host!r}: {error}, such as pypi.org or *.pypi.org") from None


def _as_settings(flags: dict[str, Any]) -> dict[str, Any]:
    """Option names to fields of `Settings` and `Limits`, with their checks."""
    for name in ("max_turns", "max_cost", "max_tokens"):
        if flags[name] is not None and not flags[name] > 0:
            raise UsageError(f"--{name.replace('_', '-')} {flags[name]}: must be more than 0")
    if (flags["resume"] is not None) + flags["continue_"] + (flags["replay"] is not None) > 1:
        raise UsageError("--resume, --continue and --replay exclude each other")
    thinking = flags.pop("thinking")
    duration = flags.pop("max_time")
    same = ("host", "model", "cwd", "mode", "sandbox", "network", "trust", "verify", "output_schema",
            "resume", "record", "replay")  # fmt: skip
    return {
        **{name: flags[name] for name in same},
        "thinking": None if thinking is None else thinking == "on",
        "network_hosts": tuple(flags["allow_host"]),
        "rules": Rules(allow=tuple(flags["allow"]), deny=tuple(flags["deny"])),
        "add_dirs": tuple(flags["add_dir"]),
        "images": tuple(flags["image"]),
        "continue_latest": flags["continue_"],
        "max_turns": flags["max_turns"],
        "max_cost_usd": flags["max_cost"],
        "max_tokens": flags["max_tokens"],
        "max_time_s": None if duration is None else parse_duration(duration),
    }
