"""List a folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tools._paths import explain, shown
from claw.tools._text import well_formed

MAX_ENTRIES = 500
_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


class LsParams(Struct):
    path: Annotated[str, Meta(description="Folder to list. Default: the working folder.")] = "."


class Ls(Tool[LsParams]):
    name = "ls"
    params = LsParams

    def access(self, params: LsParams, workspace: Workspace) -> Access:
        # What lies in the folder counts as well, so writers of the same reply are waited for.
        return Access(Effect.READ, reads=frozenset({workspace.resolve(params.path)}), reads_all=True)

    def summary(self, params: LsParams) -> str:
        return params.path

    async def run(self, params: LsParams, context: ToolContext) -> ToolResult:
        path = context.workspace.resolve(params.path)
        name = shown(context.workspace, path)
        try:
            if not stat.S_ISDIR(path.stat().st_mode):
                return ToolResult.of(well_formed(_row(path)), "1 entry", Lines("entries", 1))
            names = sorted(os.listdir(path), key=lambda entry: (entry.casefold(), entry))
        except OSError as error:
            raise explain(error, path, context.workspace) from None
        count = f"{len(names):,} {'entry' if len(names) == 1 else 'entries'}"
        if not names:
            return ToolResult.of(f"{name} is an empty folder.", count, Lines("entries", 0))
        rows = [_row(path / entry) for entry in names[:MAX_ENTRIES]]
        if len(names) > MAX_ENTRIES:
            rows.append(f"[{MAX_ENTRIES} of {len(names):,} entries; use glob to find the others]")
        return ToolResult.of(well_formed("\n".join(rows)), count, Lines("entries", len(names)))


def _row(path: Path) -> str:
    """`1,234  name`, `-  folder/`, `-  link -> target`, with the sizes under each other."""
    name = path.name.replace("\n", "\\n")
    try:
        info = path.lstat()
    except OSError:
        return f"{'?':>14}  {name}"  # it has gone since
    kind = stat.S_IFMT(info.st_mode)
    if kind == stat.S_IFDIR:
        return f"{'-':>14}  {name}/"
    if kind == stat.S_IFLNK:
        return f"{'-':>14}  {name} -> {_target(path)}"
    if kind in _KINDS:
        return f"{'-':>14}  {name} ({_KINDS[kind]})"
    return f"{info.st_size:>14,}  {name}"


def _target(path: Path) -> str:
    try:
        target = os.readlink(path).replace("\n", "\\n")
    except OSError:
        return "?"
    if not os.path.exists(path):
        return f"{target} (broken)"
    return f"{target}/" if os.path.isdir(path) else target
