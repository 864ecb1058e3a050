"""The real back-ends of this machine, each ready for a policy in a temporary folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from claw.protocol.events import ProtectedRestored
from claw.sandbox import select
from claw.sandbox.base import Confinement, Policy
from claw.sandbox.environment import folder_variables
from claw.sandbox.process import ShellCommand, ShellCommands

LINUX = ("bubblewrap", "bubblewrap-once", "landlock")


@dataclass
class Session:
    """A workspace with commands that are confined to it. `base` holds everything; `outside` is beside the workspace."""

    base: Path
    workspace: Path
    outside: Path
    policy: Policy
    confinement: Confinement
    commands: ShellCommands
    restored: list[ProtectedRestored] = field(default_factory=list)

    async def run(self, command: str, cwd: Path | None = None) -> ShellCommand:
        started = await self.commands.start(command, cwd=cwd or self.workspace)
        assert await started.wait(30) is not None
        return started

    async def says(self, command: str) -> str:
        return (await self.run(command)).output.text(10_000)


def open_session(
    base: Path,
    back_end: str,
    workspace: Path | None = None,
    change: Callable[[Policy], Policy] = lambda policy: policy,
    environ: dict[str, str] | None = None,
) -> Session:
    """Skips the test where this machine has not this back-end."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux")
    workspace = workspace or base / "workspace"
    for folder in (workspace, base / "outside", base / "claw/tmp", base / "claw/cache", base / "claw/spill"):
        folder.mkdir(parents=True, exist_ok=True)
    policy = change(Policy(writable=(workspace,), tmp=base / "claw/tmp", cache=base / "claw/cache"))
    environ = {**os.environ, **(environ or {}), select.WITHOUT: ",".join(without(back_end))}
    restored: list[ProtectedRestored] = []
    beginning = select.begin(policy, wanted="on", environ=environ)
    try:
        confinement = beginning.finish(quarantine=base / "claw/taken", on_restored=restored.append, home=base / "home")
    except select.NoSandbox as error:
        if "self-test" in str(error) or "cannot be started" in str(error):
            raise
        pytest.skip(str(error))
    commands = ShellCommands(
        environ, base / "claw/spill", confinement, added=folder_variables(policy.tmp, policy.cache)
    )
    return Session(base, workspace, base / "outside", policy, confinement, commands, restored)


def without(back_end: str) -> list[str]:
    """What must be left out so that this one is chosen."""
    return [name for name in select.BACK_ENDS if name != back_end]


def with_hidden(*places: Path) -> Callable[[Policy], Policy]:
    return lambda policy: msgspec.structs.replace(policy, hidden=places)
