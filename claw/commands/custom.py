"""The user's own commands: a Markdown file each, whose text is what the model is told.

`git/fix.md` is `/git:fix`. Lines of `key: value` between two lines of `---` at the top may give a `description` and
an `argument-hint`. `$ARGUMENTS` stands for all that follows the name, `$1` to `$9` for its words; `$$` is a dollar.
Nothing in such a file is executed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from claw.commands.base import Act, Command, Function, View
from claw.commands.registry import BUILTIN
from claw.printable import one_line
from claw.protocol.ops import UserTurn

_MOST_BYTES = 64_000
_MOST_FILES = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(:[a-z0-9][a-z0-9_-]*)*")
_PLACE = re.compile(r"\$(\$|ARGUMENTS\b|[1-9])")


def load_commands(folders: Sequence[Path]) -> tuple[list[Command], list[str]]:
    """The commands of these folders, the first wins; and what is wrong with files that are none."""
    taken = {name for command in BUILTIN for name in (command.name, *command.aliases)}
    found: dict[str, Command] = {}
    problems: list[str] = []
    for folder in folders:
        for file in sorted(folder.rglob("*.md"))[:_MOST_FILES] if folder.is_dir() else ():
            name = ":".join(file.relative_to(folder).with_suffix("").parts).lower()
            if not _NAME.fullmatch(name):
                problems.append(f"{file}: a command's name has letters, digits, - and _ only")
            elif name in taken:
                problems.append(f"{file}: /{name} is one of claw's own")
            elif name not in found:
                try:
                    found[name] = _command(name, _read(file))
                except (OSError, ValueError) as error:
                    problems.append(f"{file}: {error}")
    return list(found.values()), problems


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        data = opened.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"is longer than {_MOST_BYTES:,} bytes")
    return data.decode("utf-8")


def _command(name: str, text: str) -> Command:
    head, body = _parted(text.replace("\r\n", "\n"))
    if not body.strip():
        raise ValueError("says nothing")
    first = next(line for line in body.splitlines() if line.strip())
    summary = head.get("description") or first.lstrip("# ")
    takes = bool(_PLACE.search(body.replace("$$", "")))
    usage = head.get("argument-hint") or ("[ARGUMENTS]" if takes else "")
    return Command(name, "Your own", one_line(summary, 120), _teller(body.strip()), one_line(usage, 60), idle=False)


def _parted(text: str) -> tuple[dict[str, str], str]:
    lines = text.split("\n")
    if lines[0].strip() != "---" or "---" not in (rest := [line.strip() for line in lines[1:]]):
        return {}, text
    end = rest.index("---")
    head = {}
    for line in lines[1 : end + 1]:
        key, colon, value = line.partition(":")
        if colon:
            head[key.strip().lower()] = value.strip().strip("'\"")
    return head, "\n".join(lines[end + 2 :])


def _teller(body: str) -> Function:
    def run(arguments: str, view: View) -> Act:
        return UserTurn.of(filled(body, arguments))

    return run


def filled(body: str, arguments: str) -> str:
    """`body` with its places filled; arguments that it has no place for are put at its end."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        words = arguments.split()

    def place(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        if match[1] == "ARGUMENTS":
            return arguments
        number = int(match[1])
        return words[number - 1] if number <= len(words) else ""

    text = _PLACE.sub(place, body)
    has_place = any(match[1] != "$" for match in _PLACE.finditer(body))
    return text if has_place or not arguments else f"{text}\n\n{arguments}"
