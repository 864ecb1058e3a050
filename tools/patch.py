"""Changes to several files in one `*** Begin Patch` text: planned as a whole, then applied."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import FileChange, FileDiffs, Preview
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.disk import Disk
from claw.tools._changes import preview
from claw.tools._patch_format import AddFile, DeleteFile, Operation, UpdateFile, parse_patch, paths_of
from claw.tools._patch_plan import Plan, Step
from claw.tools._paths import shown
from claw.tools._text import plural

_LETTERS = {"added": "A", "modified": "M", "deleted": "D"}


class PatchParams(Struct):
    patch: Annotated[str, Meta(description="The whole patch, from '*** Begin Patch' to '*** End Patch'.")]


class Patch(Tool[PatchParams]):
    name = "patch"
    params = PatchParams

    def access(self, params: PatchParams, workspace: Workspace) -> Access:
        """Of a malformed patch, what its headers name: `run` will say what is wrong with it."""
        try:
            return _access(parse_patch(params.patch), workspace)
        except ToolError:
            writes: set[Path] = set()
            for path in paths_of(params.patch):
                with contextlib.suppress(ToolError):
                    writes.add(workspace.resolve(path))
            return Access(Effect.WRITE, writes=frozenset(writes))

    def summary(self, params: PatchParams) -> str:
        paths = list(dict.fromkeys(paths_of(params.patch)))
        return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")

    async def preview(self, params: PatchParams, workspace: Workspace) -> Preview:
        return preview(
            self.access(params, workspace),
            workspace,
            lambda disk: [step.change(disk) for step in _planned(params, disk, workspace)],
        )

    async def run(self, params: PatchParams, context: ToolContext) -> ToolResult:
        disk = context.disk
        steps = _planned(params, disk, context.workspace)
        done: list[FileChange] = []
        for step in steps:
            try:
                done.append(step.apply(context, disk))
            except ToolError as error:
                if not done:
                    raise
                left = [shown(disk, other.path) for other in steps[len(done) + 1 :]]
                changed = ", ".join(change.path for change in done)
                missing = ", ".join([shown(disk, step.path), *left])
                raise ToolError(
                    f"{error} The patch was applied in part. Done: {changed}. Not done: {missing}. "
                    "Patch only what is not done.",
                    "applied in part",
                ) from None
        n_added, n_removed = sum(change.n_added for change in done), sum(change.n_removed for change in done)
        rows = [f"{_LETTERS[change.kind]} {change.path} (+{change.n_added} −{change.n_removed})" for change in done]
        return ToolResult.of(
            f"patched {plural(len(done), 'file')}:\n" + "\n".join(rows),
            f"{plural(len(done), 'file')}, +{n_added} −{n_removed}",
            FileDiffs(tuple(done)),
        )


def _planned(params: PatchParams, disk: Disk, workspace: Workspace) -> list[Step]:
    """*Errors*: ToolError if it cannot all be done."""
    plan = Plan(workspace, disk)
    for operation in parse_patch(params.patch):
        plan.add(operation)
    plan.require_all_fit()
    return plan.steps()


def _access(operations: list[Operation], workspace: Workspace) -> Access:
    reads: set[Path] = set()
    writes: set[Path] = set()
    for operation in operations:
        match operation:
            case AddFile(path):
                writes.add(workspace.resolve(path))
            case DeleteFile(path):
                writes.add(workspace.resolve(path, follow_last=False))
            case UpdateFile(path, None):
                reads.add(workspace.resolve(path))
                writes.add(workspace.resolve(path))
            case UpdateFile(path, str(target)):
                reads.add(workspace.resolve(path))
                writes |= {workspace.resolve(path, follow_last=False), workspace.resolve(target)}
    return Access(Effect.WRITE, reads=frozenset(reads), writes=frozenset(writes))
