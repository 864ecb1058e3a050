"""Create a file, or replace the whole content of one that the model knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import FileDiffs
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tools._changes import store
from claw.tools._excerpt import n_lines_of
from claw.tools._paths import FileState, read_whole, shown
from claw.tools._text import Document, Splice, plural


class WriteParams(Struct):
    path: Annotated[str, Meta(description="File to write, relative to the working folder or absolute.")]
    content: Annotated[str, Meta(description="The whole content of the file, exactly as it shall be.")]


class Write(Tool[WriteParams]):
    name = "write"
    params = WriteParams

    def access(self, params: WriteParams, workspace: Workspace) -> Access:
        return Access(Effect.WRITE, writes=frozenset({workspace.resolve(params.path)}))

    def summary(self, params: WriteParams) -> str:
        return f"{params.path} ({plural(n_lines_of([params.content]), 'line')})"

    async def run(self, params: WriteParams, context: ToolContext) -> ToolResult:
        workspace = context.workspace
        path = workspace.resolve(params.path)
        if params.path.endswith("/"):
            raise ToolError(f"{params.path} names a folder. Give the path of a file.", "a folder")
        name = shown(workspace, path)
        state = read_whole(path, workspace) if os.path.exists(path) else None
        document = Document(params.content) if state is None else self._rewritten(path, state, params, workspace)
        size = f"{plural(n_lines_of([document.view]), 'line')}, {plural(len(document.encoded()), 'byte')}"
        if state is not None and document.encoded() == state.data:
            workspace.files.saw(path, state.data)
            return ToolResult.of(f"{name} already has exactly this content ({size}).", "unchanged", FileDiffs(()))
        change = store(context, path, state, document)
        verb = "created" if state is None else "overwrote"
        kept = _kept(document) if state is not None else ""
        return ToolResult.of(
            f"{verb} {name} ({size}{kept})", f"+{change.n_added} −{change.n_removed}", FileDiffs((change,))
        )

    def _rewritten(self, path: Path, state: FileState, params: WriteParams, workspace: Workspace) -> Document:
        """The new content in the old file's encoding and line endings.

        *Errors*: ToolError if the model does not know what it would overwrite.
        """
        document = Document.of(state.data)
        if document is None:
            raise ToolError(
                f"{shown(workspace, path)} is a binary file of {plural(state.info.st_size, 'byte')}; it is not "
                "overwritten with text. Remove it first, if that is meant.",
                "binary file",
            )
        if state.data or workspace.files.knows(path):  # in an empty file there is nothing to lose
            workspace.files.check(path, state.data)
        content = document.normalise(params.content)
        if document.encoding.bom:
            content = content.removeprefix("\ufeff")
        if not document.raw and not document.encoding.bom:
            return Document(params.content)
        return document.spliced([Splice(0, len(document.view), content)])


def _kept(document: Document) -> str:
    """What of the old file's form was kept, where it is not the usual."""
    form = [document.encoding.name] if document.encoding.name != "UTF-8" else []
    form += [f"{document.line_endings} line endings"] if document.line_endings != "LF" else []
    return f"; kept: {', '.join(form)}" if form else ""
