"""Which folders the user trusts, and what of them is heard.

Nothing that a folder says of itself is interpreted before the user trusts the folder: no configuration, no
instructions for the model, no pointer of git to somewhere else. A `.env` is never loaded, whoever is trusted.

Trust belongs to one folder, found by its canonical path, device and inode: not to its parents, not to what
lies in it, not to another folder that took its place. What a folder would make claw run is approved by its
hash besides, and has to be approved again when it changes. Without a screen nobody can be asked, so there a
run is told with `--trust`: it vouches for the folder as it is now, but not for executable configuration that
differs from what was once approved for that path.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from claw.config import Settings
from claw.errors import UsageError
from claw.paths import Home
from claw.permissions.private_toml import PrivateToml, table
from claw.permissions.project import CONFIG_FILE, Project, present_in, read_project
from claw.permissions.tighten import tighten
from claw.printable import one_line
from claw.protocol.events import Notice

_HEAD = "# Folders that claw trusts. Written by `claw trust`; `claw trust --revoke` takes one out.\n"


class TrustedFolder(Struct, frozen=True, forbid_unknown_fields=True):
    """`executables` is the hash of the executable configuration as it was approved, `since` an ISO date."""

    path: str
    device: int
    inode: int
    executables: str
    since: str


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    folder: tuple[TrustedFolder, ...] = ()


class TrustStore:
    """The trusted folders, in a file of the user's alone. Two processes may write it at the same time."""

    def __init__(self, home: Home) -> None:
        self.file = home.config / "trust.toml"
        self._toml = PrivateToml(self.file, _File, _HEAD)

    def records(self) -> tuple[TrustedFolder, ...]:
        """*Errors*: UsageError for a file that cannot be read, or that others can write."""
        return self._toml.read().folder

    def trusts(self, folder: Path) -> bool:
        """Whether the user trusts exactly this folder, and it is still the same one."""
        record = self.approved(folder)
        try:
            info = os.stat(folder)
        except OSError:
            return False
        return record is not None and (record.device, record.inode) == (info.st_dev, info.st_ino)

    def approved(self, folder: Path) -> TrustedFolder | None:
        """What was approved at this path, for whatever folder was there then."""
        path = str(folder.resolve())
        return next((record for record in self.records() if record.path == path), None)

    def trust(self, project: Project) -> TrustedFolder:
        """Trust the folder, and approve its executables as they were read.

        *Errors*: UsageError where they cannot be approved, or the store cannot be written.
        """
        if not project.digest:
            names = one_line(", ".join(project.executables), 300)
            raise UsageError(f"not all that {_shown(project.folder)} would run can be read: {names}")
        folder = project.folder.resolve()
        info = os.stat(folder)
        today = datetime.date.today().isoformat()
        record = TrustedFolder(str(folder), info.st_dev, info.st_ino, project.digest, today)
        with self._toml.changing():
            self._toml.write(_as_toml((*(each for each in self.records() if each.path != record.path), record)))
        return record

    def revoke(self, folder: Path) -> bool:
        """Whether there was trust to take back. The folder itself may be gone."""
        path = str(folder.resolve())
        with self._toml.changing():
            records = self.records()
            kept = tuple(record for record in records if record.path != path)
            if len(kept) != len(records):
                self._toml.write(_as_toml(kept))
        return len(kept) != len(records)


def _shown(folder: Path) -> str:
    return one_line(str(folder), 300)


def _as_toml(records: Iterable[TrustedFolder]) -> str:
    return "".join(table("folder", msgspec.structs.asdict(record)) for record in records)


def hear_project(settings: Settings, store: TrustStore) -> tuple[Settings, list[Notice]]:
    """`settings` after the project's own configuration was heard, and what is to be said about it.

    Without `settings.trust` nothing is read; the notice names what was left alone.
    *Errors*: UsageError if the store cannot be read.
    """
    folder = settings.cwd
    if not settings.trust:
        left = present_in(folder)
        return settings, [
            Notice(text=f"{_shown(folder)} is not trusted, and not read: {', '.join(left)}")
        ] if left else []
    project = read_project(folder)
    notices = []
    if project.problem:
        notices.append(Notice(text=f"{CONFIG_FILE} is ignored: {project.problem}"))
    objection = objection_to_run(project, store)
    if objection:
        notices.append(Notice(text=objection))
    settings, refused = tighten(settings, project.values, runs=not objection)
    return settings, notices + refused


def objection_to_run(project: Project, store: TrustStore) -> str:
    """Why what the project would run is ignored; empty where it may run, or there is nothing."""
    if not project.executables:
        return ""
    names = one_line(", ".join(project.executables), 300)
    if not project.digest:
        return f"{names}: ignored, since not all of it can be read, and so none of it was approved"
    record = store.approved(project.folder)
    if record is None or record.executables == project.digest:
        return ""
    return (
        f"{names}: ignored, since it is not what was approved on {record.since}. "
        f"Look at it and approve it again: claw trust {_shown(project.folder)}"
    )
