"""`claw sessions`, through its typer app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from claw.cli.sessions import app
from claw.errors import SessionNotFound, UsageError
from claw.paths import find_home
from claw.protocol import events as ev
from claw.protocol.details import TodoItem
from claw.protocol.messages import Usage, UserMessage, as_content
from claw.session.base import SessionFolder
from claw.session.store import SessionStore
from tests.session.arbitrary import keep

PROMPT = "repair\x1b[2J \u202eit"


class Cli:
    """Runs the app on sessions below `home`."""

    def __init__(self, home: Path) -> None:
        self.environ = {"CLAW_HOME": str(home)}
        self.store = SessionStore(find_home(self.environ))

    def __call__(self, *argv: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, argv, input=answer, env=self.environ)

    def lines(self, *argv: str) -> list[str]:
        result = self(*argv)
        assert (result.exit_code, result.exception) == (0, None)
        return result.stdout.splitlines()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")


@pytest.fixture
def session(cli: Cli, tmp_path: Path) -> SessionFolder:
    folder = cli.store.create(tmp_path)
    tests = ev.Tests(ran=True, passed=False, total=3, failed=1, command="pytest", stale=True)
    history: list[ev.Event] = [
        ev.SessionStarted(
            protocol=1, claw="0", cwd=str(tmp_path), roots=(), host="h", model="m", mode="ask", sandbox="none"
        ),
        ev.RunStarted(run=1),
        ev.UserMessageAdded(message=UserMessage(as_content(PROMPT))),
        ev.UserMessageAdded(message=UserMessage(as_content("tests failed")), source="verify"),
        ev.TurnStarted(turn=1),
        ev.UsageReported(usage=Usage(100, 40, 10, 5), cost_usd=0.25),
        ev.TodoChanged(items=(TodoItem("look", "done"),)),
        ev.FileChanged(call_id="c", path=str(tmp_path / "a.py"), kind="modified"),
        ev.RunFinished(run=1, status="limit", error="5 turns", result="not\nyet", tests=tests),
    ]
    for seq, event in enumerate(history):
        event.session, event.seq, event.ts = folder.id, seq, 1_795_462_476.0
    keep(folder, *history)
    return folder


def test_list(cli: Cli, session: SessionFolder, tmp_path: Path) -> None:
    empty = cli.store.create(tmp_path / "elsewhere")
    lines = {line.split()[0]: line for line in cli.lines("list")}
    assert list(lines) == ["ID", session.id, empty.id] or list(lines) == ["ID", empty.id, session.id]
    assert lines["ID"].split() == ["ID", "LAST", "USED", "STATUS", "TURNS", "COST", "FOLDER", "TITLE"]
    assert lines[session.id].split()[3:] == ["limit", "1", "$0.2500", str(tmp_path), "repair\\x1b[2J", "\\u202eit"]


def test_list_of_nothing(cli: Cli) -> None:
    assert cli.lines("list") == ["There are no sessions yet."]
    assert cli.lines("list", "--json") == []


def test_list_as_json_has_every_field(cli: Cli, session: SessionFolder, tmp_path: Path) -> None:
    (line,) = cli.lines("list", "--json")
    record = json.loads(line)
    usage = {"input": 100, "cached": 40, "output": 10, "reasoning": 5}
    assert record == {
        "id": session.id, "cwd": str(tmp_path), "title": " ".join(PROMPT.split()), "host": "h", "model": "m",
        "status": "limit", "n_runs": 1, "n_turns": 1, "n_tool_calls": 0, "usage": usage, "cost_usd": 0.25,
        "started_ts": 1_795_462_476.0, "updated_ts": 1_795_462_476.0, "log_bytes": session.log.stat().st_size,
    }  # fmt: skip
    assert line.isascii()


def test_list_of_this_folder(cli: Cli, session: SessionFolder) -> None:
    assert cli.lines("list", "--here") == ["There are no sessions yet."]


def test_show(cli: Cli, session: SessionFolder, tmp_path: Path) -> None:
    lines = cli.lines("show", session.id[:15])
    moment = lines[3].split(maxsplit=1)[1].partition(" to ")[0]
    assert lines == [
        f"session       {session.id}",
        f"folder        {tmp_path}",
        "model         m on h, mode ask, sandbox none",
        f"from          {moment} to {moment}",
        "status        limit",
        "work          1 run, 1 turn, 0 tool calls",
        "tokens        100 in (40 cached), 10 out (5 reasoning)",
        "cost          $0.2500",
        "prompts       repair\\x1b[2J \\u202eit",
        "todo          [done] look",
        "changed       a.py",
        "tests         failed, 1 of 3 failed: pytest, but files were changed after that",
        "error         5 turns",
        "result        not",
        "              yet",
    ]


def test_show_events(cli: Cli, session: SessionFolder) -> None:
    lines = cli.lines("show", session.id, "--events")
    assert [line.split()[0] for line in lines] == [str(seq) for seq in range(9)]
    assert lines[1].endswith('run_started           {"run":1}')
    assert "\\u202e" in lines[2]
    assert "\x1b" not in "".join(lines)


def test_damage_is_told_on_stderr(cli: Cli, session: SessionFolder) -> None:
    session.log.write_bytes(session.log.read_bytes() + b"broken\n")
    result = cli("show", session.id)
    assert (result.exit_code, result.stderr) == (0, f"claw: passed over 1 unreadable line in {session.log}\n")


def test_export(cli: Cli, session: SessionFolder, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert cli.lines("export", session.id, "--format", "json", "-o", str(target)) == []
    assert len(json.loads(target.read_bytes())["events"]) == 9
    assert cli.lines("export", session.id)[0] == "# repair\\x1b\\[2J \\u202eit"


def test_what_is_secret_today_is_not_shown_and_not_exported(cli: Cli, session: SessionFolder, tmp_path: Path) -> None:
    secret, prompt = "correct horse", "use correct horse"
    old = cli.store.create(tmp_path)
    place: dict[str, Any] = {
        "claw": "0",
        "cwd": str(tmp_path),
        "roots": (),
        "host": "h",
        "model": "m",
        "mode": "ask",
        "sandbox": "none",
    }
    keep(old, ev.SessionStarted(protocol=1, **place), ev.UserMessageAdded(message=UserMessage(as_content(prompt))))
    environ = {"MY_TOKEN": secret}
    listings = [["list"], ["list", "--json"], ["show", old.id], ["show", old.id, "--events"]]
    for argv in [*listings, ["export", old.id], ["export", old.id, "--format", "json"]]:
        shown = CliRunner().invoke(app, argv, env={**cli.environ, **environ}).stdout
        assert (prompt in shown, "redacted:secret" in shown) == (False, True), argv
    assert prompt in CliRunner().invoke(app, ["export", old.id, "--raw"], env={**cli.environ, **environ}).stdout


@pytest.mark.parametrize(
    ("argv", "error", "complaint"),
    [
        (["export", "ID", "--format", "pdf"], UsageError, "--format pdf: allowed are md, json"),
        (["export", "ID", "-o", "/no/such/folder/x"], UsageError, "cannot write /no/such/folder/x: No such file"),
        (["show", "19"], SessionNotFound, "there is no session '19'"),
        (["export", "19"], SessionNotFound, "there is no session '19'"),
        (["delete", "19", "--yes"], SessionNotFound, "there is no session '19'"),
    ],
)
def test_errors_are_raised_for_the_caller(
    cli: Cli, session: SessionFolder, argv: list[str], error: type[Exception], complaint: str
) -> None:
    result = cli(*(session.id if word == "ID" else word for word in argv))
    assert type(result.exception) is error
    assert str(result.exception).startswith(complaint)


def test_delete_asks_first(cli: Cli, session: SessionFolder) -> None:
    refused = cli("delete", session.id, answer="n\n")
    assert (refused.exit_code, session.log.exists()) == (1, True)
    assert f"Delete session {session.id} (repair\\x1b[2J \\u202eit)?" in refused.stdout
    assert cli("delete", session.id, answer="y\n").stdout.endswith(f"deleted {session.id}\n")
    assert not session.path.exists()


def test_delete_without_asking(cli: Cli, session: SessionFolder) -> None:
    assert cli.lines("delete", session.id, "--yes") == [f"deleted {session.id}"]
    assert cli.lines("list") == ["There are no sessions yet."]
