"""Slash commands, completion, search and the person's own commands, in a real terminal."""

from __future__ import annotations

import time

import pytest

from tests.e2e.conftest import Claw
from tests.e2e.test_tui import EDIT, Open, broken, terminal  # noqa: F401
from tests.fakes.model_server import ModelServer, call, say


def test_completion_of_commands_and_files(terminal: Open, claw: Claw) -> None:  # noqa: F811
    (claw.repository / "deep").mkdir()
    (claw.repository / "deep" / "needle.py").write_text("")
    (claw.repository / ".gitignore").write_text("*.log\n")
    (claw.repository / "needle.log").write_text("")
    with ModelServer([say("Seen.")]) as server:
        tmux = terminal(server)
        tmux.wait_for("ready")
        tmux.type("/sta")
        tmux.wait_for("Session, model, mode, sandbox and limits.")
        tmux.press("Enter")
        tmux.wait_for("thinking on")
        tmux.type("see @needle")
        assert "needle.log" not in tmux.wait_for(" deep/needle.py")
        tmux.press("Tab")
        tmux.wait_for("❯ see @deep/needle.py")
        tmux.press("Enter")
        tmux.wait_for("Seen.")


def test_what_is_typed_faster_than_the_menu_is_not_mixed_up(terminal: Open) -> None:  # noqa: F811
    with ModelServer([say("never")]) as server:
        tmux = terminal(server)
        tmux.wait_for("ready")
        tmux.type("/keys")
        tmux.press("Enter")
        tmux.wait_for("the next mode: ask")
        tmux.type("/nosuch")
        tmux.press("Enter")
        tmux.wait_for("there is no command /nosuch")
        tmux.wait_for("❯ /nosuch")  # to be mended
        assert server.requests == []


def test_own_commands_are_shown_and_told(terminal: Open) -> None:  # noqa: F811
    with ModelServer([say("I see it.")]) as server:
        tmux = terminal(server)
        tmux.wait_for("ready")
        tmux.type("!echo $((6*7)); exit 3")
        tmux.press("Enter")
        tmux.wait_for("exit 3")
        tmux.type("!sleep 60")
        tmux.press("Enter")
        tmux.wait_for("▸ you sleep 60")
        tmux.press("Escape")
        tmux.wait_for("signal 15")
        tmux.type("and?")
        tmux.press("Enter")
        tmux.wait_for("I see it.")
        said = str(server.requests[-1].messages)
        assert "it ended with 3 and printed:" in said
        assert "42" in said


def test_plan_then_carry_out(terminal: Open, broken) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    with ModelServer([call(EDIT), say("1. Change the sign."), say("Done as planned.")]) as server:
        tmux = terminal(server)
        tmux.wait_for("ready")
        tmux.type("/plan mend the sum")
        tmux.press("Enter")
        tmux.wait_for("The plan is kept.")
        tmux.wait_for("read-only")
        assert broken.read_text().endswith("a - b\n")
        tmux.type("/plan go")
        tmux.press("Enter")
        tmux.wait_for("Done as planned.")
        assert "1. Change the sign." in str(server.requests[-1].messages[-1])
        assert "ask" in tmux.screen().splitlines()[-1]


def test_sessions_theme_search_and_fork(terminal: Open) -> None:  # noqa: F811
    with ModelServer([say("The first answer."), say("The second.")]) as server:
        tmux = terminal(server, width=120)
        tmux.wait_for("ready")
        tmux.type("remember this")
        tmux.press("Enter")
        tmux.wait_for("The first answer.")
        tmux.type("/rename quite another title")
        tmux.press("Enter")
        tmux.type("/fork")
        tmux.press("Enter")
        tmux.wait_for("resumed")
        tmux.type("/new")
        tmux.press("Enter")
        time.sleep(1)
        assert "remember this" not in tmux.screen()
        tmux.type("/sessions")
        tmux.press("Enter")
        tmux.wait_for("Sessions  2")
        tmux.type("another")
        screen = tmux.wait_for("2 of 2")
        assert "The first answer." in screen  # the preview
        tmux.press("Enter")
        tmux.wait_for("\n ❯ remember this")  # not in the preview
        tmux.press("C-f")
        tmux.type("FIRST")
        tmux.wait_for("search  FIRST")
        tmux.wait_for("in 3 of")
        tmux.press("Escape")
        time.sleep(0.5)
        tmux.type("/theme")
        tmux.press("Enter")
        tmux.wait_for("▸ claw-")
        tmux.type("paper")
        tmux.wait_for("1 of 6")
        tmux.press("Enter")
        tmux.wait_for("❯ remember this")
        tmux.type("/quit")
        tmux.press("Enter")
        tmux.wait_for("left 0")


def test_the_editor_writes_the_prompt(terminal: Open, tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'from the editor\\nsecond line' > \"$1\"\n")
    editor.chmod(0o755)
    with ModelServer([say("Read.")]) as server:
        tmux = terminal(server, EDITOR=str(editor))
        tmux.wait_for("ready")
        tmux.press("C-g")
        tmux.wait_for("second line")
        tmux.press("Enter")
        tmux.wait_for("Read.")
        assert "from the editor\\nsecond line" in str(server.requests[-1].messages)


@pytest.mark.parametrize("size", [(60, 20), (30, 10)])
def test_small_terminals(terminal: Open, size: tuple[int, int]) -> None:  # noqa: F811
    with ModelServer([say("Fine.")]) as server:
        tmux = terminal(server, width=size[0], height=size[1])
        tmux.wait_for("ready")
        tmux.type("/theme")
        tmux.press("Enter")
        tmux.wait_for("claw-light")
        tmux.press("Escape")
        time.sleep(0.5)
        tmux.type("hello")
        tmux.press("Enter")
        tmux.wait_for("Fine.")
