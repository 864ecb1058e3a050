"""Find files by the pattern of their path."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import EllipsisType
from typing import Annotated

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.disk import Disk, OpenFolder
from claw.tools._globs import GlobMatcher, literal_folder
from claw.tools._paths import explain, shown
from claw.tools._search import TIME_LIMIT_S, Search, Searcher
from claw.tools._text import plural, well_formed

MAX_FILES = 100


class GlobParams(Struct):
    pattern: Annotated[str, Meta(description="File pattern, such as **/*.py or src/**/*.{ts,tsx}.")]
    path: Annotated[str, Meta(description="Folder to look in. Default: the working folder.")] = "."


class Glob(Tool[GlobParams]):
    """`rg` is ripgrep's path, None for the search in Python, `...` for whichever there is."""

    name = "glob"
    params = GlobParams

    def __init__(self, rg: Path | EllipsisType | None = ..., time_limit_s: float = TIME_LIMIT_S) -> None:
        self._searcher = Searcher(rg, time_limit_s)

    def access(self, params: GlobParams, workspace: Workspace) -> Access:
        folders = {_where(params, workspace)[0], workspace.resolve(params.path)}
        return Access(Effect.READ, reads=frozenset(folders), reads_all=True)

    def summary(self, params: GlobParams) -> str:
        return params.pattern if params.path == "." else f"{params.pattern} in {params.path}"

    async def run(self, params: GlobParams, context: ToolContext) -> ToolResult:
        folder, pattern = _where(params, context.workspace)
        given = context.workspace.resolve(params.path)
        disk = context.disk
        require_folder(given, disk)
        matcher = GlobMatcher(pattern)
        newest = _Newest(matcher)
        is_partial = False
        if opened := _open_if_there(folder, disk):
            newest.folder = opened
            try:
                search = Search("list", glob=pattern, hidden=opened.hidden)
                outcome = await self._searcher.run(search, folder, opened.descriptor, disk.boundary.roots, newest.take)
            finally:
                opened.close()
            if outcome.exit_code == 2 and not newest.n_files:
                raise ToolError(f"the search failed: {outcome.stderr or 'no reason given'}", "search failed")
            is_partial = outcome.is_timed_out
        rows = [shown(context.workspace, folder / path) for path in newest.paths()]
        count = plural(newest.n_files, "file")
        if not rows:
            rows.append(f"no file matches {params.pattern} in {shown(context.workspace, given)}")
        elif newest.n_files > len(rows):
            rows.append(f"[the newest {len(rows)} of {count}; narrow the pattern to see others]")
        if is_partial:
            rows.append(f"[stopped after {self._searcher.time_limit_s:g} s: there may be more]")
        return ToolResult.of(well_formed("\n".join(rows)), count, Lines("files", newest.n_files))


def _where(params: GlobParams, workspace: Workspace) -> tuple[Path, str]:
    """The folder to search, as deep as the pattern fixes it, and the rest of the pattern."""
    literal, rest = literal_folder(params.pattern)
    if os.path.isabs(literal) or literal.startswith("~"):
        return workspace.resolve(literal), rest
    return workspace.resolve(os.path.join(params.path, literal) if literal else params.path), rest


def require_folder(path: Path, disk: Disk) -> None:
    """*Errors*: ToolError for what is missing or no folder."""
    try:
        info = disk.stat(path)
    except OSError as error:
        raise explain(error, path, disk) from None
    if not stat.S_ISDIR(info.st_mode):
        raise ToolError(f"{shown(disk, path)} is a file, not a folder.", "not a folder")


def _open_if_there(path: Path, disk: Disk) -> OpenFolder | None:
    """None if the pattern names folders that are not there: nothing matches."""
    try:
        return OpenFolder(disk, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise explain(error, path, disk) from None


class _Newest:
    """The newest files of all that were found. `take` is fed paths relative to `folder`."""

    def __init__(self, matcher: GlobMatcher) -> None:
        self.folder: OpenFolder | None = None
        self.n_files = 0
        self._matcher = matcher
        self._found: list[tuple[int, str]] = []

    def take(self, record: bytes) -> bool:
        path = os.fsdecode(record).removeprefix("./")
        info = self.folder.regular(path) if self.folder and path and self._matcher.matches(path) else None
        if info is not None:
            self.n_files += 1
            self._found.append((-info.st_mtime_ns, path))
            if len(self._found) > 50 * MAX_FILES:
                self._found = sorted(self._found)[:MAX_FILES]
        return True

    def paths(self) -> list[str]:
        return [path for _, path in sorted(self._found)[:MAX_FILES]]
