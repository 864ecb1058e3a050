"""Exact replacements in a file that the model has read: all of them, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import FileChange, FileDiffs, Preview
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.disk import Disk
from claw.tools._atomic import require_own_file, require_writable
from claw.tools._changes import file_change, preview, refuse_marks, store
from claw.tools._nearest import why_not_found
from claw.tools._paths import FileState, read_document, shown
from claw.tools._text import Document, Splice, plural

_MAX_PLACES_NAMED = 8
_MAX_PLACES_COUNTED = 1_000


class Replacement(Struct):
    old: Annotated[str, Meta(description="Text to replace, exactly as in the file, with its indentation.")]
    new: Annotated[str, Meta(description="Text to put in its place; empty to delete.")]
    replace_all: Annotated[bool, Meta(description="Replace every occurrence; without it `old` must be unique.")] = False


class EditParams(Struct):
    path: Annotated[str, Meta(description="File to change, relative to the working folder or absolute.")]
    edits: Annotated[
        list[Replacement],
        Meta(description="Replacements, applied in this order, each to the result of the one before."),
    ]


class Edit(Tool[EditParams]):
    name = "edit"
    params = EditParams

    def access(self, params: EditParams, workspace: Workspace) -> Access:
        path = frozenset({workspace.resolve(params.path)})
        return Access(Effect.WRITE, reads=path, writes=path)

    def summary(self, params: EditParams) -> str:
        return params.path if len(params.edits) == 1 else f"{params.path} ({plural(len(params.edits), 'edit')})"

    async def preview(self, params: EditParams, workspace: Workspace) -> Preview:
        def planned(disk: Disk) -> tuple[FileChange, ...]:
            edited = _edited(params, disk, workspace)
            return (file_change(shown(disk, edited.path), edited.state.data, edited.document.encoded()),)

        return preview(self.access(params, workspace), workspace, planned)

    async def run(self, params: EditParams, context: ToolContext) -> ToolResult:
        disk = context.disk
        path, state, document, n_replaced = _edited(params, disk, context.workspace)
        change = store(context, disk, path, state, document)
        brief = f"+{change.n_added} −{change.n_removed}"
        text = f"edited {shown(disk, path)}: {plural(n_replaced, 'replacement')}, {brief} lines"
        return ToolResult.of(text, brief, FileDiffs((change,)))


class _Edited(NamedTuple):
    path: Path
    state: FileState
    document: Document
    n_replaced: int


def _edited(params: EditParams, disk: Disk, workspace: Workspace) -> _Edited:
    """What the file would become. *Errors*: ToolError where an edit does not fit, or nothing would change."""
    path = workspace.resolve(params.path)
    name = shown(workspace, path)
    if not params.edits:
        raise ToolError(f"edits is empty: give at least one replacement for {name}.", "no edits")
    state, original = read_document(path, disk)
    workspace.files.check(path, state.data)
    document, n_replaced = original, 0
    for number, edit in enumerate(params.edits, 1):
        where = f"edit {number} of {len(params.edits)}: " if len(params.edits) > 1 else ""
        starts = _find(document, edit, name, where)
        n_old = len(document.normalise(edit.old))
        new = document.normalise(edit.new)
        document = document.spliced([Splice(start, start + n_old, new) for start in starts])
        n_replaced += len(starts)
    if document.encoded() == state.data:
        raise ToolError(f"the edits cancel each other out: {name} is as it was.", "no change")
    refuse_marks(original.view, document.view, name)
    require_writable(state.info, name)
    require_own_file(state.info, path, disk)
    return _Edited(path, state, document, n_replaced)


def _find(document: Document, edit: Replacement, name: str, where: str) -> list[int]:
    """Where in the view `edit.old` begins.

    *Errors*: ToolError, with a reason to act on, if that is nowhere, or in several places and not all are meant.
    """
    old, new, view = document.normalise(edit.old), document.normalise(edit.new), document.view
    if not old:
        raise ToolError(
            f"{where}`old` is empty, so it says no place in {name}. Give the text to replace; to insert, repeat a "
            "line in `old` and `new` and add to it; to fill a file, use write.",
            "empty old",
        )
    if old == new:
        raise ToolError(f"{where}`old` and `new` are the same text; nothing to do in {name}.", "no change")
    starts: list[int] = []
    start = view.find(old)
    while start >= 0 and (edit.replace_all or len(starts) < _MAX_PLACES_COUNTED):
        starts.append(start)
        # Every occurrence is replaced once; for "is it unique" an overlapping one counts as well.
        start = view.find(old, start + (len(old) if edit.replace_all else 1))
    if not starts:
        raise ToolError(f"{where}`old` was not found in {name}. {why_not_found(view, old, new)}", "not found")
    if len(starts) > 1 and not edit.replace_all:
        lines = [str(view.count("\n", 0, start) + 1) for start in starts[:_MAX_PLACES_NAMED]]
        at_least = "at least " if len(starts) == _MAX_PLACES_COUNTED else ""
        more = ", …" if len(starts) > _MAX_PLACES_NAMED else ""
        raise ToolError(
            f"{where}`old` occurs {at_least}{len(starts):,} times in {name} (lines {', '.join(lines)}{more}). Give "
            "more of the lines around it, so that it is unique, or set replace_all. Nothing was changed.",
            "not unique",
        )
    return starts
