"""Find files by the pattern of their path."""

from __future__ import annotations

import os
from pathlib import Path
from types import EllipsisType
from typing import Annotated

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
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
        return Access(Effect.READ, reads=frozenset({_where(params, workspace)[0]}), reads_all=True)

    def summary(self, params: GlobParams) -> str:
        return params.pattern if params.path == "." else f"{params.pattern} in {params.path}"

    async def run(self, params: GlobParams, context: ToolContext) -> ToolResult:
        folder, pattern = _where(params, context.workspace)
        given = context.workspace.resolve(params.path)
        require_folder(given, context.workspace)
        matcher = GlobMatcher(pattern)
        newest = _Newest(folder, matcher)
        is_partial = False
        if folder.is_dir():  # else the pattern names folders that are not there: nothing matches
            outcome = await self._searcher.run(Search("list", glob=pattern), folder, newest.take)
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


def require_folder(path: Path, workspace: Workspace) -> None:
    """*Errors*: ToolError for what is missing or no folder."""
    try:
        path.stat()
    except OSError as error:
        raise explain(error, path, workspace) from None
    if not path.is_dir():
        raise ToolError(f"{shown(workspace, path)} is a file, not a folder.", "not a folder")


class _Newest:
    """The newest files of all that were found. `take` is fed paths relative to `folder`."""

    def __init__(self, folder: Path, matcher: GlobMatcher) -> None:
        self._folder = str(folder)
        self._matcher = matcher
        self._found: list[tuple[int, str]] = []
        self.n_files = 0

    def take(self, record: bytes) -> bool:
        path = os.fsdecode(record).removeprefix("./")
        if path and self._matcher.matches(path):
            try:
                mtime_ns = os.stat(os.path.join(self._folder, path), follow_symlinks=False).st_mtime_ns
            except OSError:
                return True  # it has gone since
            self.n_files += 1
            self._found.append((-mtime_ns, path))
            if len(self._found) > 50 * MAX_FILES:
                self._found = sorted(self._found)[:MAX_FILES]
        return True

    def paths(self) -> list[str]:
        return [path for _, path in sorted(self._found)[:MAX_FILES]]
