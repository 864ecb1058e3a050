"""Which of some names are there in a folder, for as little time as that can be known."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_MANY = 300  # entries: from there on a listing takes longer than a look at each name


class Places:
    """Places in one folder, by their lower-case names.

    *Cost*: a listing, and an `lstat` for each that is there; for each that is not, too, if the folder is large,
    or if another spelling could mean the same: a file system that folds case ignores more than case.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = os.fspath(folder)
        # Made once: a Path that is used again knows its text.
        self._paths = {name: folder / name for name in names}
        self._looks_for_each = sys.platform != "linux"

    def modes(self) -> dict[Path, int]:
        """Of those that are there; links are not followed."""
        found = {path: mode_of(path) for path in self._likely()}
        return {path: mode for path, mode in found.items() if mode is not None}

    def paths(self) -> Iterable[Path]:
        return self._paths.values()

    def _likely(self) -> Iterable[Path]:
        if not self._looks_for_each:
            try:
                entries = os.listdir(self._folder)
            except OSError:  # not a folder, or one that may be entered but not listed
                return self._paths.values()
            self._looks_for_each = len(entries) > _MANY
            if all(map(str.isascii, entries)):
                return [path for name in entries if (path := self._paths.get(name.lower()))]
        return self._paths.values()


def mode_of(path: Path) -> int | None:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return None
