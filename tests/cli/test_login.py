"""`claw login` and `claw logout`, through a typer app and on a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from claw.cli.login import login, logout
from claw.errors import UsageError

pytest.importorskip("keyring", reason="the extra `keyring` is not installed")

ROOT = Path(__file__).parent.parent.parent
KEY = "sk-typed-0123456789abcdef"
NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


class Cli:
    """Both commands, with a home of their own and the keyring that `environ` names."""

    def __init__(self, home: Path) -> None:
        self.environ = {
            "CLAW_HOME": str(home / "claw"), "HOME": str(home), "FAKE_KEYRING": str(home / "keyring.json"),
            "PYTHON_KEYRING_BACKEND": "tests.fakes.file_keyring.FileKeyring", "PATH": os.environ["PATH"],
        }  # fmt: skip
        self.credentials = home / "claw" / "config" / "credentials.json"
        self.keyring = home / "keyring.json"

    def __call__(self, *argv: str, stdin: str = "", **environ: str) -> Result:
        """In a process of its own, since a process has one keyring."""
        code = "import typer; from claw.cli.login import *; app = typer.Typer(); app.command()(login); "
        code += "app.command()(logout); app()"
        done = subprocess.run(
            [sys.executable, "-c", code, *argv],
            cwd=ROOT, env={**self.environ, **environ}, input=stdin, capture_output=True, text=True,
        )  # fmt: skip
        assert KEY not in done.stdout + done.stderr.replace(f"'{KEY}'", "")
        return Result(CliRunner(), done.stdout.encode(), done.stderr.encode(), b"", None, done.returncode, None)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_in_the_keyring(cli: Cli) -> None:
    assert cli("login", "--stdin", stdin=f"{KEY}\n").stdout == "the key of moonshot is kept in the keyring\n"
    assert json.loads(cli.keyring.read_text()) == {"claw/moonshot": KEY}
    assert KEY not in cli.credentials.read_text()
    assert cli("logout").stdout == "the key of moonshot is no longer in the keyring\n"
    assert (json.loads(cli.keyring.read_text()), cli("logout").stdout) == ({}, "no key of moonshot was kept\n")


def test_in_the_file_where_there_is_no_keyring(cli: Cli) -> None:
    result = cli("login", "fireworks", "--stdin", stdin=KEY, **NO_KEYRING, FIREWORKS_API_KEY="sk-environment")
    assert result.stdout == f"the key of fireworks is kept in {cli.credentials}\n"
    assert result.stderr.splitlines() == [
        "claw: there is no keyring on this machine that can be used",
        "claw: FIREWORKS_API_KEY is set and goes before it",
    ]
    assert cli.credentials.stat().st_mode & 0o777 == 0o600
    assert cli.credentials.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(cli.credentials.read_text())["keys"] == {"fireworks": KEY}
    assert (
        cli("logout", "fireworks", **NO_KEYRING).stdout == f"the key of fireworks is no longer in {cli.credentials}\n"
    )


def test_for_a_url(cli: Cli) -> None:
    result = cli("login", "https://GPU1:8000/v1", "--stdin", stdin=KEY, **NO_KEYRING)
    assert result.stdout.startswith("the key of https://gpu1:8000 is kept")


@pytest.mark.parametrize(
    ("argv", "stdin", "complaint"),
    [
        (["login", "nowhere", "--stdin"], KEY, "unknown host 'nowhere'"),
        (["login", "https://u:p@h/v1", "--stdin"], KEY, "the host URL holds a user or password"),
        (["login", "--stdin"], " \n", "stdin holds no key"),
        (["login", "--stdin"], "x" * 20_000, "more than 16384 characters"),
        (["login", "--stdin"], "two words", "the key in what was given has characters that no key has"),
        (["login"], KEY, "stdin is no terminal to ask for the key: pipe it in and give --stdin"),
    ],
)
def test_what_cannot_be_kept(cli: Cli, argv: list[str], stdin: str, complaint: str) -> None:
    result = cli(*argv, stdin=stdin)
    assert (result.exit_code, complaint in result.stderr.replace("\n", " ")) == (1, True), result.stderr
    assert not cli.credentials.exists()


def test_what_is_typed_on_the_terminal_is_not_shown(cli: Cli) -> None:
    code = "from claw.cli.login import login; login('moonshot')"
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT, env={**cli.environ, **NO_KEYRING}, stdin=its_end, stdout=its_end, stderr=its_end,
        start_new_session=True,
    )  # fmt: skip
    os.close(its_end)
    shown = b""
    while b"not shown" not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, KEY.encode() + b"\n")
    with contextlib.suppress(OSError):  # the other end is closed
        while piece := os.read(terminal, 1024):
            shown += piece
    os.close(terminal)
    assert (process.wait(), b"is kept in" in shown, KEY.encode() in shown) == (0, True, False)


def test_nothing_is_asked_where_nobody_types(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(login)
    app.command()(logout)
    result = CliRunner().invoke(app, ["login"], env={"CLAW_HOME": str(tmp_path)})
    assert isinstance(result.exception, UsageError)
