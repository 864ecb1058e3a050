"""A bench whose commands and background jobs are real."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from claw.sandbox.jobs import BackgroundJobs
from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommands
from claw.tooling.base import Workspace
from claw.tooling.services import Job
from tests.tools.conftest import Bench


class ShellBench(Bench):
    """`told` are the ids of the jobs whose end was pushed."""

    told: list[str]

    @property
    def jobs(self) -> list[str]:
        return [job.id for job in self.workspace.jobs.all()]


@asynccontextmanager
async def shell_bench(workspace: Workspace, spill_folder: Path) -> AsyncIterator[ShellBench]:
    spill_folder.mkdir()
    told: list[str] = []

    def tell(job: Job) -> None:
        told.append(job.id)

    commands = ShellCommands(os.environ, spill_folder, Plain())
    jobs = BackgroundJobs(tell)
    bench = ShellBench(replace(workspace, commands=commands, jobs=jobs))
    bench.told = told
    yield bench
    await jobs.close()
    await commands.close(grace_s=0.2)
