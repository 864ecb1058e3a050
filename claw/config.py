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


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a run ends. None: no limit. *Units*: replies, dollars, tokens of input and output, seconds."""

    max_turns: int | None = None
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    max_time_s: float | None = None


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The user's `config.toml`. `hosts` and `models` add to claw's own tables or override parts of them."""

    host: str | None = None
    model: str | None = None
    thinking: bool | None = None
    mode: str | None = None
    limits: Limits = Limits()
    hosts: dict[str, dict[str, Any]] = {}
    models: dict[str, dict[str, Any]] = {}


class Settings(Struct, frozen=True, kw_only=True):
    """One run, with every choice made. `model` None means the host's default.

    `output_schema` is a JSON schema, or the file that holds one.
    """

    cwd: Path
    host: str = DEFAULT_HOST
    model: str | None = None
    thinking: bool = True
    mode: str = "auto-edit"
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

    *Errors*: UsageError for a folder that is none.
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
    }
    chosen = {name: value for name, value in chosen.items() if value is not None} | given
    chosen["cwd"] = _folder("--cwd", chosen.get("cwd") or Path.cwd())
    chosen["add_dirs"] = tuple(_folder("--add-dir", path) for path in chosen.get("add_dirs", ()))
    return Settings(**chosen, limits=limits, hosts=config.hosts, models=config.models)


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
