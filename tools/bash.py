"""`bash`: a command in the shell, in the foreground."""

from __future__ import annotations

import asyncio
from typing import Annotated

from msgspec import Meta, Struct

from claw.protocol.details import CommandRun, Preview
from claw.protocol.events import ToolOutput
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.services import Blobs, Command
from claw.tooling.truncate import RESULT_LIMIT_CHARS
from claw.tools._commands import ending, folder_to_run_in, keep, preview

_SHOW_EVERY_S = 0.05
_SHOWN_CHARS = 8_000


class BashParams(Struct, frozen=True):
    command: Annotated[str, Meta(description="The command line, as bash reads it. May have several lines.")]
    timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="Seconds until the command is moved to the background.")
    ] = 60.0
    workdir: Annotated[
        str | None, Meta(description="Folder to run in, inside the workspace; by default the working folder.")
    ] = None


class Bash(Tool[BashParams]):
    name = "bash"
    params = BashParams

    def access(self, params: BashParams, workspace: Workspace) -> Access:
        cwd = workspace.resolve(params.workdir) if params.workdir else workspace.cwd
        return Access(Effect.EXECUTE, reads_all=True, command=params.command, cwd=cwd)

    def summary(self, params: BashParams) -> str:
        return " ".join(params.command.split())

    async def preview(self, params: BashParams, workspace: Workspace) -> Preview:
        return preview(params.command, params.workdir, workspace)

    async def run(self, params: BashParams, context: ToolContext) -> ToolResult:
        workspace = context.workspace
        cwd = folder_to_run_in(params.command, params.workdir, workspace)
        live = LiveOutput(context)
        command = await workspace.commands.start(params.command, cwd=cwd, on_output=live.add)
        try:
            exit_code = await command.wait(params.timeout_s)
        except asyncio.CancelledError:
            await command.stop()
            raise
        finally:
            live.close()
        if exit_code is None:
            return _moved_to_background(command, params.timeout_s, workspace)
        return _finished(command, exit_code, workspace.blobs)


def _finished(command: Command, exit_code: int, blobs: Blobs) -> ToolResult:
    """The result of a command that has ended. A failing command is a result too, not an error of the tool."""
    text = command.output.text(RESULT_LIMIT_CHARS)
    notes = []
    path = ""
    if command.output.size_bytes > RESULT_LIMIT_CHARS:
        path, note = keep(command, blobs)
        notes.append(note)
    if exit_code:
        notes.append(f"[{ending(exit_code, command.note)}]")
    elif not text.strip():
        notes.append("(no output)")
    details = CommandRun(
        command.command, exit_code, round(command.duration_s, 3), command.output.size_bytes, output_blob=path
    )
    brief = f"exit {exit_code}" if exit_code >= 0 else ending(exit_code)
    return ToolResult.of(_joined(text, notes), brief, details)


def _moved_to_background(command: Command, timeout_s: float, workspace: Workspace) -> ToolResult:
    job = workspace.jobs.adopt(command)
    text = command.output.text(RESULT_LIMIT_CHARS)
    job.offset_bytes = command.output.size_bytes
    note = (
        f"[still running after {timeout_s:g} s: it goes on as background job {job.id}. Its end will be told to you. "
        f'To read what is new: background(action="read", job="{job.id}"); to end it: action="stop".]'
    )
    details = CommandRun(command.command, None, round(command.duration_s, 3), command.output.size_bytes, job=job.id)
    return ToolResult.of(_joined(text, [note]), f"goes on as job {job.id}", details)


def _joined(text: str, notes: list[str]) -> str:
    return "\n".join([*([text.removesuffix("\n")] if text.strip() else []), *notes])


class LiveOutput:
    """Passes output on to those who watch: 20 times a second at most, and the newest of it if it is much."""

    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._waiting = ""
        self._timer: asyncio.TimerHandle | None = None
        self._next_s = 0.0
        self._is_open = True

    def add(self, text: str) -> None:
        if not self._is_open:  # the call has returned, the command goes on
            return
        self._waiting = (self._waiting + text)[-_SHOWN_CHARS:]
        if self._timer is None:
            delay_s = self._next_s - self._loop.time()
            if delay_s <= 0:
                self._show()
            else:
                self._timer = self._loop.call_later(delay_s, self._show)

    def _show(self) -> None:
        self._timer = None
        self._next_s = self._loop.time() + _SHOW_EVERY_S
        if self._waiting:
            self._context.emit(ToolOutput(call_id=self._context.call_id, text=self._waiting))
            self._waiting = ""

    def close(self) -> None:
        """Show what is left; nothing is shown after it."""
        self._is_open = False
        if self._timer:
            self._timer.cancel()
        self._show()
