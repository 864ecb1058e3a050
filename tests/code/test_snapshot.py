"""Which files changed between two moments, whoever changed them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from claw.code.snapshot import changed_files, changes_since, snapshot
from tests.code.conftest import ENVIRON, git, make_repository


class Watched:
    """A repository, and the changes in it since the start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def start(self) -> None:
        self.before = await snapshot(self.folder, environ=ENVIRON)
        assert self.before

    async def changes(self) -> list[str]:
        assert self.before
        changed = await changes_since(self.before, environ=ENVIRON)
        assert changed is not None
        return [str(path.relative_to(self.folder)) for path in changed]

    def write(self, name: str, text: str = "new\n") -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def git(self, *args: str) -> str:
        return git(self.folder, *args)


@pytest.fixture
async def watched(repository: Path) -> Watched:
    """With one file that is dirty from the start, staged another, and untracked a third."""
    watched = Watched(repository)
    watched.write("dirty.txt", "committed\n")
    watched.write("staged.txt", "committed\n")
    watched.git("add", ".")
    watched.git("commit", "-qm", "second")
    watched.write("dirty.txt", "dirty\n")
    watched.write("staged.txt", "staged\n")
    watched.git("add", "staged.txt")
    watched.write("untracked.txt")
    await watched.start()
    return watched


async def test_nothing_changed(watched: Watched) -> None:
    (watched.folder / "x.log").touch()
    os.utime(watched.folder / "kept.txt")
    assert await watched.changes() == []


async def test_edits_additions_deletions(watched: Watched) -> None:
    watched.write("edited.txt")
    watched.write("deep/down/new ä\n.txt")
    watched.write("dirty.txt", "dirtier\n")
    (watched.folder / "gone.txt").unlink()
    (watched.folder / "untracked.txt").unlink()
    (watched.folder / "kept.txt").chmod(0o755)
    assert await watched.changes() == [
        "deep/down/new ä\n.txt", "dirty.txt", "edited.txt", "gone.txt", "kept.txt", "untracked.txt",
    ]  # fmt: skip


async def test_staging_and_committing_change_no_file(watched: Watched) -> None:
    watched.git("add", ".")
    assert await watched.changes() == []
    watched.git("commit", "-qm", "all of it")
    assert await watched.changes() == []


async def test_a_change_that_was_committed_is_one(watched: Watched) -> None:
    watched.write("edited.txt")
    watched.write("new.txt")
    watched.write("dirty.txt", "dirtier\n")
    watched.git("rm", "-q", "gone.txt")
    watched.git("add", ".")
    watched.git("commit", "-qm", "third")
    assert await watched.changes() == ["dirty.txt", "edited.txt", "gone.txt", "new.txt"]


async def test_a_change_that_was_undone_is_none(watched: Watched) -> None:
    watched.write("edited.txt")
    watched.git("commit", "-qam", "third")
    watched.git("checkout", "-q", "HEAD~1", "--", "edited.txt")
    watched.git("commit", "-qam", "undone")
    assert await watched.changes() == []


async def test_moving_the_branch_back_changes_no_file(watched: Watched) -> None:
    watched.git("reset", "-q", "--soft", "HEAD~1")
    assert await watched.changes() == []


async def test_dirty_files_that_were_reverted_did_change(watched: Watched) -> None:
    watched.git("checkout", "-q", "--", "dirty.txt")
    assert await watched.changes() == ["dirty.txt"]


async def test_another_branch(watched: Watched) -> None:
    watched.git("stash", "-qu")
    await watched.start()
    watched.git("checkout", "-q", "-b", "other", "HEAD~1")
    assert await watched.changes() == ["dirty.txt", "staged.txt"]


async def test_a_link_counts_as_what_it_is(watched: Watched) -> None:
    (watched.folder / "link").symlink_to("kept.txt")
    await watched.start()
    watched.write("link")  # through it
    assert await watched.changes() == ["kept.txt"]


async def test_from_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    watched = Watched(tmp_path.resolve())
    watched.write("old.txt")
    await watched.start()
    watched.write("new.txt")
    watched.git("add", ".")
    watched.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "first")
    assert await watched.changes() == ["new.txt"]


async def test_names_that_are_no_unicode(watched: Watched) -> None:
    name = os.fsdecode(b"caf\xe9")
    watched.write(name)
    assert await watched.changes() == [name]


async def test_a_commit_that_is_gone_leaves_what_is_dirty(watched: Watched) -> None:
    watched.write("edited.txt")
    assert watched.before
    lost = type(watched.before)(
        watched.before.location, "1" * 40, watched.before.dirty, untracked=watched.before.untracked
    )
    assert await changes_since(lost, environ=ENVIRON) == (watched.folder / "edited.txt",)


async def test_a_repository_that_went_away_is_unknown(watched: Watched) -> None:
    (watched.folder / ".git").rename(watched.folder / "no longer")
    assert watched.before
    assert await changes_since(watched.before, environ=ENVIRON) is None


async def test_two_repositories_cannot_be_compared(watched: Watched, tmp_path: Path) -> None:
    other = await snapshot(make_repository(tmp_path / "other"), environ=ENVIRON)
    assert watched.before
    assert other
    with pytest.raises(ValueError, match="two work trees"):
        await changed_files(watched.before, other)
