from __future__ import annotations

import stat
from pathlib import Path

import pytest

from claw.config import Rules
from claw.errors import UsageError
from claw.paths import Home
from claw.permissions.rules import RuleBook
from claw.permissions.store import RuleStore


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "config", tmp_path / "state", tmp_path / "cache")


def recalled(home: Home, workspace: Path) -> list[str]:
    book = RuleBook(Rules())
    assert RuleStore(home, workspace).recall(book) == []
    return [rule.text for rule in book.allow]


def test_rules_come_back_where_they_belong(home: Home, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    odd = 'bash(echo "a\\b" \'é"\')'
    RuleStore(home, one).add("bash(make)", "project")
    RuleStore(home, one).add(odd, "user")
    RuleStore(home, other).add("edit(src/**)", "project")
    RuleStore(home, other).add("edit(src/**)", "project")
    assert recalled(home, one) == ["bash(make)", odd]
    assert recalled(home, other) == [odd, "edit(src/**)"]
    file = RuleStore(home, one).file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in file.parent.iterdir()) == ["approvals.lock", "approvals.toml"]


def test_a_link_to_a_workspace_is_that_workspace(home: Home, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    RuleStore(home, tmp_path / "link").add("bash(make)", "project")
    assert recalled(home, tmp_path / "real") == ["bash(make)"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"[[allow", b"allow = 3\n", b"[[allow]]\nworkspace = 'x'\n", b"x = 1\n"]
)
def test_a_broken_file_allows_nothing_and_is_not_overwritten(home: Home, tmp_path: Path, content: bytes) -> None:
    store, book = RuleStore(home, tmp_path), RuleBook(Rules())
    store.file.parent.mkdir()
    store.file.write_bytes(content)
    store.file.chmod(0o600)
    (problem,) = store.recall(book)
    assert str(store.file) in problem
    assert book.allow == []
    with pytest.raises(UsageError):
        store.add("bash(make)", "user")
    assert store.file.read_bytes() == content


def test_a_file_that_others_may_write_allows_nothing(home: Home, tmp_path: Path) -> None:
    store, book = RuleStore(home, tmp_path), RuleBook(Rules())
    store.add("bash(make)", "user")
    store.file.chmod(0o666)
    (problem,) = store.recall(book)
    assert "chmod 600" in problem
    assert book.allow == []


def test_a_rule_that_is_none_is_left_out(home: Home, tmp_path: Path) -> None:
    store, book = RuleStore(home, tmp_path), RuleBook(Rules())
    store.add("bahs(make)", "user")
    store.add("bash(make)", "user")
    (problem,) = store.recall(book)
    assert "there is no tool bahs" in problem
    assert [rule.text for rule in book.allow] == ["bash(make)"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file", "utf-8")
    with pytest.raises(UsageError, match="cannot write"):
        RuleStore(Home(tmp_path / "config", tmp_path, tmp_path), tmp_path).add("bash(make)", "user")
