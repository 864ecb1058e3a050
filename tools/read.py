"""Show a range of a text file with line numbers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from threading import Event as Flag
from typing import Annotated, BinaryIO

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.disk import Disk
from claw.tooling.truncate import RESULT_LIMIT_CHARS
from claw.tools._excerpt import SCAN_LIMIT_BYTES, Excerpt, TextStream, beyond_the_scan, in_slices, n_lines_of, take
from claw.tools._paths import WHOLE_LIMIT_BYTES, binary, open_regular, read_up_to, shown
from claw.tools._text import UTF_8, Document, Encoding, plural, well_formed

DEFAULT_LIMIT_LINES = 1_000
# Below the size at which a result loses its middle: the model asks for the next range instead.
MAX_CHARS = RESULT_LIMIT_CHARS - 2_000


class ReadParams(Struct):
    path: Annotated[str, Meta(description="File to read, relative to the working folder or absolute.")]
    offset: (
        Annotated[int, Meta(description="First line to show, counted from 1; -20 shows the last 20 lines. Default 1.")]
        | None
    ) = None
    limit: Annotated[int, Meta(description="How many lines to show at most. Default 1000.")] | None = None


class Read(Tool[ReadParams]):
    """Files up to `whole_limit_bytes` are read whole and noted in the ledger, larger ones are streamed."""

    name = "read"
    params = ReadParams

    def __init__(self, whole_limit_bytes: int = WHOLE_LIMIT_BYTES) -> None:
        self._whole_limit_bytes = whole_limit_bytes

    def access(self, params: ReadParams, workspace: Workspace) -> Access:
        return Access(Effect.READ, reads=frozenset({workspace.resolve(params.path)}))

    def summary(self, params: ReadParams) -> str:
        if params.offset is None and params.limit is None:
            return params.path
        first = params.offset or 1
        last = "" if params.limit is None or first < 0 else str(first + params.limit - 1)
        return f"{params.path}:{first}" if first < 0 else f"{params.path}:{first}-{last}"

    async def run(self, params: ReadParams, context: ToolContext) -> ToolResult:
        workspace = context.workspace
        if params.limit is not None and params.limit < 1:
            raise ToolError(f"limit is {params.limit}; it must be at least 1.", "bad limit")
        path = workspace.resolve(params.path)
        disk = context.disk
        with open_regular(path, disk) as file:
            is_large = os.fstat(file.fileno()).st_size > self._whole_limit_bytes
            data = b"" if is_large else read_up_to(file, self._whole_limit_bytes + 1, path, disk)
            if is_large or len(data) > self._whole_limit_bytes:
                return await self._stream(params, file, path, disk)
        document = Document.of(data)
        if document is None:
            raise binary(path, data, len(data), disk)
        workspace.files.saw(path, data)
        first = params.offset or 1
        if first < 0:
            first = max(1, n_lines_of(in_slices(document.view)) + first + 1)
        excerpt = take(in_slices(document.view), first, _limit(params), MAX_CHARS)
        return _result(shown(workspace, path), excerpt, first, _notes(document.encoding, document.line_endings))

    async def _stream(self, params: ReadParams, file: BinaryIO, path: Path, disk: Disk) -> ToolResult:
        """In a thread: a gigabyte takes seconds. An interrupt stops it at the next chunk."""
        stop = Flag()
        stream = TextStream(file, path, disk, stop)
        worker = asyncio.create_task(asyncio.to_thread(_scan, stream, params))
        try:
            scanned = await asyncio.shield(worker)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([worker])  # it still reads from `file`
            if not worker.cancelled():
                worker.exception()  # retrieved, so that asyncio does not report it
            raise
        if scanned is None:
            raise beyond_the_scan(path, disk)
        first, excerpt = scanned
        notes = [f"{stream.size_bytes:,} bytes: too large for edit and write, change it with a command"]
        if not stream.is_complete:
            notes.append(f"lines counted in the first {SCAN_LIMIT_BYTES:,} bytes only")
        notes += _notes(stream.encoding, stream.line_endings)
        return _result(shown(disk, path), excerpt, first, notes)


def _scan(stream: TextStream, params: ReadParams) -> tuple[int, Excerpt] | None:
    """The first line shown and the excerpt; None if it begins beyond what is scanned."""
    first = params.offset or 1
    if first < 0:
        first = max(1, n_lines_of(stream.chunks()) + first + 1)
        if not stream.is_complete:
            return None
    excerpt = take(stream.chunks(), first, _limit(params), MAX_CHARS)
    return None if not excerpt.lines and not stream.is_complete else (first, excerpt)


def _result(name: str, excerpt: Excerpt, first: int, notes: list[str]) -> ToolResult:
    """*Errors*: ToolError if the range begins after the last line."""
    if excerpt.n_lines == 0:
        return ToolResult.of(f"{name} is empty{_in_brackets(notes)}.", "empty", Lines("lines", 0))
    if not excerpt.lines:
        raise ToolError(
            f"{name} has only {plural(excerpt.n_lines, 'line')}; line {first:,} does not exist.", "past the end"
        )
    last = first + len(excerpt.lines) - 1
    rows = [f"{number:>6}\t{line}" for number, line in enumerate(excerpt.lines, first)]
    if first > 1 or last < excerpt.n_lines:
        notes = [f"lines {first}–{last} of {excerpt.n_lines}", *notes]
    if last < excerpt.n_lines:
        notes.append(f"go on with offset={last + 1}")
    if notes:
        rows.append(f"[{'; '.join(notes)}]")
    n_shown = len(excerpt.lines)
    return ToolResult.of(well_formed("\n".join(rows)), plural(n_shown, "line"), Lines("lines", n_shown))


def _notes(encoding: Encoding, line_endings: str) -> list[str]:
    """What is unusual about the file; edit and write keep it, so the model need not."""
    notes = [] if encoding == UTF_8 else [f"encoding: {encoding.name}"]
    return notes if line_endings == "LF" else [*notes, f"line endings: {line_endings}"]


def _in_brackets(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _limit(params: ReadParams) -> int:
    return DEFAULT_LIMIT_LINES if params.limit is None else params.limit
