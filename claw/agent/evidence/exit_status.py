"""What the exit status of a command line tells of one command in it.

`pytest | tail` ends with the status of `tail`, `pytest || true` with 0, `pytest && ruff check` with either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from claw.agent.evidence.commandline import SimpleCommand
from claw.agent.evidence.launchers import program_of, without_launchers

# These do not fail, and they keep the end of what is piped into them.
_ALWAYS_ZERO = frozenset({"echo", "printf", "true", ":", "date", "cat", "tail", "tee", "ls", "pwd"})
_KEEPS_THE_END = frozenset({"tail", "tee", "cat"})


class StatusOf(Struct, frozen=True):
    """`zero`: the line exits 0 only if the command did. `other`: a status that is not 0 came from the command
    or from what had to succeed before it. `end_shown`: what the command prints last is what is seen last of it.
    """

    zero: bool
    other: bool
    end_shown: bool


def status_of(commands: Sequence[SimpleCommand], index: int) -> StatusOf:
    """Read the operators that follow `commands[index]`."""
    pipefail, errexit = _shell_options(commands[:index])
    now = held = (True, True)
    end_shown, in_pipe = True, True
    for command in commands[index + 1 :]:
        program = program_of(without_launchers(command.words))
        in_pipe = in_pipe and command.joined == "|"
        end_shown = end_shown and (not in_pipe or program in _KEEPS_THE_END)
        zero, other = now
        match command.joined:
            case "|":
                now = (zero and pipefail, other and pipefail and program in _ALWAYS_ZERO)
            case "&&":
                now = (zero, other and program in _ALWAYS_ZERO)
            case "||":
                now = (zero and program in ("exit", "false") and command.words[1:2] != ("0",), other)
            case ";" if program == "exit" and any("PIPESTATUS" in word for word in command.words):
                now = (True, True)
            case ";" if program == "exit" and "$?" in command.words:
                pass
            case ";" if program == "exit" and any("$" in word for word in command.words):
                now = held
            case ";" if not program and any(word.endswith("=$?") for word in command.words):
                held, now = now, (False, False)
            case ";" if not program and any("PIPESTATUS" in word for word in command.words):
                held, now = (True, True), (False, False)
            case ";" if errexit:
                now = (zero, other and program in _ALWAYS_ZERO)
            case _:
                now = (False, False)
    return StatusOf(*now, end_shown)


def _shell_options(commands: Sequence[SimpleCommand]) -> tuple[bool, bool]:
    """Whether `set -o pipefail` and `set -e` hold after `commands`."""
    pipefail = errexit = False
    for command in commands:
        if command.words[:1] != ("set",):
            continue
        for word in command.words[1:]:
            pipefail = pipefail or word == "pipefail"
            if re.fullmatch(r"[-+][a-z]*e[a-z]*", word):
                errexit = word.startswith("-")
    return pipefail, errexit
