"""Find text in files by regular expression."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from types import EllipsisType
from typing import Annotated, BinaryIO, Literal

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.boundary import is_env_file
from claw.tooling.disk import Disk, OpenFolder
from claw.tools._globs import GlobMatcher
from claw.tools._grep_output import Collector
from claw.tools._paths import binary, explain, open_regular, read_up_to, shown
from claw.tools._search import TIME_LIMIT_S, Outcome, Search, Searcher
from claw.tools._text import decode, plural

DEFAULT_LIMIT_LINES = 250
MAX_CONTEXT_LINES = 100
_HEAD_BYTES = 64 * 1024


class GrepParams(Struct):
    pattern: Annotated[str, Meta(description="Regular expression (ripgrep's syntax); escape ( ) [ ] { } . * + ? | \\.")]
    path: Annotated[str, Meta(description="File or folder to search. Default: the working folder.")] = "."
    glob: Annotated[str, Meta(description="Only files that match, such as *.py or src/**/*.{ts,tsx}.")] | None = None
    type: Annotated[str, Meta(description="Only files of this type, such as py, js, ts, rust, go, md.")] | None = None
    output_mode: Annotated[
        Literal["content", "files", "count"],
        Meta(description="content: matching lines (default); files: paths only; count: matches per file."),
    ] = "content"
    before: Annotated[int, Meta(description="Lines to show before each match.")] | None = None
    after: Annotated[int, Meta(description="Lines to show after each match.")] | None = None
    context: Annotated[int, Meta(description="Lines to show before and after each match.")] | None = None
    ignore_case: Annotated[bool, Meta(description="Do not distinguish upper and lower case.")] = False
    multiline: Annotated[bool, Meta(description="Let a match span lines; . then matches line ends too.")] = False
    limit: Annotated[int, Meta(description="How many lines of output at most. Default 250.")] | None = None
    include_ignored: Annotated[bool, Meta(description="Search files that .gitignore excludes as well.")] = False


class Grep(Tool[GrepParams]):
    """`rg` is ripgrep's path, None for the search in Python, `...` for whichever there is."""

    name = "grep"
    params = GrepParams

    def __init__(self, rg: Path | EllipsisType | None = ..., time_limit_s: float = TIME_LIMIT_S) -> None:
        self._searcher = Searcher(rg, time_limit_s)

    def access(self, params: GrepParams, workspace: Workspace) -> Access:
        return Access(Effect.READ, reads=frozenset({workspace.resolve(params.path)}), reads_all=True)

    def summary(self, params: GrepParams) -> str:
        scope = [] if params.path == "." else [params.path]
        scope += [name for name in (params.glob, params.type) if name]
        return f"{params.pattern} in {', '.join(scope)}" if scope else params.pattern

    async def run(self, params: GrepParams, context: ToolContext) -> ToolResult:
        _require_sensible(params)
        workspace = context.workspace
        path = workspace.resolve(params.path)
        disk = context.disk
        name = shown(disk, path)
        collector = Collector(
            prefix="" if path == workspace.cwd else name.rstrip("/") + "/",
            mode=params.output_mode,
            limit=DEFAULT_LIMIT_LINES if params.limit is None else params.limit,
        )
        if _is_folder(path, disk):
            matcher = GlobMatcher(params.glob) if params.glob else None
            folder = _open_folder(path, disk)
            try:
                collector.is_wanted = lambda found: _is_shown(found, matcher, folder)
                search, opened = _search(params, hidden=folder.hidden), folder.descriptor
                outcome = await self._searcher.run(search, path, opened, workspace.roots, collector.take)
            finally:
                folder.close()
        else:
            collector.prefix = name
            with _open_text(path, disk) as file:
                search, opened = _search(params, in_stdin=True), file.fileno()
                outcome = await self._searcher.run(search, path, opened, workspace.roots, collector.take)
        if outcome.exit_code == 2 and not collector.rows:
            raise _failure(outcome)
        return self._result(collector, outcome)

    def _result(self, collector: Collector, outcome: Outcome) -> ToolResult:
        # ripgrep may give the context of an empty match after the last line, and no match.
        rows = [*collector.rows] if collector.n_matches else []
        if not rows:
            rows.append("no matches")
        elif collector.mode == "count" and not collector.is_full:
            rows.append(f"[{plural(collector.n_matches, 'match')} in {plural(collector.n_files, 'file')}]")
        if collector.is_full:
            rows.append("[there is more: narrow pattern, path or glob, or raise limit]")
        if outcome.is_timed_out:
            rows.append(f"[stopped after {self._searcher.time_limit_s:g} s: there may be more matches]")
        if outcome.stderr:
            rows.append(f"[{outcome.stderr[:500]}]")
        noun = "file" if collector.mode == "files" else "match"
        count = collector.n_files if collector.mode == "files" else collector.n_matches
        brief = plural(count, noun) + ("+" if collector.is_full else "")
        return ToolResult.of("\n".join(rows), brief, Lines("files" if noun == "file" else "matches", count))


