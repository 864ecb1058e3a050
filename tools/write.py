"""Create a file, or replace the whole content of one that the model knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import FileChange, FileDiffs, Preview
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.disk import Disk
from claw.tools._changes import file_change, preview, refuse_marks, store
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

    async def preview(self, params: WriteParams, workspace: Workspace) -> Preview:
        def planned(disk: Disk) -> tuple[FileChange, ...]:
            path, state, document = _planned(params, disk, workspace)
            return (file_change(shown(disk, path), state.data if state else None, document.encoded()),)

        return preview(self.access(params, workspace), workspace, planned)

    async def run(self, params: WriteParams, context: ToolContext) -> ToolResult:
        disk = context.disk
        path, state, document = _planned(params, disk, context.workspace)
        name = shown(disk, path)
        size = f"{plural(n_lines_of([document.view]), 'line')}, {plural(len(document.encoded()), 'byte')}"
        if state is not None and document.encoded() == state.data:
            context.workspace.files.saw(path, state.data)
            return ToolResult.of(f"{name} already has exactly this content ({size}).", "unchanged", FileDiffs(()))
        change = store(context, disk, path, state, document)
        verb = "created" if state is None else "overwrote"
        kept = _kept(document) if state is not None else ""
        return ToolResult.of(
            f"{verb} {name} ({size}{kept})", f"+{change.n_added} −{change.n_removed}", FileDiffs((change,))
        )


def _planned(params: WriteParams, disk: Disk, workspace: Workspace) -> tuple[Path, FileState | None, Document]:
    """What the file is now, None if there is none, and what it would become."""
    path = workspace.resolve(params.path)
    if params.path.endswith("/"):
        raise ToolError(f"{params.path} names a folder. Give the path of a file.", "a folder")
    name = shown(disk, path)
    state = read_whole(path, disk) if disk.exists(path) else None
    if state is None:
        refuse_marks("", params.content, name)
        return path, None, Document(params.content)
    old = Document.of(state.data)
    if old is None:
        raise ToolError(
            f"{name} is a binary file of {plural(state.info.st_size, 'byte')}; it is not overwritten with text. "
            "Remove it first, if that is meant.",
            "binary file",
        )
    if state.data or workspace.files.knows(path):  # in an empty file there is nothing to lose
        workspace.files.check(path, state.data)
    refuse_marks(old.view, params.content, name)
    return path, state, _rewritten(old, params.content)


def _rewritten(old: Document, content: str) -> Document:
    """The new content in the old file's encoding and line endings."""
    if not old.raw and not old.encoding.bom:
        return Document(content)
    content = old.normalise(content)
    if old.encoding.bom:
        content = content.removeprefix("\ufeff")
    return old.spliced([Splice(0, len(old.view), content)])


def _kept(document: Document) -> str:
    """What of the old file's form was kept, where it is not the usual."""
    form = [document.encoding.name] if document.encoding.name != "UTF-8" else []
    form += [f"{document.line_endings} line endings"] if document.line_endings != "LF" else []
    return f"; kept: {', '.join(form)}" if form else ""
