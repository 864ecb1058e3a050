"""What a folder would make claw do if it were trusted, in lines for a person who decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from claw.config import SandboxConfig, Settings
from claw.permissions.project import CONFIG_FILE, EXECUTABLE_KEYS, Project
from claw.permissions.tighten import tighten
from claw.printable import one_line, printable
from claw.tooling.instructions import AGENTS_FILE, count_hidden, read_instructions

_SHOWN_LINES = 60
_VALUE_WIDTH = 100
_TABLES = ("permissions", "limits", "sandbox")


def survey(project: Project) -> list[str]:
    """Everything in it is printable, hidden characters included."""
    lines = [*_instructions(project.folder), *_configuration(project), *_executables(project)]
    return lines or ["Nothing in it speaks to claw."]


def _instructions(folder: Path) -> Iterator[str]:
    try:
        text = read_instructions(folder, folder)
    except FileNotFoundError:
        return
    except (OSError, RuntimeError) as error:
        yield f"{AGENTS_FILE} is not read: {printable(getattr(error, 'strerror', None) or str(error))}"
        return
    rows = text.split("\n")
    n_hidden = count_hidden(text)
    hidden = f", {n_hidden} hidden characters, written out here as \\x.., \\u.... or \\U........" if n_hidden else ""
    yield f"{AGENTS_FILE} tells the model ({len(rows)} lines{hidden}):"
    for number, row in enumerate(rows):
        # Of a long file the rest is left to an editor, but not what an editor would hide.
        if number < _SHOWN_LINES or count_hidden(row):
            yield f"  | {printable(row)}"
    if len(rows) > _SHOWN_LINES:
        yield f"  … {len(rows) - _SHOWN_LINES} more lines"


def _configuration(project: Project) -> Iterator[str]:
    if project.problem:
        yield f"{CONFIG_FILE} is ignored: {project.problem}"
    if not project.values:
        return
    yield f"{CONFIG_FILE} says:"
    for key, value, alone in _flat(project):
        effect = "is run at the end of every run" if key in EXECUTABLE_KEYS else "obeyed where it is stricter"
        refused = tighten(_loosest(project.folder), alone, runs=True)[1]
        if refused:
            effect = refused[0].text.removeprefix(f"{CONFIG_FILE}: ").partition(" is ")[2]
        yield f"  {one_line(key, 60)} = {one_line(_shown(value), _VALUE_WIDTH)}  ({effect})"


def _flat(project: Project) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Each key with its value, and as a configuration of its own."""
    for key, value in project.values.items():
        if key in _TABLES and isinstance(value, dict):
            for name, inner in value.items():
                yield f"{key}.{name}", inner, {key: {name: inner}}
        else:
            yield key, value, {key: value}


def _loosest(folder: Path) -> Settings:
    """Settings that anything which tightens at all would tighten."""
    confine = SandboxConfig(use="off", network="on", unix_sockets=True)
    return Settings(cwd=folder, mode="full-auto", sandbox="off", network="on", confine=confine)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _executables(project: Project) -> Iterator[str]:
    if project.executables:
        yield "It would make claw run something by:"
        yield from (f"  {one_line(name, 120)}" for name in project.executables)
    if not project.digest:
        yield "Not all of that can be read: it is too large, too much, or no ordinary file."
