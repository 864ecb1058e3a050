"""What a slash command may ask of the frontend, where an op to the core is not enough."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Page = Literal[
    "keys", "status", "context", "cost", "todo", "tools", "tasks", "permissions", "config", "doctor", "trust"
]
Changes = Literal["turn", "session", "head"]


class UiRequest(Struct, frozen=True):
    """Base of all requests."""


class ShowHelp(UiRequest, frozen=True):
    """Of the command with this name, or of all."""

    command: str = ""


class ShowPage(UiRequest, frozen=True):
    page: Page


class NewSession(UiRequest, frozen=True):
    pass


class PickSession(UiRequest, frozen=True):
    """Let the person choose one to go on with."""


class ResumeSession(UiRequest, frozen=True):
    """By its id, or enough of it."""

    name: str


class ForkSession(UiRequest, frozen=True):
    """Go on with a copy of this session; the original stays as it is."""


class ExportSession(UiRequest, frozen=True):
    """As Markdown or JSON, by the ending of `path`; empty is a name of claw's choice in the working folder."""

    path: str = ""


class CopyText(UiRequest, frozen=True):
    """The last answer, the last block of code in one, or the whole transcript."""

    what: Literal["last", "code", "all"] = "last"


class ChangeSettings(UiRequest, frozen=True):
    """Go on with the session under other settings; the names are fields of `Settings`."""

    changes: dict[str, str | bool | None]


class PickModel(UiRequest, frozen=True):
    """Let the person choose from those that are known for the host."""


class ShowDiff(UiRequest, frozen=True):
    """The changes of the last run, of the session, or against git's HEAD, each of which can be undone by hunk."""

    of: Changes = "session"


class StartPlan(UiRequest, frozen=True):
    """Explore without changing anything, and come back with a plan."""

    task: str


class EditPlan(UiRequest, frozen=True):
    """Open the plan in the person's editor."""


class CarryOutPlan(UiRequest, frozen=True):
    pass


class EditMemory(UiRequest, frozen=True):
    """Open the instructions that are read at every start: the project's, or the person's own."""

    whose: Literal["project", "user"] = "project"


class TrustFolder(UiRequest, frozen=True):
    """Hear what the working folder says of itself, from the next session on; or no longer."""

    trusted: bool


class SetTheme(UiRequest, frozen=True):
    """By its name; empty lets the person choose."""

    name: str = ""


class Quit(UiRequest, frozen=True):
    pass
