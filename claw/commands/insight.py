"""Commands that show how things stand."""

from __future__ import annotations

from claw.commands.base import Command, always
from claw.commands.requests import SetTheme, ShowHelp, ShowPage

_GROUP = "Insight"
_SCREEN = "Screen"


COMMANDS = (
    Command("help", _GROUP, "What can be said with a slash, or more about one.",
            lambda arguments, view: ShowHelp(arguments.lstrip("/")), "[COMMAND]", aliases=("?",)),
    Command("status", _GROUP, "Session, model, mode, sandbox and limits.", always(ShowPage("status"))),
    Command("context", _GROUP, "How full the model's window is, and how it grew.", always(ShowPage("context"))),
    Command("cost", _GROUP, "What the session cost, by tool, and what an hour costs.", always(ShowPage("cost"))),
    Command("todo", _GROUP, "The plan that is being worked on.", always(ShowPage("todo"))),
    Command("tools", _GROUP, "What the model can call.", always(ShowPage("tools"))),
    Command("tasks", _GROUP, "Commands that run in the background.", always(ShowPage("tasks"))),
    Command("config", _GROUP, "The settings of this session, and the file that they come from.",
            always(ShowPage("config"))),
    Command("doctor", _GROUP, "What claw finds on this machine.", always(ShowPage("doctor"))),
    Command("theme", _SCREEN, "Other colours, seen as one chooses.",
            lambda arguments, view: SetTheme(arguments), "[NAME]", choices="themes",
            help="Your own lie in the configuration's folder `themes`, a TOML file each."),
    Command("keys", _SCREEN, "Every key and what it does.", always(ShowPage("keys"))),
)  # fmt: skip
