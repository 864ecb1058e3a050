from __future__ import annotations

import difflib
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claw.code.changes import against_head, undone
from claw.code.review import ChangedFile
from claw.errors import UsageError
from claw.protocol.details import FileChange


def git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


def recorded(path: str, before: str | None, after: str | None) -> FileChange:
    old, new = (text or "" for text in (before, after))
    rows = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), "a", "b")
    diff = "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)
    kind = "added" if before is None else "deleted" if after is None else "modified"
    return FileChange(path, kind, diff)


def test_against_the_last_commit(tmp_path: Path) -> None:
    for name in ("kept", "changed", "gone"):
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / ".gitignore").write_text("*.log\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "changed").write_text("other\n")
    (tmp_path / "gone").unlink()
    (tmp_path / "new file").write_text("new\n")
    (tmp_path / "ignored.log").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")

    changes = against_head(tmp_path)

    assert changes.root == tmp_path
    assert [(file.path, file.before, file.after) for file in changes.files] == [
        ("changed", b"changed\n", b"other\n"),
        ("gone", b"gone\n", None),
        ("new file", None, b"new\n"),
    ]
    assert changes.unclear == {"link": "is no plain file"}


def test_before_the_first_commit_and_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no git repository"):
        against_head(tmp_path)
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a\n")
    git(tmp_path, "add", "a")
    assert [(file.path, file.before) for file in against_head(tmp_path).files] == [("a", None)]


def test_several_recorded_changes_of_a_file_add_up(tmp_path: Path) -> None:
    steps = ["one\ntwo\nthree\n", "one\n2\nthree\n", "one\n2\n3\n"]
    (tmp_path / "f").write_text(steps[2])
    changes = undone(tmp_path, [recorded("f", steps[0], steps[1]), recorded(str(tmp_path / "f"), steps[1], steps[2])])
    assert changes.files == (ChangedFile("f", steps[0].encode(), steps[2].encode(), changes.files[0].mode),)


def test_made_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("x\n")
    changes = undone(tmp_path, [recorded("made", None, "x\n"), recorded("gone", "y\n", None)])
    assert [(file.path, file.before, file.after) for file in changes.files] == [
        ("gone", b"y\n", None), ("made", None, b"x\n")
    ]  # fmt: skip
    assert undone(tmp_path, [recorded("both", None, "x\n"), recorded("both", "x\n", None)]).files == ()


def test_what_somebody_else_changed_is_said(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("something else\n")
    os.symlink("/etc", tmp_path / "etc")
    changes = undone(
        tmp_path, [recorded("f", "a\n", "b\n"), recorded("etc/hosts", "a", "b"), recorded("../up", "a", "b")]
    )
    assert changes.files == ()
    assert set(changes.unclear) == {"f", "etc/hosts", "../up"}
    assert "something else since" in changes.unclear["f"]


_TEXTS = st.lists(st.text(alphabet="ab\n", max_size=12), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(_TEXTS)
def test_undoing_gives_what_was_before(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("f")
    (folder / "f").write_text(texts[-1])
    changes = undone(folder, [recorded("f", a, b) for a, b in pairwise(texts) if a != b])
    expected = [] if texts[0] == texts[-1] else [texts[0].encode()]
    assert [file.before for file in changes.files] == expected
    assert not changes.unclear
