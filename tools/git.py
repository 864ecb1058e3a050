"""`git`: looking at a repository, and committing to it, without running anything of its own."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from msgspec import Meta, Struct

from claw.code.location import locate
from claw.code.repository import Repository
from claw.errors import ToolError
from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.truncate import cap_result

_Line = Annotated[int, Meta(ge=1, description="For blame: a line, counted from 1.")]


class GitParams(Struct, frozen=True):
    action: Annotated[
        Literal["status", "diff", "log", "blame", "show", "commit"],
        Meta(description="What to do; see the description."),
    ]
    paths: Annotated[
        list[str], Meta(description="Files or folders, relative to the working folder, taken literally.")
    ] = []
    revision: Annotated[
        str, Meta(description="A commit, branch or tag; a range a..b for diff and log; commit:path for show.")
    ] = ""
    staged: Annotated[bool, Meta(description="For diff: what is staged instead of what is not.")] = False
    stat: Annotated[bool, Meta(description="For diff and show: names and counts of changed files only.")] = False
    max_count: Annotated[int, Meta(ge=1, le=1000, description="For log: commits at most.")] = 20
    start_line: _Line | None = None
    end_line: _Line | None = None
    message: Annotated[str, Meta(description="For commit: subject line, empty line, body.", max_length=20_000)] = ""


class Git(Tool[GitParams]):
    name = "git"
    params = GitParams

    def access(self, params: GitParams, workspace: Workspace) -> Access:
        location = locate(workspace.cwd, follow_pointers=bool(workspace.boundary.git_folders))
        folders = frozenset({location.git_dir.resolve(), location.common_dir.resolve()} if location else ())
        if params.action == "commit":
            return Access(Effect.WRITE, writes=folders, reads_all=True)
        # What looks at the work tree waits for the edits before it.
        return Access(Effect.READ, reads=folders, reads_all=params.action in ("status", "diff", "blame"))

    def summary(self, params: GitParams) -> str:
        what = params.message.strip().partition("\n")[0] if params.action == "commit" else params.revision
        return " ".join([params.action, *what.split(), *params.paths])

    async def run(self, params: GitParams, context: ToolContext) -> ToolResult:
        text = await asyncio.to_thread(_run, params, context.workspace)
        text = _as_text(text) or "(nothing)"
        n_lines = text.count("\n") + (not text.endswith("\n"))
        return ToolResult.of(
            cap_result(text, context.workspace.blobs), f"{n_lines} lines", Lines(f"git {params.action}", n_lines)
        )


def _run(params: GitParams, workspace: Workspace) -> str:
    repository = Repository(workspace.cwd, follow_pointers=bool(workspace.boundary.git_folders))
    match params.action:
        case "status":
            return repository.status()
        case "diff":
            return repository.diff(revision=params.revision, staged=params.staged, stat=params.stat, paths=params.paths)
        case "log":
            return repository.log(revision=params.revision, max_count=params.max_count, paths=params.paths)
        case "blame":
            if len(params.paths) != 1:
                raise ToolError(f"blame needs one path in `paths`, and got {len(params.paths)}.", "which file?")
            return repository.blame(
                path=params.paths[0],
                revision=params.revision,
                start_line=params.start_line,
                end_line=params.end_line,
            )
        case "show":
            return repository.show(revision=params.revision, stat=params.stat, paths=params.paths)
        case "commit":
            return repository.commit(message=params.message, paths=params.paths)


def _as_text(output: str) -> str:
    """*Errors*: ToolError for a binary file, shown by its name in a commit."""
    if "\0" in output[:8_000]:
        raise ToolError("this is a binary file; it is not shown as text.", "binary file")
    return output
