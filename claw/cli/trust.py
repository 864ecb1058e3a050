"""`claw trust`: look at what a folder would make claw do, and let it, or no longer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from claw.cli.tables import print_table
from claw.errors import UsageError
from claw.paths import find_home
from claw.permissions.project import read_project
from claw.permissions.survey import survey
from claw.permissions.trust import TrustStore, objection_to_run
from claw.printable import printable

HELP = "Show what a folder would make claw do, and trust it: its AGENTS.md and .claw/config.toml are then heard."


def trust(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder; without it the current one.")] = Path(),
    show_all: Annotated[bool, typer.Option("--list", help="The folders that are trusted.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust the folder no longer.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Trust it without asking.")] = False,
) -> None:
    """The body of the command. *Errors*: UsageError."""
    if show_all + revoke + yes > 1:
        raise UsageError("--list, --revoke and --yes exclude each other")
    store = TrustStore(find_home())
    if show_all:
        _list(store)
        return
    try:
        folder = path.expanduser().resolve()
    except RuntimeError as error:  # a circle of links, an unknown user
        raise UsageError(f"{path}: {error}") from None
    shown = printable(str(folder))
    if revoke:
        print(f"{shown} is trusted no longer." if store.revoke(folder) else f"{shown} was not trusted.")
        return
    if not folder.is_dir():
        raise UsageError(f"{shown} is not a folder")
    project = read_project(folder)
    print(shown)
    for line in survey(project):
        print(f"  {line}")
    if store.trusts(folder) and not objection_to_run(project, store):
        print("It is trusted as it stands. To take that back: claw trust --revoke")
        return
    if not yes and not _agreed():
        print("It is not trusted.")
        raise typer.Exit(1)
    store.trust(project)
    print("It is trusted.")


def _agreed() -> bool:
    """*Errors*: UsageError where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("there is no terminal to ask at; look at the folder, then trust it with --yes")
    print("Trust this folder, and nothing above it? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _list(store: TrustStore) -> None:
    records = store.records()
    if not records:
        print("No folder is trusted.")
        return
    rows = [(record.since, _state(store, record.path), printable(record.path)) for record in records]
    print_table([("SINCE", "STATE", "FOLDER"), *rows])


def _state(store: TrustStore, path: str) -> str:
    folder = Path(path)
    if not folder.is_dir():
        return "gone"
    if not store.trusts(folder):
        return "replaced"
    return "changed" if objection_to_run(read_project(folder), store) else "trusted"
