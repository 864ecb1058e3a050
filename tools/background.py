"""`background`: commands that go on while the model does something else."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import CommandRun, Preview
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.services import Job, Jobs
from claw.tooling.truncate import RESULT_LIMIT_CHARS
from claw.tools._commands import ending, folder_to_run_in, keep, preview

# Long enough to see a server fail over its port, short enough not to be noticed.
_LOOK_AFTER_START_S = 0.3


class BackgroundParams(Struct, frozen=True):
    action: Annotated[
        Literal["start", "read", "wait", "stop", "list"], Meta(description="What to do; see the description.")
    ]
    command: Annotated[str | None, Meta(description="For start: the command line, as bash reads it.")] = None
    job: Annotated[str | None, Meta(description="For read, wait and stop: the job's id, such as 1.")] = None
    timeout_s: Annotated[float, Meta(gt=0, le=600, description="For wait: seconds to wait at most.")] = 60.0
    workdir: Annotated[str | None, Meta(description="For start: folder to run in, inside the workspace.")] = None


class Background(Tool[BackgroundParams]):
    name = "background"
    params = BackgroundParams

    def access(self, params: BackgroundParams, workspace: Workspace) -> Access:
        if params.action == "start":
            cwd = workspace.resolve(params.workdir) if params.workdir else workspace.cwd
            return Access(Effect.EXECUTE, reads_all=True, command=params.command or "", cwd=cwd)
        return Access(Effect.NONE)

    def summary(self, params: BackgroundParams) -> str:
        what = params.command if params.action == "start" else params.job
        return " ".join(f"{params.action} {what or ''}".split())

    async def preview(self, params: BackgroundParams, workspace: Workspace) -> Preview:
        return preview(params.command or "", params.workdir, workspace) if params.action == "start" else Preview()

    async def run(self, params: BackgroundParams, context: ToolContext) -> ToolResult:
        jobs = context.workspace.jobs
        match params.action:
            case "start":
                return await _start(params, context.workspace)
            case "list":
                return _list(jobs)
            case "read":
                job = jobs.get(_job_id(params, jobs))
            case "wait":
                job = await jobs.wait(_job_id(params, jobs), params.timeout_s)
            case "stop":
                job = await jobs.stop(_job_id(params, jobs))
        return _report(job, context.workspace)


async def _start(params: BackgroundParams, workspace: Workspace) -> ToolResult:
    command_line = params.command or ""
    cwd = folder_to_run_in(command_line, params.workdir, workspace)
    job = workspace.jobs.adopt(await workspace.commands.start(command_line, cwd=cwd))
    return _report(await workspace.jobs.wait(job.id, _LOOK_AFTER_START_S), workspace)


def _job_id(params: BackgroundParams, jobs: Jobs) -> str:
    if params.job is not None:
        return params.job
    known = ", ".join(job.id for job in jobs.all()) or "none yet"
    raise ToolError(f"{params.action} needs `job`, the id of a job. The jobs are: {known}.", "which job?")


def _report(job: Job, workspace: Workspace) -> ToolResult:
    """What the job printed since it was last read, and how it stands."""
    text, is_cut = _news(job)
    command = job.command
    path = ""
    lines = [f"job {job.id} {_standing(job)}"]
    if is_cut and command.exit_code is not None:
        path, note = keep(command, workspace.blobs)
        lines.append(note)
    lines.append(text.removesuffix("\n") if text.strip() else "(nothing new was printed)")
    details = CommandRun(
        command.command, command.exit_code, round(command.duration_s, 3), command.output.size_bytes, path, job.id
    )
    return ToolResult.of("\n".join(lines), f"job {job.id} {_standing(job)}", details)


def _standing(job: Job) -> str:
    command = job.command
    if command.exit_code is None:
        return f"runs for {command.duration_s:.1f} s"
    return f"ended after {command.duration_s:.1f} s: {ending(command.exit_code, command.note)}"


def _news(job: Job) -> tuple[str, bool]:
    """The newest of what was not read yet, and whether something before it was passed over."""
    output = job.command.output
    start = max(job.offset_bytes, output.size_bytes - RESULT_LIMIT_CHARS)
    n_passed_over = start - job.offset_bytes
    text, job.offset_bytes = output.read(start, RESULT_LIMIT_CHARS)
    return (f"[… {n_passed_over} bytes passed over …]\n{text}", True) if n_passed_over else (text, False)


def _list(jobs: Jobs) -> ToolResult:
    lines = [f"{job.id}  {_standing(job)}  {' '.join(job.command.command.split())[:200]}" for job in jobs.all()]
    return ToolResult.of("\n".join(lines) or "No job was started in this session.", f"{len(lines)} jobs")
