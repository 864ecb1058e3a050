"""Commands that go on in the background, and the word that they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from claw.errors import ToolError
from claw.tooling.services import Command, Job


class BackgroundJob:
    """A command with a number. `offset_bytes` is how far the model has read its output."""

    def __init__(self, job_id: str, command: Command) -> None:
        self.id = job_id
        self.command = command
        self.offset_bytes = 0
        self.n_waiting = 0
        self.end_is_known = False


class BackgroundJobs:
    """The jobs of a session, numbered from 1; finished ones stay, so that they can be read.

    `on_finished` is called once for each job that ends by itself while nobody waits for it: not for
    one that was stopped, nor for one whose end a `wait` or a `stop` has told.
    """

    def __init__(self, on_finished: Callable[[Job], None]) -> None:
        self._on_finished = on_finished
        self._jobs: dict[str, BackgroundJob] = {}
        self._watchers: set[asyncio.Task[None]] = set()

    def adopt(self, command: Command) -> BackgroundJob:
        """Make a command that was started a job of the session."""
        job = BackgroundJob(str(len(self._jobs) + 1), command)
        self._jobs[job.id] = job
        watcher = asyncio.get_running_loop().create_task(self._watch(job), name=f"job-{job.id}")
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return job

    async def _watch(self, job: BackgroundJob) -> None:
        await job.command.wait()
        if not job.n_waiting and not job.end_is_known:
            job.end_is_known = True
            self._on_finished(job)

    def get(self, job_id: str) -> BackgroundJob:
        if job := self._jobs.get(job_id.strip()):
            return job
        known = f"The jobs are: {', '.join(self._jobs)}." if self._jobs else "No job was started in this session."
        raise ToolError(f"there is no job {job_id!r}. {known}", "no such job")

    def all(self) -> tuple[BackgroundJob, ...]:
        return tuple(self._jobs.values())

    async def wait(self, job_id: str, timeout_s: float) -> BackgroundJob:
        """Return when the job has ended, or after `timeout_s`."""
        job = self.get(job_id)
        job.n_waiting += 1
        try:
            if await job.command.wait(timeout_s) is not None:
                job.end_is_known = True
        finally:
            job.n_waiting -= 1
        return job

    async def stop(self, job_id: str) -> BackgroundJob:
        job = self.get(job_id)
        job.end_is_known = True
        await job.command.stop()
        return job

    async def close(self) -> None:
        """Tell of nothing any more. The commands themselves are stopped by whoever started them."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
