"""The options that every run has, on a screen or without, and the step from them to settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from claw.cli.options import Option
from claw.config import Rules, parse_duration
from claw.errors import UsageError
from claw.permissions.policy import MODES

RUN_OPTIONS = (
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
    Option("--max-turns", int, "End after this many replies of the model.", "N"),
    Option("--max-cost", float, "End once this much is spent.", "USD"),
    Option("--max-tokens", int, "End once this many tokens, in and out, are used.", "N"),
    Option("--max-time", str, "End after this time: 20s, 15m, 12h.", "DURATION"),
    Option("--resume", str, "Go on with this session.", "ID"),
    Option("--continue", bool, "Go on with the latest session of this folder.", default=False),
)  # fmt: skip


def fields_of(flags: dict[str, Any]) -> dict[str, Any]:
    """Values of options, by name, to fields of `Settings` and `Limits`. *Errors*: UsageError."""
    for name in ("max_turns", "max_cost", "max_tokens"):
        if flags[name] is not None and not flags[name] > 0:
            raise UsageError(f"--{name.replace('_', '-')} {flags[name]}: must be more than 0")
    if (flags["resume"] is not None) + flags["continue_"] + (flags.get("replay") is not None) > 1:
        raise UsageError("--resume, --continue and --replay exclude each other")
    thinking, duration = flags["thinking"], flags["max_time"]
    same = ("host", "model", "cwd", "mode", "sandbox", "network", "trust", "resume")
    only_headless = ("verify", "output_schema", "record", "replay")
    return {
        **{name: flags[name] for name in same},
        **{name: flags[name] for name in only_headless if name in flags},
        "thinking": None if thinking is None else thinking == "on",
        "network_hosts": tuple(flags["allow_host"]),
        "rules": Rules(allow=tuple(flags["allow"]), deny=tuple(flags["deny"])),
        "add_dirs": tuple(flags["add_dir"]),
        "images": tuple(flags.get("image", ())),
        "continue_latest": flags["continue_"],
        "max_turns": flags["max_turns"],
        "max_cost_usd": flags["max_cost"],
        "max_tokens": flags["max_tokens"],
        "max_time_s": None if duration is None else parse_duration(duration),
    }
