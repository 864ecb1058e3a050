"""Stand-ins for the services that a tool under test must not need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from claw.errors import ToolError
from claw.tooling.services import Command, Job


class FakeCommands:
    """A system that can start no process."""

    async def start(
        self,
        command: str,
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> Command:
        raise ToolError(f"no process can be started here: {command!r}", "no processes")


class FakeJobs:
    """A session without background commands."""

    def adopt(self, command: Command) -> Job:
        raise ToolError("no background commands here", "no jobs")

    def get(self, job_id: str) -> Job:
        raise ToolError(f"there is no job {job_id!r}", "no such job")

    def all(self) -> tuple[Job, ...]:
        return ()

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        return self.get(job_id)

    async def stop(self, job_id: str) -> Job:
        return self.get(job_id)
