from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from claw.code.worktree import GitWorkTree


def repository(folder: Path) -> Path:
    for args in (["init", "-q"], ["config", "user.email", "a@example.org"], ["config", "user.name", "A"]):
        subprocess.run(["git", "-C", folder, *args], check=True)
    (folder / "kept.txt").write_text("kept\n")
    (folder / "edited.txt").write_text("old\n")
    subprocess.run(["git", "-C", folder, "add", "."], check=True)
    subprocess.run(["git", "-C", folder, "commit", "-qm", "first"], check=True)
    return folder


async def test_changes_of_commands_are_seen_and_by_products_are_not(tmp_path: Path) -> None:
    tree = GitWorkTree(repository(tmp_path))
    tree.watch()
    await tree.ready()
    command = "echo new > edited.txt; echo x > added.txt; mkdir __pycache__; touch __pycache__/a.pyc"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    subprocess.run(["git", "-C", tmp_path, "commit", "-qam", "second"], check=True)
    await tree.look()
    assert tree.changed() == (str(tmp_path / "added.txt"), str(tmp_path / "edited.txt"))


async def test_the_moment_of_a_change_counts(tmp_path: Path) -> None:
    tree = GitWorkTree(repository(tmp_path))
    tree.watch()
    await tree.ready()
    now = time.time()
    (tmp_path / "edited.txt").write_text("new\n")
    os.utime(tmp_path / "edited.txt", (now, now))
    await tree.look()
    assert tree.changed_after(now - 1)
    assert not tree.changed_after(now)


async def test_outside_a_repository_nothing_is_seen(tmp_path: Path) -> None:
    tree = GitWorkTree(tmp_path)
    tree.watch()
    await tree.ready()
    (tmp_path / "new").touch()
    await tree.look()
    assert (tree.changed(), tree.changed_after(0)) == ((), False)
