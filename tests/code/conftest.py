"""Real repositories, one of them hostile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# What the user's own configuration says must not decide what the tests see.
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": os.devnull}


def git(folder: Path, *args: str) -> str:
    """Git as anyone runs it, unprotected."""
    argv = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *args]
    done = subprocess.run(argv, cwd=folder, env=ENVIRON, capture_output=True, text=True, check=True)
    return done.stdout


def make_repository(folder: Path) -> Path:
    """`kept.txt`, `edited.txt` and `gone.txt` in one commit; `*.log` is ignored."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q")
    git(folder, "config", "user.name", "Ada")
    git(folder, "config", "user.email", "ada@example.org")
    for name in ("kept.txt", "edited.txt", "gone.txt"):
        (folder / name).write_text(f"{name} one\n{name} two\n")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def make_hostile(folder: Path, canary: Path) -> None:
    """Point everything that git can run at a program that creates a file in the folder `canary`."""
    canary.mkdir()
    trap = folder / ".git" / "trap"
    trap.write_text(f'#!/bin/sh\ntouch "{canary}/$(basename "$0")-$PPID"\ncat 2>/dev/null\nexit 0\n')
    trap.chmod(0o755)
    for hook in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-index-change"):
        (folder / ".git" / "hooks" / hook).write_text(trap.read_text())
        (folder / ".git" / "hooks" / hook).chmod(0o755)
    (folder / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    settings = {
        "core.fsmonitor": f"{trap}",
        "core.hooksPath": f"{folder}/.git/hooks",
        "core.pager": f"{trap}",
        "core.editor": f"{trap}",
        "core.sshCommand": f"{trap}",
        "core.askPass": f"{trap}",
        "pager.log": f"{trap}",
        "pager.diff": f"{trap}",
        "diff.external": f"{trap}",
        "diff.evil.command": f"{trap}",
        "diff.evil.textconv": f"{trap}",
        "filter.evil.clean": f"{trap}",
        "filter.evil.smudge": f"{trap}",
        "filter.evil.process": f"{trap}",
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "gpg.program": f"{trap}",
        "credential.helper": f"!{trap}",
        "alias.status": f"!{trap}",
        "alias.diff": f"!{trap}",
        "interactive.diffFilter": f"{trap}",
    }
    for name, value in settings.items():
        git(folder, "config", name, value)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path.resolve() / "repository")
