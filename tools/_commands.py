"""What the tools that run commands have in common."""

from __future__ import annotations

import signal
from pathlib import Path

from claw.errors import ToolError
from claw.protocol.details import Preview
from claw.tooling.base import Workspace
from claw.tooling.services import Blobs, Command
from claw.tools._programs import programs_of


def folder_to_run_in(command: str, workdir: str | None, workspace: Workspace) -> Path:
    """*Errors*: ToolError for an empty command, and for a folder that is none or lies outside the roots."""
    if not command.strip():
        raise ToolError("the command is empty. Nothing was run.", "empty command")
    if workdir is None:
        return workspace.cwd
    folder = workspace.resolve(workdir)
    boundary = workspace.boundary
    if not boundary.unconfined and not any(
        folder.is_relative_to(inside) for inside in (*boundary.roots, *boundary.scratch)
    ):
        roots = ", ".join(map(str, workspace.roots))
        raise ToolError(f"workdir {folder} lies outside the workspace: {roots}. Nothing was run.", "outside")
    if not folder.is_dir():
        raise ToolError(f"workdir {folder} is not a folder. Nothing was run.", "no such folder")
    return folder


def preview(command: str, workdir: str | None, workspace: Workspace) -> Preview:
    """*Errors*: as for `folder_to_run_in`."""
    cwd = folder_to_run_in(command, workdir, workspace)
    return Preview(command=command, cwd=str(cwd), programs=programs_of(command, cwd))


def ending(exit_code: int, note: str = "") -> str:
    """How a command ended, in a few words; `note` is what is known besides."""
    if note:
        return f"{ending(exit_code)}: {note}"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"ended by signal {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"ended by signal {-exit_code}"


def keep(command: Command, blobs: Blobs) -> tuple[str, str]:
    """Path of the blob with the whole output of an ended command, and the line that tells of it."""
    size_bytes = command.output.size_bytes
    try:
        blob = command.output.keep(blobs)
    except OSError as error:
        return "", f"[the whole output, {size_bytes} bytes, could not be kept: {error.strerror}]"
    whole = "the whole output" if blob.size_bytes >= size_bytes else f"the first {blob.size_bytes} bytes of the output"
    return blob.path, f"[{whole} of {size_bytes} bytes is in {blob.path}]"
