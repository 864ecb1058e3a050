"""The terminal is not an output of the model: whatever comes from outside is shown there, never executed."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from claw.printable import printable
from tests.e2e.conftest import Claw
from tests.e2e.conftest import claw as claw
from tests.fakes.model_server import ModelServer, call, say, status

# Title, clipboard, a question that types its answer, screen, a device string, 8-bit forms, colours, direction,
# zero width, tags, a soft hyphen, an application string, backspaces that draw over a line.
HOSTILE = (
    "\x1b]0;owned\x07", "\x1b]52;c;b3duZWQ=\x07", "\x1b[6n", "\x1b[2J\x1b[H", "\x1bP+q544e\x1b\\", "\x9b31m",
    "\x9d0;owned\x9c", "\x1b[31m", "\u202egnp.exe\u202c", "in\u200bvisible", "\U000e0041\U000e0042", "\u2066x\u2069",
    "\x1b_payload\x1b\\", "rm -rf /\b\b\b\b\b\b\b\bls      ", "\u2028", "\x7f",
)  # fmt: skip
ALL = " ".join(HOSTILE)
# What claw itself writes: its live line is cleared with these.
OWN = re.compile("\r\x1b\\[K")


class Terminal:
    """A pseudo-terminal for stdout and stderr of a process; `seen` is every byte that reached it."""

    def __init__(self, claw: Claw) -> None:
        self._claw = claw
        self.seen = b""

    def run(self, *args: str, **environ: str) -> tuple[int, str]:
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "claw", *args],
            cwd=self._claw.repository, env={**self._claw.environ, **environ},
            stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        reader = threading.Thread(target=self._read, args=(master,))
        reader.start()
        code = process.wait(timeout=60)
        reader.join(10)
        os.close(master)
        return code, self.seen.decode("utf-8")

    def _read(self, master: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other side is closed
                return
            self.seen += piece


def assert_harmless(screen: str) -> None:
    """Only claw's own escapes are left, and the line ends that the terminal made of `\\n`."""
    text = OWN.sub("", screen).replace("\r\n", "\n")
    assert [hex(ord(found)) for found in set(text) if printable(found) != found] == []


def test_what_the_model_says(claw: Claw) -> None:
    first = call(("bash", {"command": f"true '{ALL}'"}), text=f"text {ALL}", reasoning=f"thought {ALL}")
    with ModelServer([first, say(f"answer {ALL}")]) as server:
        code, screen = Terminal(claw).run("exec", "--host", server.url, "go")
    assert code == 0, screen
    assert_harmless(screen)
    for part in ("answer \\x1b]0;owned\\x07", "\\x9b31m", "\\u202egnp.exe", "\\U000e0041"):
        assert part in screen


def test_what_a_tool_prints_and_files_are_called(claw: Claw) -> None:
    name = "a\x1b]0;owned\x07\u202eb.py"
    (claw.repository / name).write_text(f"# {ALL}\n")
    script = f"import sys; sys.stdout.buffer.write({ALL.encode()!r}); sys.exit(3)"
    calls = [
        ("read", {"path": name}), ("ls", {}), ("glob", {"pattern": "*"}),
        ("edit", {"path": name, "edits": [{"old": "missing", "new": "x"}]}), ("read", {"path": f"missing{ALL}"}),
        ("write", {"path": name + "2", "content": ALL}), (f"tool{ALL}", {"x": ALL}),
    ]  # fmt: skip
    (claw.repository / "hostile.py").write_text(script)
    answers = [call(*calls), call(("bash", {"command": f"'{sys.executable}' hostile.py"})), say("done")]
    with ModelServer(answers) as server:
        _, screen = Terminal(claw).run("exec", "--host", server.url, "go")
    assert "done" in screen
    assert_harmless(screen)


@pytest.mark.parametrize("code", [400, 401, 500])
def test_what_a_host_answers_with_an_error(claw: Claw, code: int) -> None:
    with ModelServer([status(code, error_type=ALL, message=f"no {ALL}")]) as server:
        ended, screen = Terminal(claw).run("exec", "--host", server.url, "go", CLAW_RETRY_ATTEMPTS="1")
    assert ended != 0
    assert_harmless(screen)


def test_sessions(claw: Claw, tmp_path: Path) -> None:
    with ModelServer([call(("bash", {"command": f"echo '{ALL}'"}), text=ALL), say(ALL)]) as server:
        done = claw.exec(server, f"prompt {ALL.replace(chr(0), '')}")
    session = done.json["session"]
    for args in (["list"], ["show", session], ["show", session, "--events"], ["show", session, "--cost"],
                 ["export", session], ["export", session, "--format", "json"]):  # fmt: skip
        code, screen = Terminal(claw).run("sessions", *args)
        assert code == 0, screen
        assert_harmless(screen)
        assert len(screen) > 50


@pytest.mark.parametrize("output_format", ["json", "stream-json"])
def test_json_means_the_same_and_steers_nothing(claw: Claw, output_format: str) -> None:
    with ModelServer([call(("bash", {"command": f"true '{ALL}'"}), text=ALL), say(ALL)]) as server:
        done = claw.exec(server, "--output-format", output_format, "go")
    assert done.code == 0
    assert_harmless(done.stdout)
    last = done.events[-1] if output_format == "json" else done.of("run_finished")[0]
    assert last["result"] == ALL


def test_a_pipe_gets_no_escapes_either(claw: Claw) -> None:
    with ModelServer([say(f"answer {ALL}")]) as server:
        done = claw.exec(server, "--output-format", "text", "go")
    assert done.stdout.startswith("answer \\x1b]0;owned\\x07")
    assert_harmless(done.stdout)


def test_names_of_folders_and_configuration(claw: Claw) -> None:
    odd = claw.repository / "dir\x1b]0;owned\x07\u202e"
    odd.mkdir()
    config = claw.home / "claw" / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('host = "\\u001b]0;owned\\u0007"\n"\\u202e" = 1\n')
    for args in (
        ["doctor"],
        ["exec", "go"],
        ["exec", "--cwd", str(odd / "missing"), "go"],
        ["sessions", "show", "x\x1b[2J"],
    ):
        _, screen = Terminal(claw).run(*args)
        assert_harmless(screen)
        assert screen


def test_the_check_can_fail() -> None:
    for hostile in HOSTILE:
        with pytest.raises(AssertionError):
            assert_harmless(hostile)
