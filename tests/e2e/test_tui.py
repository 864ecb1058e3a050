"""The installed `claw` in a real terminal, against a real server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Claw
from tests.e2e.tmux import Tmux
from tests.fakes.model_server import ModelServer, call, hang, say, slow

CLAW = str(Path(sys.executable).parent / "claw")
Open = Callable[..., Tmux]


@pytest.fixture
def terminal(claw: Claw) -> Iterator[Open]:
    opened: list[Tmux] = []

    def open_one(server: ModelServer | None, *args: str, width: int = 100, height: int = 30, **environ: str) -> Tmux:
        host = ["--host", server.url, "--model", "kimi-k2.6"] if server else []
        environment = {**claw.environ, "CLAW_API_KEY": "a-key", **environ}
        opened.append(Tmux([CLAW, *host, *args], claw.repository, environment, width, height))
        return opened[-1]

    yield open_one
    for tmux in opened:
        tmux.close()


EDIT = ("edit", {"path": "calc.py", "edits": [{"old": "return a - b", "new": "return a + b"}]})


@pytest.fixture
def broken(claw: Claw) -> Path:
    file = claw.repository / "calc.py"
    file.write_text("def add(a, b):\n    return a - b\n")
    return file


def test_a_repair_with_questions_and_a_resume(terminal: Open, broken: Path) -> None:
    script = [
        call(("read", {"path": "calc.py"}), reasoning="I look at it first."),
        call(EDIT, ("bash", {"command": "python3 -c 'import calc; print(calc.add(1, 2))'"})),
        say("# Repaired\n\nIt **adds** now.", reasoning="Good."),
        say("Nothing else."),
    ]
    with ModelServer(script) as server:
        tmux = terminal(server)
        tmux.wait_for("ready")
        tmux.type("repair it")
        tmux.press("Enter")
        tmux.wait_for("❯ repair it")
        screen = tmux.wait_for("Allow edit?")
        assert "2 -     return a - b" in screen
        assert broken.read_text().endswith("a - b\n")
        time.sleep(0.6)
        tmux.press("y")
        tmux.wait_for("Allow bash?")
        time.sleep(0.6)
        tmux.press("y")
        screen = tmux.wait_for("Repaired")
        tmux.wait_for("done · 3 turns · 3 calls")
        assert broken.read_text().endswith("a + b\n")
        tmux.press("C-c")
        tmux.wait_for("Ctrl-C again to leave")
        tmux.press("C-c")
        screen = tmux.wait_for("claw --resume ")
        assert "left 0" in tmux.wait_for("left")
        session = screen.split("claw --resume ")[1].split()[0]
        again = terminal(server, "--resume", session)
        screen = again.wait_for("resumed")
        assert "Repaired" in screen
        again.wait_for("ready")
        again.type("and?")
        again.press("Enter")
        again.wait_for("Nothing else.")
        assert len(server.requests[-1].messages) > 6


def test_what_is_typed_at_once_answers_nothing(terminal: Open, broken: Path) -> None:
    with ModelServer([call(("read", {"path": "calc.py"})), call(EDIT), say("Stopped.")]) as server:
        tmux = terminal(server, "repair it")
        for _ in range(2_000):  # somebody types while the question comes up
            tmux.press("y")
            if "Allow edit?" in tmux.screen():
                break
        time.sleep(0.6)
        assert "Allow edit?" in tmux.screen()
        tmux.press("n")
        tmux.wait_for("Stopped.")
        assert broken.read_text().endswith("a - b\n")


def test_steer_queue_and_interrupt(terminal: Open) -> None:
    script = [
        call(("bash", {"command": "sleep 2"})),
        say("Heard you."),
        say("And the queue."),
        hang(),
    ]
    with ModelServer(script) as server:
        tmux = terminal(server, "--mode", "full-auto")
        tmux.wait_for("ready")
        tmux.type("work")
        tmux.press("Enter")
        tmux.wait_for("sleep 2")
        tmux.type("be careful")
        tmux.press("Enter")
        tmux.type("then this")
        tmux.press("Tab")
        tmux.wait_for("1. then this")
        tmux.wait_for("Heard you.")
        tmux.wait_for("And the queue.")
        said = [message["content"] for message in server.requests[1].messages if message["role"] == "user"]
        assert any("be careful" in str(content) for content in said)
        tmux.type("now wait")
        tmux.press("Enter")
        server.wait_for_requests(4)
        tmux.press("Escape")
        tmux.wait_for("interrupted")
        tmux.wait_for("ready")


def test_a_long_paste_and_wide_characters(terminal: Open) -> None:
    with ModelServer([say("漢字 and 👍 are fine."), say("ok")]) as server:
        tmux = terminal(server)
        tmux.wait_for("ready")
        pasted = "\n".join(f"line {number}" for number in range(2000))
        tmux.paste(pasted)
        tmux.wait_for("[pasted 2,000 lines #1]")
        tmux.type(" 漢字")
        tmux.wait_for("漢字")
        tmux.press("Enter")
        tmux.wait_for("漢字 and 👍 are fine.")
        said = str(server.requests[0].messages[-1]["content"])
        assert pasted in said
        assert "漢字" in said


def test_a_resize_in_the_middle_of_an_answer(terminal: Open) -> None:
    text = "".join(f"Sentence number {number} of a long answer. " for number in range(60))
    with ModelServer([slow(say(text, n_pieces=60), 0.03)]) as server:
        tmux = terminal(server, "talk")
        tmux.wait_for("number 5 ")
        tmux.resize(60, 20)
        time.sleep(0.3)
        tmux.resize(120, 40)
        screen = tmux.wait_for("number 59 of a long answer.")
        tmux.wait_for("done ·")
        assert "ready" in tmux.wait_for("ready")
        assert screen.count("number 59 of") == 1


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (30, 10)])
def test_sizes(terminal: Open, width: int, height: int) -> None:
    with ModelServer([say("# Hello\n\n" + "words " * 60 + "end.")]) as server:
        tmux = terminal(server, "hi", width=width, height=height)
        screen = tmux.wait_for("end.")
        assert max(map(len, screen.splitlines())) <= width
        tmux.wait_for("done")


def test_scrolling_and_folding(terminal: Open) -> None:
    text = "\n\n".join(f"Paragraph {number}." for number in range(100))
    with ModelServer([say(text, reasoning="First I think.\nThen I speak of secrets.")]) as server:
        tmux = terminal(server, "talk")
        tmux.wait_for("Paragraph 99.")
        tmux.press("PageUp")
        tmux.wait_for("above the end")
        tmux.press("C-Home")
        screen = tmux.wait_for("❯ talk")
        assert "Then I speak of secrets." not in screen
        tmux.press("C-t")
        tmux.wait_for("Then I speak of secrets.")
        tmux.press("C-End")
        tmux.wait_for("Paragraph 99.")


def test_the_mode_can_be_changed(terminal: Open) -> None:
    with ModelServer([say("hi")]) as server:
        tmux = terminal(server)
        tmux.wait_for("ready")
        tmux.press("BTab")
        tmux.wait_for("auto-edit")


def test_without_a_key_it_says_what_to_do(terminal: Open) -> None:
    tmux = terminal(None, CLAW_API_KEY="")
    tmux.wait_for("Which host serves the model?")
    tmux.press("C-c")
    tmux.wait_for("MOONSHOT_API_KEY")
    tmux.press("C-c")
    tmux.wait_for("Ctrl-C again")
    tmux.press("C-c")
    tmux.wait_for("left 0")


def test_without_a_terminal(claw: Claw) -> None:
    done = claw.run()
    assert done.code == 2
    assert "claw exec" in done.stderr
    dumb = claw.run("hello there", TERM="dumb")
    assert dumb.code == 2


def test_a_word_that_is_nearly_a_command(claw: Claw) -> None:
    done = claw.run("sesions")
    assert (done.code, "claw sessions" in done.stderr) == (2, True)


def test_what_a_model_says_moves_no_cursor(terminal: Open) -> None:
    with ModelServer([say("before \x1b[2J\x1b]0;owned\x07 after")]) as server:
        tmux = terminal(server, "hi")
        screen = tmux.wait_for("after")
        assert "\\x1b[2J" in screen
        assert "❯ hi" in screen
        assert "owned" not in tmux._do("display-message", "-p", "#{pane_title}")


def test_it_ends_in_good_order_when_the_terminal_goes(claw: Claw, terminal: Open) -> None:
    with ModelServer([call(("bash", {"command": "sleep 61"}))]) as server:
        tmux = terminal(server, "--mode", "full-auto", "wait")
        tmux.wait_for("sleep 61")
        tmux.close()
        until = time.monotonic() + 15
        while time.monotonic() < until and _running("sleep\x0061"):
            time.sleep(0.1)
        assert not _running("sleep\x0061")


def _running(words: str) -> list[str]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if line.startswith(words.encode()):
                found.append(entry)
    return found
