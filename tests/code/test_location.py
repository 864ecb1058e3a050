"""Pointers that a stranger wrote are followed only where they are what they say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from claw.code.location import Location, locate
from tests.code.conftest import git, make_repository


def test_a_plain_repository(repository: Path) -> None:
    (repository / "sub").mkdir()
    here = Location(repository, repository / ".git", repository / ".git")
    assert locate(repository / "sub") == here
    assert locate(repository / "sub", follow_pointers=True) == here


def test_a_genuine_submodule(repository: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    git(repository, "submodule", "-q", "add", str(other), "sub")
    git_dir = repository / ".git" / "modules" / "sub"
    assert locate(repository / "sub") is None
    assert locate(repository / "sub", follow_pointers=True) == Location(repository / "sub", git_dir, git_dir)
    linked = tmp_path.resolve() / "linked"
    git(repository, "commit", "-qm", "sub")
    git(repository, "worktree", "add", "-q", str(linked))
    git(linked, "submodule", "-q", "update", "--init")
    git_dir = repository / ".git" / "worktrees" / "linked" / "modules" / "sub"
    assert locate(linked / "sub", follow_pointers=True) == Location(linked / "sub", git_dir, git_dir)


@pytest.mark.parametrize("pointer", ["{private}/.git", "../private/.git", "{private}/.git/worktrees/linked"])
def test_a_pointer_into_another_repository_is_not_followed(repository: Path, tmp_path: Path, pointer: str) -> None:
    private = make_repository(tmp_path.resolve() / "private")
    git(private, "worktree", "add", "-q", str(tmp_path / "linked"))
    stranger = repository / "stranger"
    stranger.mkdir()
    for folder in (stranger, tmp_path.resolve() / "lonely"):
        folder.mkdir(exist_ok=True)
        (folder / ".git").write_text(f"gitdir: {pointer.format(private=private)}\n")
        for follow in (False, True):
            assert locate(folder, follow_pointers=follow) is None


def test_a_work_tree_of_ones_own_making_does_not_borrow(tmp_path: Path) -> None:
    """It names itself on both ends, and takes its objects and its configuration from somewhere else."""
    private = make_repository(tmp_path.resolve() / "private")
    folder = tmp_path.resolve() / "app"
    git_dir = folder / "meta" / "worktrees" / "x"
    git_dir.mkdir(parents=True)
    (folder / ".git").write_text("gitdir: meta/worktrees/x\n")
    (git_dir / "gitdir").write_text(f"{folder}/.git\n")
    (git_dir / "commondir").write_text(f"{private}/.git\n")
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    assert git(folder, "log", "--format=%s") == "first\n"  # git follows
    assert locate(folder, follow_pointers=True) is None


def test_a_folder_that_borrows(repository: Path, tmp_path: Path) -> None:
    private = make_repository(tmp_path.resolve() / "private")
    (repository / ".git" / "commondir").write_text(f"{private}/.git\n")
    assert locate(repository, follow_pointers=True) is None


@pytest.mark.parametrize("kind", ["link", "pipe", "garbage", "circle", "nul", "long"])
def test_what_is_no_pointer_ends_the_search(repository: Path, kind: str) -> None:
    folder = repository / "sub"
    folder.mkdir()
    pointer = folder / ".git"
    match kind:
        case "link":
            pointer.symlink_to(repository / ".git")
        case "pipe":
            os.mkfifo(pointer)
        case "garbage":
            pointer.write_bytes(b"\xff\xfe")
        case "circle":
            (folder / "a").symlink_to("a")
            pointer.write_text("gitdir: a\n")
        case "nul":
            pointer.write_bytes(b"gitdir: a\0b")
        case "long":
            pointer.write_text("gitdir: " + "x/" * 100_000)
    for follow in (False, True):
        assert locate(folder, follow_pointers=follow) is None