def _require_sensible(params: GrepParams) -> None:
    if not params.pattern:
        raise ToolError("pattern is empty; it would match every line.", "empty pattern")
    if "\0" in params.pattern:
        raise ToolError("pattern has a NUL character; grep searches text.", "bad pattern")
    if params.limit is not None and params.limit < 1:
        raise ToolError(f"limit is {params.limit}; it must be at least 1.", "bad limit")
    for name in ("before", "after", "context"):
        value = getattr(params, name)
        if value is not None and not 0 <= value <= MAX_CONTEXT_LINES:
            raise ToolError(f"{name} is {value}; it must be from 0 to {MAX_CONTEXT_LINES}.", f"bad {name}")


def _is_folder(path: Path, disk: Disk) -> bool:
    try:
        return stat.S_ISDIR(disk.stat(path).st_mode)
    except OSError as error:
        raise explain(error, path, disk) from None


def _open_folder(path: Path, disk: Disk) -> OpenFolder:
    try:
        return OpenFolder(disk, path)
    except OSError as error:
        raise explain(error, path, disk) from None


def _is_shown(found: str, matcher: GlobMatcher | None, folder: OpenFolder) -> bool:
    """Files that usually hold secrets are searched only when they are named: nobody was asked about them."""
    if (matcher and not matcher.matches(found)) or is_env_file(os.path.basename(found)):
        return False
    return folder.regular(found) is not None


def _open_text(path: Path, disk: Disk) -> BinaryIO:
    """*Errors*: ToolError for what is missing, special or binary."""
    file = open_regular(path, disk)
    try:
        head = read_up_to(file, _HEAD_BYTES, path, disk)
        if decode(head, is_whole=False) is None:
            raise binary(path, head, os.fstat(file.fileno()).st_size, disk)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _search(params: GrepParams, *, in_stdin: bool = False, hidden: tuple[str, ...] = ()) -> Search:
    around = params.context or 0
    return Search(
        params.output_mode,
        pattern=params.pattern,
        glob=params.glob or "",
        type=params.type or "",
        before=around if params.before is None else params.before,
        after=around if params.after is None else params.after,
        ignore_case=params.ignore_case,
        # A pattern with a line break in it can only be meant so.
        multiline=params.multiline or "\n" in params.pattern or "\\n" in params.pattern,
        include_ignored=params.include_ignored,
        in_stdin=in_stdin,
        hidden=hidden,
    )


def _failure(outcome: Outcome) -> ToolError:
    reason = outcome.stderr.removeprefix("rg: ") or "no reason given"
    if "regex" in reason or "PCRE2" in reason:
        # ripgrep tries two engines; the complaint of the first is enough.
        complaint = re.search(r"regex parse error:\s*(.*?)(?=\n~~~|\Z)", reason, re.DOTALL)
        return ToolError(
            f"not a valid regular expression: {complaint[1] if complaint else reason}\n"
            "Put a backslash before characters that are meant literally.",
            "bad pattern",
        )
    return ToolError(f"the search failed: {reason}", "search failed")
