"""Commands for who answers, and how."""

from __future__ import annotations

from claw.commands.base import Act, Command, View, one_of
from claw.commands.requests import ChangeSettings, PickModel
from claw.errors import UsageError

_GROUP = "Model"
_SWITCH = ("on", "off")


def _model(arguments: str, view: View) -> Act:
    return ChangeSettings({"model": arguments}) if arguments else PickModel()


def _host(arguments: str, view: View) -> Act:
    if not arguments:
        raise UsageError(f"/host wants a name or a URL that ends in /v1; known are {', '.join(view.known['hosts'])}")
    return ChangeSettings({"host": arguments, "model": None})


def _thinking(arguments: str, view: View) -> Act:
    choice = one_of("thinking", arguments or ("off" if view.thinking else "on"), _SWITCH)
    return ChangeSettings({"thinking": choice == "on", "thinking_given": True})


COMMANDS = (
    Command("model", _GROUP, "Ask another model.", _model, "[NAME]", choices="models", idle=True,
            help="The conversation goes on with it. Without a name, those that are known are shown."),
    Command("host", _GROUP, "Ask another host.", _host, "NAME|URL", choices="hosts", idle=True,
            help="Its key is found as `claw login` and the environment say. The model is the host's default."),
    Command("thinking", _GROUP, "Let the model think before it answers, or not.", _thinking, "[on|off]",
            choices=_SWITCH, idle=True),
)  # fmt: skip
