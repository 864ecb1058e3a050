"""What frontends may know of the place that claw works in: its files, its branch, its hosts, whether it is trusted.

Everything here blocks, so a screen asks for it in a thread.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from claw.code.location import locate
from claw.config import Settings
from claw.paths import Home
from claw.permissions.project import read_project
from claw.permissions.survey import survey
from claw.permissions.trust import TrustStore
from claw.providers.catalog import load_catalog
from claw.tools._search import find_ripgrep

MOST_FILES = 200_000
_WITHIN_S = 20.0


def known_hosts(settings: Settings) -> Sequence[str]:
    """By name. *Errors*: UsageError for tables of the user's that cannot be read."""
    return sorted(load_catalog(settings.hosts, settings.models).hosts)


def known_models(settings: Settings) -> Sequence[str]:
    """Those that the host of the settings is known to serve. *Errors*: UsageError."""
    catalog = load_catalog(settings.hosts, settings.models)
    host = catalog.hosts.get(settings.host)
    return sorted({*host.models, host.default_model}) if host else sorted(catalog.models)


def list_files(cwd: Path) -> Sequence[str]:
    """Paths of files below `cwd`, relative, with what .gitignore leaves out left out; at most `MOST_FILES`.

    *Cost*: with ripgrep some 0.1 s for 50,000 files.
    """
    if rg := find_ripgrep([cwd]):
        command = [
            str(rg),
            "--files",
            "--hidden",
            "--glob",
            "!.git",
            "--no-messages",
            "--no-require-git",
            "--no-config",
        ]
        try:
            done = subprocess.run(command, cwd=cwd, capture_output=True, timeout=_WITHIN_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return []
        return sorted(done.stdout.decode("utf-8", "replace").splitlines()[:MOST_FILES])
    found: list[str] = []
    for folder, folders, files in os.walk(cwd):
        folders[:] = sorted(name for name in folders if name != ".git")
        found += [os.path.relpath(os.path.join(folder, name), cwd) for name in sorted(files)]
        if len(found) >= MOST_FILES:
            break
    return found[:MOST_FILES]


def branch_of(cwd: Path) -> str:
    """The branch that is checked out, or the first digits of the commit; empty without a repository."""
    location = locate(cwd, follow_pointers=True)
    if location is None:
        return ""
    try:
        head = (location.git_dir / "HEAD").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else head[:8]


def trust_of(folder: Path, home: Home) -> tuple[bool, Sequence[str]]:
    """Whether the folder is trusted, and what it would make claw do. *Errors*: UsageError."""
    return TrustStore(home).trusts(folder), survey(read_project(folder))


def set_trust(folder: Path, home: Home, trusted: bool) -> None:
    """*Errors*: UsageError."""
    store = TrustStore(home)
    if trusted:
        store.trust(read_project(folder))
    else:
        store.revoke(folder)
