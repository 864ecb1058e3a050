"""The review of hunks, in a real terminal, on real files."""

from __future__ import annotations

from tests.e2e.conftest import Claw
from tests.e2e.test_tui import Open, terminal  # noqa: F401
from tests.fakes.model_server import ModelServer, call, say


def test_one_hunk_is_undone_and_one_line_commented(terminal: Open, claw: Claw) -> None:  # noqa: F811
    file = claw.repository / "story.txt"
    lines = [f"line {number}\n" for number in range(1, 41)]
    file.write_text("".join(lines))
    edits = [{"old": "line 3\n", "new": "line three\n"}, {"old": "line 30\n", "new": "line thirty\n"}]
    read, edit = ("read", {"path": "story.txt"}), ("edit", {"path": "story.txt", "edits": edits})
    script = [call(read), call(edit), say("Told."), say("I see.")]
    with ModelServer(script) as server:
        tmux = terminal(server, "--mode", "full-auto", "tell it")
        tmux.wait_for("Told.")
        tmux.wait_for("ready")
        tmux.type("/review")
        tmux.press("Enter")
        screen = tmux.wait_for("Changes of this session")
        assert "3 - line 3" in screen
        tmux.press("r")
        tmux.wait_for("1 undone")
        tmux.press("c")
        tmux.wait_for("about this line")
        tmux.type("thirty is fine")
        tmux.press("Enter")
        tmux.wait_for("1 comments")
        tmux.press("a")
        tmux.wait_for("1 accepted")
        tmux.press("Enter")
        tmux.wait_for("I see.")
        assert file.read_text() == "".join(lines).replace("line 30\n", "line thirty\n")
        said = str(server.requests[-1].messages[-1])
        assert "rejected these" in said
        assert "thirty is fine" in said
        tmux.wait_for("ready")
        tmux.type("/diff head")
        tmux.press("Enter")
        tmux.wait_for("Changes since the last commit")
        tmux.press("Escape")
        tmux.wait_for("I see.")
