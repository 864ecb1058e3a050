"""The system prompt and the tools: the prefix of every request, built once a session and then left alone."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from claw.printable import printable
from claw.protocol.messages import Prefix, ToolSpec
from claw.tooling.instructions import (
    AGENTS_FILE,
    INSTRUCTIONS_LIMIT_BYTES,
    decode_instructions,
    read_instructions,
)


class AgentsFile(NamedTuple):
    """Instructions as they are given to the model, with hidden characters written out."""

    path: Path
    text: str


def build_prefix(
    cwd: Path,
    roots: Sequence[Path],
    tools: tuple[ToolSpec, ...],
    agents_files: Iterable[AgentsFile],
    walls: str = "",
) -> Prefix:
    """Nothing in it changes while the session lives: no date, no git state, no todo.

    `walls` says what confines commands.
    """
    sections = [(Path(__file__).parent / "prompts" / "system.md").read_text("utf-8").strip()]
    sections.append("\n".join(filter(None, (_describe_place(cwd, roots), walls))))
    sections += [f"# Rules of {printable(str(file.path))}\n{file.text}" for file in agents_files]
    return Prefix("\n\n".join(sections) + "\n", tools)


def _nobody(folder: Path) -> bool:
    return False


def find_agents_files(
    cwd: Path, top: Path | None, own: Path, trusts: Callable[[Path], bool] = _nobody
) -> list[AgentsFile]:
    """claw's own one, then those from `top` (the repository's root) down to `cwd`: the nearest has the last word.

    Each folder's speaks only if the user `trusts` that very folder; the user's own always does.
    """
    files = []
    if mine := _own(own / AGENTS_FILE):
        files.append(mine)
    for folder in _from_the_top(cwd, top):
        path = folder / AGENTS_FILE
        if os.path.lexists(path) and trusts(folder):
            try:
                files.append(AgentsFile(path, printable(read_instructions(folder, top or folder))))
            except (OSError, RuntimeError):
                continue  # `untrusted_instructions` names it
    return files


def untrusted_instructions(cwd: Path, top: Path | None, trusts: Callable[[Path], bool] = _nobody) -> list[Path]:
    """The files that `find_agents_files` leaves out: not trusted, leading out of the repository, not readable.

    Of a folder that is not trusted no file is opened.
    """
    left_out = []
    for folder in _from_the_top(cwd, top):
        path = folder / AGENTS_FILE
        if not os.path.lexists(path):
            continue
        try:
            if trusts(folder):
                read_instructions(folder, top or folder)
                continue
        except (OSError, RuntimeError):
            pass
        left_out.append(path)
    return left_out


def _own(path: Path) -> AgentsFile | None:
    """The user's own file may lie anywhere: links are followed."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(INSTRUCTIONS_LIMIT_BYTES + 1)
    except OSError:
        return None
    return AgentsFile(path, printable(decode_instructions(data, path)))


def _from_the_top(cwd: Path, top: Path | None) -> list[Path]:
    folders = [cwd, *cwd.parents]
    return folders[folders.index(top) :: -1] if top in folders else [cwd]


def _describe_place(cwd: Path, roots: Sequence[Path]) -> str:
    lines = ["# Where you are", f"Working folder: {cwd}"]
    if others := [str(root) for root in roots if root != cwd]:
        lines.append(f"You may also write in: {', '.join(others)}")
    lines.append(f"System: {platform.system()} {platform.machine()}")
    return "\n".join(lines)
