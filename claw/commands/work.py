"""Commands that have the model do something, or look at what it did."""

from __future__ import annotations

from functools import partial
from importlib import resources

from claw.commands.base import Act, Command, View, one_of
from claw.commands.requests import CarryOutPlan, EditMemory, EditPlan, ShowDiff, StartPlan
from claw.errors import UsageError
from claw.protocol.ops import UserTurn

_GROUP = "Work"
_CHANGES = ("turn", "session", "head")


def prompt_text(name: str) -> str:
    """A prompt that lies beside the code."""
    return (resources.files(__package__) / "prompts" / f"{name}.md").read_text("utf-8").strip()


def _plan(arguments: str, view: View) -> Act:
    match arguments:
        case "" | "edit":
            return EditPlan()
        case "go":
            return CarryOutPlan()
        case task:
            return StartPlan(task)


def _diff(arguments: str, view: View) -> Act:
    return ShowDiff(one_of("diff", arguments or "session", _CHANGES))  # type: ignore[arg-type]


def _asked(name: str, arguments: str, view: View) -> Act:
    text = prompt_text(name)
    return UserTurn.of(f"{text}\n\nWhat I want besides: {arguments}" if arguments else text)


def _memory(arguments: str, view: View) -> Act:
    whose = one_of("memory", arguments or "project", ("project", "user"))
    return EditMemory(whose)  # type: ignore[arg-type]


def _review(arguments: str, view: View) -> Act:
    if view.running and not arguments:
        raise UsageError("/review has to wait until claw rests: files that still change cannot be decided on")
    return _diff(arguments, view)


COMMANDS = (
    Command("plan", _GROUP, "Explore without changing anything, and write a plan.", _plan, "[TASK|edit|go]",
            choices=("edit", "go"), idle=True,
            help="`/plan TASK` looks around read-only and answers with a plan; `/plan edit` opens it in your editor; "
            "`/plan go` carries it out as it then stands."),
    Command("diff", _GROUP, "What was changed: in the last run, in the session, since the last commit.", _diff,
            "[turn|session|head]", choices=_CHANGES),
    Command("review", _GROUP, "Accept or undo each change, and say something about a line.", _review,
            "[turn|session|head]", choices=_CHANGES,
            help="What is undone and what was said about lines is then told to the model."),
    Command("commit", _GROUP, "Have the changes committed, with a message that says why.", partial(_asked, "commit"),
            "[WISHES]", idle=True),
    Command("init", _GROUP, "Have an AGENTS.md written for this folder.", partial(_asked, "init"), "[WISHES]",
            idle=True),
    Command("memory", _GROUP, "Edit the instructions that are read at every start.", _memory, "[project|user]",
            choices=("project", "user"), idle=True),
)  # fmt: skip
