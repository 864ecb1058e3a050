"""Small real tools, to test the executor and the loop without the file system."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct

from claw.errors import ToolError
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace


class Note(Struct):
    text: str
    path: str = ""
    seconds: float = 0.0
    fail: bool = False
    bug: bool = False


class WriteNote(Tool[Note]):
    """Waits, then notes its text in `log`: a writer of `path`. `live` is how many run now, `most` how many ever did."""

    name = "note"
    params = Note

    def __init__(self) -> None:
        self.log: list[str] = []
        self.live = 0
        self.most = 0

    def access(self, params: Note, workspace: Workspace) -> Access:
        writes = frozenset({Path(params.path)}) if params.path else frozenset[Path]()
        return Access(Effect.WRITE if writes else Effect.READ, writes=writes)

    def summary(self, params: Note) -> str:
        return params.text

    async def run(self, params: Note, context: ToolContext) -> ToolResult:
        self.live += 1
        self.most = max(self.most, self.live)
        try:
            await asyncio.sleep(params.seconds)
        finally:
            self.live -= 1
        if params.fail:
            raise ToolError(f"{params.text} cannot be done", "no")
        if params.bug:
            raise ZeroDivisionError(params.text)
        self.log.append(params.text)
        return ToolResult.of(f"noted {params.text}", "noted")
