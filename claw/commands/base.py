"""What a slash command is, and what it may know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from claw.commands.requests import UiRequest
from claw.errors import UsageError
from claw.protocol.ops import Op


@dataclass(frozen=True, slots=True)
class View:
    """The state of the frontend at the moment of the command. `known` names what can be chosen: `hosts`, `models`,
    `themes`."""

    running: bool = False
    mode: str = ""
    thinking: bool = True
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)


Act = Op | UiRequest
Function = Callable[[str, View], Act]


class Command(Struct, frozen=True):
    """`usage` is what may follow the name; `choices` are words that complete it, or where `View.known` has them.

    `idle` commands wait until nothing is being worked on.
    """

    name: str
    group: str
    summary: str
    run: Function
    usage: str = ""
    help: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] | str = ()
    idle: bool = False

    def completions(self, view: View) -> Sequence[str]:
        return view.known.get(self.choices, ()) if isinstance(self.choices, str) else self.choices

    def __call__(self, arguments: str, view: View) -> Act:
        """*Errors*: UsageError for arguments that it does not take, or at a moment when it cannot be."""
        if self.idle and view.running:
            raise UsageError(f"/{self.name} has to wait until claw rests; Esc interrupts it")
        if arguments and not self.usage:
            raise UsageError(f"/{self.name} takes nothing after it")
        return self.run(arguments, view)


def one_of(name: str, given: str, allowed: Sequence[str]) -> str:
    """*Errors*: UsageError that names what is allowed."""
    if given not in allowed:
        raise UsageError(f"/{name} {given}: allowed are {', '.join(allowed)}".replace("  ", " "))
    return given


def always(act: Act) -> Function:
    """A command without arguments."""
    return lambda arguments, view: act
