"""List a folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.disk import Disk
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
        disk = context.disk
        name = shown(disk, path)
        try:
            info = disk.stat(path)
            if not stat.S_ISDIR(info.st_mode):
                return ToolResult.of(well_formed(_row(path.name, info)), "1 entry", Lines("entries", 1))
            names, rows = _listed(path, disk)
        except OSError as error:
            raise explain(error, path, disk) from None
        count = f"{len(names):,} {'entry' if len(names) == 1 else 'entries'}"
        if not names:
            return ToolResult.of(f"{name} is an empty folder.", count, Lines("entries", 0))
        if len(names) > MAX_ENTRIES:
            rows.append(f"[{MAX_ENTRIES} of {len(names):,} entries; use glob to find the others]")
        return ToolResult.of(well_formed("\n".join(rows)), count, Lines("entries", len(names)))


def _listed(path: Path, disk: Disk) -> tuple[list[str], list[str]]:
    """The names of all entries, and the rows of the first of them."""
    folder = disk.open_folder(path)
    try:
        names = [name for name in os.listdir(folder) if not disk.hides(path / name)]
        names.sort(key=lambda entry: (entry.casefold(), entry))
        rows = []
        for name in names[:MAX_ENTRIES]:
            try:
                info = os.stat(name, dir_fd=folder, follow_symlinks=False)
                target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(info.st_mode) else ""
            except OSError:
                rows.append(f"{'?':>14}  {_in_one_line(name)}")  # it has gone since
                continue
            rows.append(_row(name, info, _in_one_line(target) + _what_it_is(path / name, disk) if target else ""))
    finally:
        os.close(folder)
    return names, rows


def _row(name: str, info: os.stat_result, target: str = "") -> str:
    """`1,234  name`, `-  folder/`, `-  link -> target`, with the sizes under each other."""
    name = _in_one_line(name)
    kind = stat.S_IFMT(info.st_mode)
    if kind == stat.S_IFDIR:
        return f"{'-':>14}  {name}/"
    if kind == stat.S_IFLNK:
        return f"{'-':>14}  {name} -> {target}"
    if kind in _KINDS:
        return f"{'-':>14}  {name} ({_KINDS[kind]})"
    return f"{info.st_size:>14,}  {name}"


def _what_it_is(link: Path, disk: Disk) -> str:
    """What a link leads to, but nothing of what is not read unasked."""
    try:
        target = link.resolve()
    except (OSError, RuntimeError):
        return " (broken)"  # a circle
    if disk.boundary.objects_to_read(target):
        return ""
    return "/" if target.is_dir() else "" if os.path.lexists(target) else " (broken)"


def _in_one_line(name: str) -> str:
    return name.replace("\n", "\\n")
