"""Who runs claw: root, or an ordinary user, also where the Python in use lies where that user may not look."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from pathlib import Path
from typing import NamedTuple

NOBODY = 65534


class User(NamedTuple):
    """`uid` None: whoever runs the tests."""

    name: str
    uid: int | None

    @property
    def missing(self) -> str:
        """Why claw cannot be run as this user; empty if it can."""
        if self.name == "root" and os.geteuid() != 0:
            return "only root can run claw as root"
        tools = ("unshare", "setpriv", "mount", "umount") if os.geteuid() == 0 else ()
        absent = [tool for tool in tools if not shutil.which(tool)]
        return f"needs {', '.join(absent)} of util-linux" if absent else ""

    def own(self, folder: Path) -> None:
        """Make `folder` and all in it this user's."""
        if self.uid is None:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.uid, follow_symlinks=False)

    def command(self, argv: list[str], hold: Path) -> list[str]:
        """`argv` as this user, in a mount namespace of its own: what it mounts is seen by nobody else.

        `hold` is an empty folder to mount on.
        """
        if os.geteuid() != 0:
            return argv
        script = "set -e\n"
        if self.uid is not None:
            script += _opened(hold) + f'exec setpriv --reuid {self.uid} --regid {self.uid} --clear-groups -- "$@"'
        else:
            script += 'exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", *argv]


def _opened(hold: Path) -> str:
    """Shell lines that put an open folder over each closed one, with no more in it than what Python needs."""
    closed: dict[Path, list[Path]] = {}
    for needed in _needed_folders():
        shut = next((up for up in reversed(needed.parents) if not up.stat().st_mode & stat.S_IXOTH), None)
        if shut:
            closed.setdefault(shut, []).append(needed)
    lines = []
    for shut, folders in closed.items():
        here, there = shlex.quote(str(hold)), shlex.quote(str(shut))
        lines += [f"mount --bind {there} {here}", f"mount -t tmpfs -o mode=755 none {there}"]
        for folder in folders:
            source, target = shlex.quote(str(hold / folder.relative_to(shut))), shlex.quote(str(folder))
            lines += [f"mkdir -p {target}", f"mount --bind {source} {target}"]
        lines.append(f"umount -l {here}")
    return "\n".join(lines) + "\n"


def _needed_folders() -> list[Path]:
    """Where Python, its packages and claw lie: shortest first, none within another."""
    needed: list[Path] = []
    checkout = Path(__file__).resolve().parent.parent.parent
    for place in (sys.prefix, sys.base_prefix, *sys.path, str(checkout), *os.environ.get("PYTHONPATH", "").split(":")):
        for folder in (Path(place), Path(place).resolve()):
            needed += [folder] if place and folder.is_dir() else []
    unique = sorted(set(needed), key=lambda folder: len(folder.parts))
    return [folder for folder in unique if not any(folder != up and folder.is_relative_to(up) for up in unique)]


ROOT = User("root", None)
ORDINARY = User("ordinary", NOBODY if os.geteuid() == 0 else None)
