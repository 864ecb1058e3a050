"""What a folder says of itself in `.claw/config.toml`, and how far claw listens: it may only tighten.

A repository is written by strangers, and its settings travel with it. So none of them can choose where the
key is sent, what runs unasked or what the sandbox lets through, whatever the trust in the folder; what
makes claw stricter is obeyed once the folder is trusted. What runs something is obeyed only as it was
approved: `claw.permissions.trust` compares its hash.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from claw.printable import one_line
from claw.tooling.beneath import descend, open_link_free
from claw.tooling.capped import read_capped

CONFIG_FILE = ".claw/config.toml"
# What makes claw run something, now or in a later version: it is approved as a whole, by its bytes.
EXECUTABLE_KEYS = ("verify",)
EXECUTABLE_FILES = (".claw/hooks.toml", ".mcp.json")
EXECUTABLE_FOLDERS = (".claw/commands",)
_CONFIG_LIMIT_BYTES = 256 * 1024
_FILE_LIMIT_BYTES = 1024 * 1024
_MAX_FILES = 500
_MAX_DEPTH = 8


class Project(Struct, frozen=True):
    """The configuration of one folder, read and not yet obeyed.

    `executables` name what would run something, `digest` is their hash: empty where they cannot be
    approved, since not all of them can be read. `problem` says why the configuration cannot be obeyed.
    """

    folder: Path
    values: Mapping[str, Any] = {}
    executables: tuple[str, ...] = ()
    digest: str = ""
    problem: str = ""


def present_in(folder: Path) -> tuple[str, ...]:
    """What there is to read for `read_project`, by name alone: not a byte of it is looked at."""
    names = (CONFIG_FILE, *EXECUTABLE_FILES, *EXECUTABLE_FOLDERS)
    return tuple(name for name in names if os.path.lexists(folder / name))


def read_project(folder: Path) -> Project:
    """Read what `folder` says; call it only where that is wanted. *Errors*: none: `problem` says what is wrong."""
    values: dict[str, Any] = {}
    problem = ""
    try:
        data = read_capped(folder, CONFIG_FILE, _CONFIG_LIMIT_BYTES)
        if len(data) > _CONFIG_LIMIT_BYTES:
            problem = f"it is longer than {_CONFIG_LIMIT_BYTES} bytes"
        else:
            values = msgspec.toml.decode(data)
    except FileNotFoundError:
        pass
    except OSError as error:
        problem = f"it is not read: {error.strerror}"
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # nested without end; no UTF-8
        problem = f"it is no TOML: {one_line(str(error), 200)}"
    parts = [(f"{CONFIG_FILE}: {key}", repr(values[key]).encode("utf-8", "surrogatepass"))
             for key in EXECUTABLE_KEYS if key in values]  # fmt: skip
    readable = True
    for name, content in _executable_files(folder):
        parts.append((name, content or b""))
        readable = readable and content is not None
    return Project(folder, values, tuple(name for name, _ in parts), _digest(parts) if readable else "", problem)


def _digest(parts: list[tuple[str, bytes]]) -> str:
    """Of names and contents, so that none can pass for a part of another."""
    digest = hashlib.sha256()
    for name, content in sorted(parts):
        for field in (os.fsencode(name), content):
            digest.update(len(field).to_bytes(8, "big") + field)
    return digest.hexdigest()


def _executable_files(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    """Names and contents; None for what cannot be read: too large, too many, behind a link, no file."""
    for name in EXECUTABLE_FILES:
        if os.path.lexists(folder / name):
            yield name, _content(folder, name)
    for name in EXECUTABLE_FOLDERS:
        if os.path.lexists(folder / name):
            yield from _files_in(folder, name)


def _files_in(folder: Path, name: str) -> Iterator[tuple[str, bytes | None]]:
    pending, n_files = [name], 0
    while pending:
        place = pending.pop()
        try:
            entries = _list(folder, place)
        except (OSError, ValueError):
            yield place, None
            continue
        for entry, is_folder in entries:
            n_files += 1
            if n_files > _MAX_FILES or entry.count("/") > _MAX_DEPTH:
                yield place, None
                return
            if is_folder:
                pending.append(entry)
            else:
                yield entry, _content(folder, entry)


def _list(folder: Path, place: str) -> list[tuple[str, bool]]:
    *above, name = place.split("/")
    parent = descend(str(folder), above)
    try:
        here = open_link_free(name, os.O_RDONLY | os.O_DIRECTORY, parent)
    finally:
        os.close(parent)
    try:
        names = sorted(os.listdir(here))[: _MAX_FILES + 1]
        modes = [os.stat(each, dir_fd=here, follow_symlinks=False).st_mode for each in names]
    finally:
        os.close(here)
    return [(f"{place}/{each}", stat.S_ISDIR(mode)) for each, mode in zip(names, modes, strict=True)]


def _content(folder: Path, name: str) -> bytes | None:
    try:
        content = read_capped(folder, name, _FILE_LIMIT_BYTES)
    except OSError:
        return None
    return content if len(content) <= _FILE_LIMIT_BYTES else None
