"""What the user wants: flags before environment before config file before defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from claw.errors import UsageError
from claw.paths import Home

DEFAULT_HOST = "moonshot"
SANDBOX_USES = ("off", "on", "required")  # from the loosest to the strictest
NETWORK_USES = ("off", "on")


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a run ends. None: no limit. *Units*: replies, dollars, tokens of input and output, seconds."""

    max_turns: int | None = None
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    max_time_s: float | None = None


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """Permission rules such as `bash(git *)`; `claw.permissions.rules` says how they are read."""

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class CommandLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """What one command with all its children may take. *Units*: bytes, processes, open files of each process."""

    memory_bytes: int = 8 << 30
    processes: int = 1024
    file_bytes: int = 16 << 30
    open_files: int = 4096


class SandboxConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The user's choices for commands.

    `use` is `on`, `off` or `required`, `network` is `off`, `on`, or None for what `hosts` says: the hosts that
    may be reached, such as `pypi.org` or `*.pypi.org`. `env` names further variables that commands get;
    `hide` further paths that nobody reads. `unix_sockets` lets commands use them: a daemon behind one
    (docker, an agent for keys) acts outside the sandbox.
    """

    use: str | None = None
    network: str | None = None
    hosts: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    unix_sockets: bool = False
    limits: CommandLimits = CommandLimits()


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The user's `config.toml`. `hosts` and `models` add to claw's own tables or override parts of them."""

    host: str | None = None
    model: str | None = None
    thinking: bool | None = None
    mode: str | None = None
    sandbox: SandboxConfig = SandboxConfig()
    permissions: Rules = Rules()
    limits: Limits = Limits()
    hosts: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}


class Settings(Struct, frozen=True, kw_only=True):
    """One run, with every choice made. `model` None means the host's default.

    `output_schema` is a JSON schema, or the file that holds one. `sandbox` is `on`, `off` or `required`;
    `network` is `off`, `on` or `hosts`: those of `network_hosts`. `rules` are those of the flags and of the
    user's configuration together. `trust` lets the workspace's own instructions and configuration speak.
    `thinking_given`: a flag says so, and no project configuration may differ.
    """

    cwd: Path
    host: str = DEFAULT_HOST
    model: str | None = None
    thinking: bool = True
    thinking_given: bool = False
    mode: str = "auto-edit"
    sandbox: str = "on"
    network: str = "off"
    network_hosts: tuple[str, ...] = ()
    rules: Rules = Rules()
    confine: SandboxConfig = SandboxConfig()
    trust: bool = False
    add_dirs: tuple[Path, ...] = ()
    limits: Limits = Limits()
    verify: str | None = None
    output_schema: Path | dict[str, Any] | None = None
    images: tuple[Path, ...] = ()
    resume: str | None = None
    continue_latest: bool = False
    record: Path | None = None
    replay: Path | None = None
    hosts: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}


def load_config(home: Home) -> Config:
    """*Errors*: UsageError that names the file and the key."""
    try:
        data = home.config_file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except OSError as error:
        raise UsageError(f"cannot read {home.config_file}: {error.strerror}") from None
    try:
        return msgspec.toml.decode(data, type=Config)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{home.config_file}: {error}") from None


def resolve_settings(flags: Mapping[str, Any], environ: Mapping[str, str], config: Config) -> Settings:
    """`flags` holds fields of `Settings` and `Limits`; None means not given.

    `network_hosts` and `rules` of the flags add to those of the configuration.
    *Errors*: UsageError for a folder that is none, and for choices that contradict each other.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    limits = msgspec.structs.replace(
        config.limits, **{name: given.pop(name) for name in Limits.__struct_fields__ if name in given}
    )
    chosen: dict[str, Any] = {
        "host": environ.get("CLAW_HOST") or config.host,
        "model": environ.get("CLAW_MODEL") or config.model,
        "thinking": config.thinking,
        "mode": config.mode,
        "sandbox": _one_of("sandbox.use", config.sandbox.use, SANDBOX_USES),
    }
    chosen = {name: value for name, value in chosen.items() if value is not None} | given
    chosen["cwd"] = _folder("--cwd", chosen.get("cwd") or Path.cwd())
    chosen["add_dirs"] = tuple(_folder("--add-dir", path) for path in chosen.get("add_dirs", ()))
    chosen["thinking_given"] = "thinking" in given
    chosen |= _network(given, config.sandbox)
    chosen["rules"] = _together(config.permissions, given.get("rules", Rules()))
    return Settings(**chosen, limits=limits, confine=config.sandbox, hosts=config.hosts, models=config.models)


def _network(given: Mapping[str, Any], config: SandboxConfig) -> dict[str, Any]:
    """`network` and `network_hosts`: hosts of a flag open the network that the configuration closes."""
    hosts: tuple[str, ...] = tuple(given.get("network_hosts", ()))
    choice: str | None = given.get("network")
    if choice == "off" and hosts:
        raise UsageError("--network off and --allow-host exclude each other")
    if choice is None and not hosts:
        choice = _one_of("sandbox.network", config.network, NETWORK_USES)
    if choice is None:
        hosts = tuple(dict.fromkeys((*config.hosts, *hosts)))
        choice = "hosts" if hosts else "off"
    return {"network": choice, "network_hosts": hosts if choice == "hosts" else ()}


def _one_of(key: str, value: str | None, allowed: tuple[str, ...]) -> str | None:
    if value is not None and value not in allowed:
        raise UsageError(f"config.toml: {key} = {value!r}: allowed are {', '.join(allowed)}")
    return value


def _together(mine: Rules, flags: Rules) -> Rules:
    return Rules(*((*getattr(mine, name), *getattr(flags, name)) for name in Rules.__struct_fields__))


def _folder(flag: str, path: Path) -> Path:
    resolved = Path(path).expanduser().resolve()
    if not resolved.is_dir():
        raise UsageError(f"{flag} {path}: {'is not a folder' if resolved.exists() else 'there is no such folder'}")
    return resolved


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def parse_duration(text: str) -> float:
    """`20s`, `15m`, `12h`, `1h30m`, or plain seconds → seconds, more than 0.

    *Errors*: UsageError.
    """
    parts = _DURATION.findall(text.strip())
    seconds = sum(float(number) * _SECONDS[unit or None] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.strip() or seconds <= 0:
        raise UsageError(f"not a duration: {text!r}. Examples: 20s, 15m, 12h, 1h30m.")
    return seconds
