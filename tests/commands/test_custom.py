from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from claw.commands.base import View
from claw.commands.custom import filled, load_commands
from claw.commands.registry import Commands
from claw.protocol.ops import UserTurn


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_files_become_commands(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        fix="---\ndescription: Repair an issue\nargument-hint: NUMBER\n---\nRepair issue $1 of $ARGUMENTS.\n",
        git__tidy="# Tidy up the branch\n\nDo it.",
    )
    own, problems = load_commands([folder])
    assert problems == []
    commands = Commands(own)
    fix, tidy = commands.find("fix"), commands.find("git:tidy")
    assert (fix.summary, fix.usage, tidy.summary, tidy.usage) == ("Repair an issue", "NUMBER", "Tidy up the branch", "")
    assert commands.run("/fix 7 now", View()) == UserTurn.of("Repair issue 7 of 7 now.")
    assert "/git:tidy" in commands.help_text()


def test_what_is_no_command_is_said(tmp_path: Path) -> None:
    folder = written(tmp_path, help="mine", empty="  \n", big="x" * 70_000)
    (tmp_path / "bad name.md").write_text("x")
    (tmp_path / "latin.md").write_bytes(b"\xff\xfe")
    own, problems = load_commands([folder, tmp_path / "nowhere"])
    assert own == []
    words = "\n".join(problems)
    for reason in ("one of claw's own", "says nothing", "longer than", "letters, digits", "utf-8"):
        assert reason in words, reason


def test_the_first_folder_wins(tmp_path: Path) -> None:
    mine, theirs = written(tmp_path / "a", x="mine"), written(tmp_path / "b", x="theirs")
    own, _ = load_commands([mine, theirs])
    assert [command.summary for command in own] == ["mine"]


@given(st.text(), st.text())
def test_filling_never_fails_and_loses_nothing(body: str, arguments: str) -> None:
    text = filled(body, arguments)
    if arguments and "$" not in body:
        assert text.endswith(arguments)


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_arguments_are_not_filled_again(arguments: str) -> None:
    assert filled("a $ARGUMENTS b $$1", f"$1{arguments}$2") == f"a $1{arguments}$2 b $1"
