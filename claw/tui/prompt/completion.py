"""What could be meant by what is being typed: a command after `/`, a file after `@`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from claw.commands.base import View
from claw.commands.registry import Commands

MOST_SUGGESTIONS = 50
_COMMAND = re.compile(r"/([\w:-]*)")
_ARGUMENT = re.compile(r"/([\w:-]+) +(\S*)")
_FILE = re.compile(r"(?:^|\s)@([^\s@]*)$")


class Suggestion(NamedTuple):
    """`text` takes the place of the last `n_typed` characters. `is_whole`: nothing more need be typed."""

    text: str
    n_typed: int
    shown: str
    details: str = ""
    is_whole: bool = False


class Completer:
    """`files` gives the paths that are known at the moment; it starts to look for them when it is first asked."""

    def __init__(
        self, commands: Callable[[], Commands], view: Callable[[], View], files: Callable[[], Sequence[str]]
    ) -> None:
        self._commands = commands
        self._view = view
        self._files = files

    def suggest(self, before: str) -> list[Suggestion]:
        """For the text before the cursor. *Cost*: some 10 ms in 50,000 files."""
        if match := _COMMAND.fullmatch(before):
            found = self._commands().complete(match[1])
            return [
                Suggestion(
                    f"/{each.name}{' ' if each.usage else ''}", len(before), f"/{each.name} {each.usage}".rstrip(),
                    each.summary, not each.usage or each.usage.startswith("["),
                )
                for each in found
            ]  # fmt: skip
        if match := _ARGUMENT.fullmatch(before):
            return self._arguments(match[1], match[2])
        if match := _FILE.search(before):
            return [Suggestion(f"@{path} ", len(match[1]) + 1, path) for path in matching(self._files(), match[1])]
        return []

    def _arguments(self, name: str, typed: str) -> list[Suggestion]:
        command = next((each for each in self._commands().all if name in (each.name, *each.aliases)), None)
        if command is None:
            return []
        words = [word for word in command.completions(self._view()) if word.startswith(typed) and word != typed]
        return [Suggestion(word, len(typed), word, "", True) for word in words]


def matching(paths: Sequence[str], typed: str) -> list[str]:
    """Paths with `typed` in them, those first in whose name it is; then those with its letters in this order."""
    if not typed:
        return list(paths[:MOST_SUGGESTIONS])
    wanted = typed.casefold()
    scored: list[tuple[int, int, str]] = []
    for path in paths:
        low = path.casefold()
        place = low.find(wanted)
        if place < 0:
            continue
        name = low.rfind("/") + 1
        in_name = low.find(wanted, name)
        scored.append((0 if in_name == name else 1 if in_name > name else 2, len(path), path))
    if not scored and len(wanted) > 1:
        letters = re.compile(".*?".join(map(re.escape, wanted)))
        scored = [(3, len(path), path) for path in paths if letters.search(path.casefold())]
    return [path for *_, path in sorted(scored)[:MOST_SUGGESTIONS]]
