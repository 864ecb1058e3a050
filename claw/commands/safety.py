"""Commands for what may be done without asking."""

from __future__ import annotations

from claw.commands.base import Act, Command, View, always, one_of
from claw.commands.requests import ChangeSettings, ShowPage, TrustFolder
from claw.errors import UsageError
from claw.protocol.ops import SetMode

_GROUP = "Safety"
_MODES = ("read-only", "ask", "auto-edit", "full-auto")


def _mode(arguments: str, view: View) -> Act:
    mode = one_of("mode", arguments, _MODES)
    if "read-only" not in (mode, view.mode):
        return SetMode(mode)  # type: ignore[arg-type]
    if view.running:
        raise UsageError("to and from read-only it goes only while claw rests: the sandbox is made anew")
    return ChangeSettings({"mode": mode})


def _switch(name: str, field: str, values: tuple[str, ...]) -> Command:
    def run(arguments: str, view: View) -> Act:
        return ChangeSettings({field: one_of(name, arguments, values)})

    summary = {
        "sandbox": "Confine commands, or give them all your rights.",
        "network": "Let commands reach the network, or not.",
    }[name]
    help = {
        "sandbox": "`required` refuses to work without. With `off` every command is asked for, if no rule allows it.",
        "network": "Some hosts alone: start claw with `--allow-host`, or name them in the configuration.",
    }[name]
    return Command(name, _GROUP, summary, run, "|".join(values), choices=values, idle=True, help=help)


def _trust(arguments: str, view: View) -> Act:
    if not arguments:
        return ShowPage("trust")
    return TrustFolder(one_of("trust", arguments, ("yes", "no")) == "yes")


COMMANDS = (
    Command("mode", _GROUP, "What may run without asking.", _mode, "|".join(_MODES), choices=_MODES,
            help="`ask` asks for every change; `auto-edit` for what is not confined to the folder; `full-auto` for "
            "nothing; with `read-only` nothing can be changed. Shift-Tab goes through them."),
    Command("permissions", _GROUP, "The rules that are in force, and where each is from.",
            always(ShowPage("permissions"))),
    _switch("sandbox", "sandbox", ("on", "off", "required")),
    _switch("network", "network", ("on", "off")),
    Command("trust", _GROUP, "Look at what this folder would make claw do, and trust it.", _trust, "[yes|no]",
            choices=("yes", "no"), idle=True,
            help="Only a trusted folder's AGENTS.md and .claw/config.toml are heard; they can tighten, never widen."),
)  # fmt: skip
