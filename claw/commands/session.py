"""Commands for sessions as a whole."""

from __future__ import annotations

from claw.commands.base import Act, Command, View, always, one_of
from claw.commands.requests import (
    CopyText,
    ExportSession,
    ForkSession,
    NewSession,
    PickSession,
    Quit,
    ResumeSession,
)
from claw.errors import UsageError
from claw.protocol.ops import SetTitle

_GROUP = "Sessions"
_COPIED = ("last", "code", "all")


def _resume(arguments: str, view: View) -> Act:
    return ResumeSession(arguments) if arguments else PickSession()


def _rename(arguments: str, view: View) -> Act:
    if not arguments:
        raise UsageError("/rename wants a title, such as `/rename the parser`")
    return SetTitle(arguments)


def _copy(arguments: str, view: View) -> Act:
    what = one_of("copy", arguments or "last", _COPIED)
    return CopyText(what)  # type: ignore[arg-type]


COMMANDS = (
    Command("new", _GROUP, "Begin a new session.", always(NewSession()), aliases=("clear",), idle=True,
            help="The session so far is kept; `/resume` finds it again."),
    Command("resume", _GROUP, "Go on with an earlier session.", _resume, "[ID]", idle=True,
            help="Without an id, a list with search and preview is shown."),
    Command("sessions", _GROUP, "Look through the sessions.", always(PickSession()), idle=True,
            help="Typing searches in titles, folders and models; Enter goes on with the one chosen."),
    Command("fork", _GROUP, "Go on with a copy of this session.", always(ForkSession()), idle=True,
            help="The original stays as it is, so that two ways can be tried. Files are not copied."),
    Command("rename", _GROUP, "Give this session a title.", _rename, "TITLE"),
    Command("export", _GROUP, "Write this session to a file.", lambda arguments, view: ExportSession(arguments),
            "[FILE.md|FILE.json]", help="What is secret, or looks so, is left out. The model is not told."),
    Command("copy", _GROUP, "Copy the last answer, its code, or everything.", _copy, "[last|code|all]",
            choices=_COPIED, help="Goes to the clipboard by the terminal (OSC 52), also through ssh."),
    Command("quit", _GROUP, "Leave claw.", always(Quit()), aliases=("exit", "q"),
            help="What runs is stopped in good order. The session can be resumed."),
)  # fmt: skip
