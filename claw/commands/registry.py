"""All commands: claw's own and the user's; found by name, completed by prefix and then by letters."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from claw.commands import insight, model, safety, session, work
from claw.commands.base import Act, Command, View
from claw.errors import UsageError

BUILTIN: tuple[Command, ...] = (
    *work.COMMANDS, *session.COMMANDS, *model.COMMANDS, *safety.COMMANDS, *insight.COMMANDS,
)  # fmt: skip


class Commands:
    """`own` are the user's, which never stand in the place of one of claw's."""

    def __init__(self, own: Iterable[Command] = ()) -> None:
        self._by_name: dict[str, Command] = {}
        for command in (*BUILTIN, *own):
            for name in (command.name, *command.aliases):
                self._by_name.setdefault(name, command)

    @property
    def all(self) -> Sequence[Command]:
        return list(dict.fromkeys(self._by_name.values()))

    def find(self, name: str) -> Command:
        """*Errors*: UsageError with the names that come near."""
        if command := self._by_name.get(name):
            return command
        near = difflib.get_close_matches(name, self._by_name, 3, 0.5)
        hint = f"near ones are {', '.join('/' + each for each in near)}" if near else "/help shows all"
        raise UsageError(f"there is no command /{name}; {hint}")

    def run(self, line: str, view: View) -> Act:
        """`line` begins with the slash. *Errors*: UsageError."""
        name, _, arguments = line[1:].strip().partition(" ")
        return self.find(name)(arguments.strip(), view)

    def complete(self, typed: str) -> list[Command]:
        """Commands for the beginning of a name; then those whose name has its letters in this order."""
        typed = typed.lower()
        starting = [each for each in self.all if any(name.startswith(typed) for name in (each.name, *each.aliases))]
        exact = [each for each in starting if each.name == typed]
        rest = [each for each in starting if each not in exact]
        loose = [each for each in self.all if each not in starting and _has_in_order(each.name, typed)]
        return exact + rest + loose

    def help_text(self, name: str = "") -> str:
        """In Markdown: of one command, or a list of all by group. *Errors*: UsageError."""
        if name:
            command = self.find(name)
            parts = [
                f"`/{command.name}{' ' + command.usage if command.usage else ''}`  {command.summary}",
                command.help,
            ]
            if command.aliases:
                parts.append("The same: " + ", ".join(f"`/{alias}`" for alias in command.aliases))
            return "\n\n".join(filter(None, parts))
        groups = dict.fromkeys(command.group for command in self.all)
        sections = []
        for group in groups:
            rows = [f"- `/{each.name}{' ' + each.usage if each.usage else ''}`  {each.summary}"
                    for each in self.all if each.group == group]  # fmt: skip
            sections.append(f"**{group}**\n\n" + "\n".join(rows))
        hint = (
            "`/help COMMAND` says more of one, `/keys` shows the keys. `@` names a file, `!` runs a command yourself."
        )
        return "\n\n".join([*sections, hint])


def _has_in_order(name: str, letters: str) -> bool:
    rest = iter(name)
    return bool(letters) and all(letter in rest for letter in letters)
