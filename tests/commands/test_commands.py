from __future__ import annotations

import pytest

from claw.commands import requests as rq
from claw.commands.base import View
from claw.commands.registry import BUILTIN, Commands
from claw.errors import UsageError
from claw.protocol.ops import SetMode, SetTitle, UserTurn

VIEW = View(mode="ask", known={"hosts": ("moonshot", "ollama"), "models": ("kimi-k2.6",), "themes": ("paper",)})


@pytest.mark.parametrize("command", BUILTIN, ids=lambda command: command.name)
def test_every_command_says_what_it_is_for(command) -> None:
    assert command.summary.endswith(".")
    assert len(command.summary) <= 80
    assert command.group
    text = Commands().help_text(command.name)
    assert command.summary in text
    assert f"/{command.name}" in Commands().help_text()


def test_no_name_stands_for_two() -> None:
    names = [name for command in BUILTIN for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("line", "act"),
    [
        ("/help", rq.ShowHelp()),
        ("/help /mode", rq.ShowHelp("mode")),
        ("/new", rq.NewSession()),
        ("/clear", rq.NewSession()),
        ("/resume", rq.PickSession()),
        ("/resume 2026", rq.ResumeSession("2026")),
        ("/rename the  parser ", SetTitle("the  parser")),
        ("/export", rq.ExportSession()),
        ("/export a b.json", rq.ExportSession("a b.json")),
        ("/copy", rq.CopyText("last")),
        ("/copy code", rq.CopyText("code")),
        ("/model", rq.PickModel()),
        ("/model kimi-k2.6", rq.ChangeSettings({"model": "kimi-k2.6"})),
        ("/host ollama", rq.ChangeSettings({"host": "ollama", "model": None})),
        ("/thinking", rq.ChangeSettings({"thinking": False, "thinking_given": True})),
        ("/thinking on", rq.ChangeSettings({"thinking": True, "thinking_given": True})),
        ("/mode full-auto", SetMode("full-auto")),
        ("/mode read-only", rq.ChangeSettings({"mode": "read-only"})),
        ("/sandbox required", rq.ChangeSettings({"sandbox": "required"})),
        ("/network on", rq.ChangeSettings({"network": "on"})),
        ("/trust", rq.ShowPage("trust")),
        ("/trust yes", rq.TrustFolder(True)),
        ("/plan", rq.EditPlan()),
        ("/plan go", rq.CarryOutPlan()),
        ("/plan make it fast", rq.StartPlan("make it fast")),
        ("/diff", rq.ShowDiff("session")),
        ("/diff head", rq.ShowDiff("head")),
        ("/memory user", rq.EditMemory("user")),
        ("/theme paper", rq.SetTheme("paper")),
        ("/quit", rq.Quit()),
    ],
)
def test_what_a_line_becomes(line: str, act: object) -> None:
    assert Commands().run(line, VIEW) == act


@pytest.mark.parametrize("line", ["/init", "/commit only the parser"])
def test_prompts_are_said_to_the_model(line: str) -> None:
    act = Commands().run(line, VIEW)
    assert isinstance(act, UserTurn)
    text = act.content[0].text  # type: ignore[union-attr]
    assert len(text) > 200
    assert ("only the parser" in text) == ("only the parser" in line)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("/mode", "allowed are read-only, ask, auto-edit, full-auto"),
        ("/mode fast", "allowed are read-only, ask"),
        ("/host", "known are moonshot, ollama"),
        ("/rename", "wants a title"),
        ("/new now", "takes nothing after it"),
        ("/modle", "near ones are /mode"),
        ("/xyzzy", "/help shows all"),
        ("/copy everything", "allowed are last, code, all"),
        ("/help nothing", None),
    ],
)
def test_what_cannot_be_is_said(line: str, word: str | None) -> None:
    if word is None:  # found out when the help is made
        with pytest.raises(UsageError):
            Commands().help_text("nothing")
        return
    with pytest.raises(UsageError, match=word):
        Commands().run(line, VIEW)


def test_some_wait_until_claw_rests() -> None:
    running = View(running=True, mode="ask")
    with pytest.raises(UsageError, match="has to wait"):
        Commands().run("/new", running)
    with pytest.raises(UsageError, match="only while claw rests"):
        Commands().run("/mode read-only", running)
    assert Commands().run("/mode full-auto", running) == SetMode("full-auto")
    assert Commands().run("/status", running) == rq.ShowPage("status")


def test_completion_prefers_what_begins_so() -> None:
    names = [command.name for command in Commands().complete("mo")]
    assert names[:2] == ["model", "mode"]
    assert "memory" in names  # by its letters
    assert next(command.name for command in Commands().complete("mode")) == "mode"
    assert Commands().complete("zz") == []
    assert len(Commands().complete("")) == len(BUILTIN)
