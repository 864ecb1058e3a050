"""Where claw keeps its own files.

`CLAW_HOME` puts everything under one folder; without it the platform's folders are used.
Folders are made with mode 0700: sessions hold source code and command output.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Home(NamedTuple):
    """The three roots of claw's own files."""

    config: Path
    state: Path
    cache: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def sessions(self) -> Path:
        return self.state / "sessions"


def find_home(environ: Mapping[str, str] | None = None) -> Home:
    """Read `CLAW_HOME`, else ask the platform. Creates nothing."""
    environ = os.environ if environ is None else environ
    if root := environ.get("CLAW_HOME"):
        base = Path(root).expanduser().absolute()
        return Home(base / "config", base / "state", base / "cache")
    import platformdirs  # costs 15 ms; not needed where CLAW_HOME is set

    dirs = platformdirs.PlatformDirs("claw", appauthor=False)
    return Home(dirs.user_config_path, dirs.user_state_path, dirs.user_cache_path)


def make_private_folder(path: Path) -> Path:
    """Create `path` and its parents, readable by the user alone; return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
