"""What a change looks like on the screen, and the one way in which the tools change a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from claw.errors import ToolError
from claw.protocol.details import FileChange, Preview
from claw.protocol.events import FileChanged
from claw.redact import MARK_PREFIX
from claw.tooling.base import Access, ToolContext, Workspace
from claw.tooling.disk import Disk
from claw.tools._atomic import replace_file
from claw.tools._paths import FileState, shown
from claw.tools._text import Document, well_formed

_CONTEXT_LINES = 3
# difflib takes time in proportion to the product; beyond this the differing middle is one hunk.
_MAX_LINE_PAIRS = 1_000_000
_MAX_DIFF_CHARS = 100_000
_MARK = re.compile(re.escape(MARK_PREFIX) + r"[^\]\n]{0,100}\]?")


def store(context: ToolContext, disk: Disk, path: Path, state: FileState | None, document: Document) -> FileChange:
    """Write `document` to `path`, note it in the ledger, publish `FileChanged`, and return the diff.

    `state` is the file that the document is based on, None for a new file.
    *Errors*: ToolError if it cannot be written; then nothing has happened.
    """
    data = document.encoded()
    replace_file(disk, path, data, shown(disk, path), before=state.info if state else None)
    return published(context, path, state.data if state else None, data)


def preview(access: Access, workspace: Workspace, planned: Callable[[Disk], Iterable[FileChange]]) -> Preview:
    """What a call would change, as `planned` works it out from the bytes that are on the disk now.

    *Errors*: those of `planned`, unless the call reads what is not read unasked: an error for the model would
    tell what is there. Then the person is asked without a diff.
    """
    try:
        changes = tuple(planned(workspace.disk(access)))
    except ToolError:
        touched = access.reads | access.writes
        if not any(workspace.boundary.objects_to_read(path) for path in touched):
            raise
        changes = ()
    reads, writes = (tuple(sorted(map(str, paths))) for paths in (access.reads, access.writes))
    return Preview(reads, writes, changes)


def refuse_marks(old: str, new: str, name: str) -> None:
    """*Errors*: ToolError if `new` has a mark of something redacted that `old` has not: the secret would be lost."""
    if MARK_PREFIX in new and Counter(_MARK.findall(new)) - Counter(_MARK.findall(old)):
        raise ToolError(
            f"the new text of {name} contains {_MARK.findall(new)[0]!r}, which stands for a secret that was not shown "
            "to you. Written back it would destroy the secret. Change only the text around it.",
            "redacted text",
        )


def published(context: ToolContext, path: Path, before: bytes | None, after: bytes | None) -> FileChange:
    """Tell ledger and subscribers of a change that has been made. None stands for no file."""
    kind = _kind(before, after)
    if after is None:
        context.workspace.files.forget(path)
    else:
        context.workspace.files.saw(path, after)
    context.emit(FileChanged(call_id=context.call_id, path=well_formed(str(path)), kind=kind))
    return file_change(shown(context.workspace, path), before, after)


def file_change(name: str, before: bytes | None, after: bytes | None) -> FileChange:
    """The change from `before` to `after`; None stands for no file. The diff is empty where one of them is binary."""
    kind = _kind(before, after)
    old, new = Document.of(before or b""), Document.of(after or b"")
    if old is None or new is None:
        return FileChange(name, kind)
    lines = list(diff_lines(old.view, new.view))
    n_added = sum(line.startswith("+") for line in lines)
    n_removed = sum(line.startswith("-") for line in lines)
    if not lines:
        return FileChange(name, kind)
    origin = "/dev/null" if before is None else f"a/{name}"
    result = "/dev/null" if after is None else f"b/{name}"
    diff = well_formed("".join([f"--- {origin}\n+++ {result}\n", *lines]))
    if len(diff) > _MAX_DIFF_CHARS:
        cut = diff.rfind("\n", 0, _MAX_DIFF_CHARS) + 1
        diff = f"{diff[:cut]}\\ {diff.count(chr(10), cut):,} more lines of this diff are not shown\n"
    return FileChange(name, kind, diff, n_added, n_removed)


def _kind(before: bytes | None, after: bytes | None) -> str:
    return "added" if before is None else "deleted" if after is None else "modified"


def diff_lines(old: str, new: str) -> Iterator[str]:
    """The hunks of a unified diff, each line with its line feed; no file header. *Cost*: bounded."""
    left, right = _lines(old), _lines(new)
    n_before = _n_common(left, right)
    n_after = min(_n_common(left[::-1], right[::-1]), len(left) - n_before, len(right) - n_before)
    middle_left, middle_right = left[n_before : len(left) - n_after], right[n_before : len(right) - n_after]
    if not middle_left and not middle_right:
        return
    if len(middle_left) * len(middle_right) > _MAX_LINE_PAIRS:
        yield from _one_hunk(left, right, n_before, n_after)
        return
    skipped = max(n_before - _CONTEXT_LINES, 0)
    kept_after = min(n_after, _CONTEXT_LINES)
    window_left = left[skipped : len(left) - n_after + kept_after]
    window_right = right[skipped : len(right) - n_after + kept_after]
    import difflib  # 5 ms; not on the way to the first request

    matcher = difflib.SequenceMatcher(None, window_left, window_right)
    for group in matcher.get_grouped_opcodes(_CONTEXT_LINES):
        first, last = group[0], group[-1]
        yield _header(skipped + first[1], last[2] - first[1], skipped + first[3], last[4] - first[3])
        for tag, left_start, left_end, right_start, right_end in group:
            if tag == "equal":
                yield from _marked(" ", window_left[left_start:left_end])
                continue
            yield from _marked("-", window_left[left_start:left_end])
            yield from _marked("+", window_right[right_start:right_end])


def _one_hunk(left: list[str], right: list[str], n_before: int, n_after: int) -> Iterator[str]:
    start = max(n_before - _CONTEXT_LINES, 0)
    left_end, right_end = len(left) - n_after, len(right) - n_after
    kept_after = min(n_after, _CONTEXT_LINES)
    yield _header(start, left_end + kept_after - start, start, right_end + kept_after - start)
    yield from _marked(" ", left[start:n_before])
    yield from _marked("-", left[n_before:left_end])
    yield from _marked("+", right[n_before:right_end])
    yield from _marked(" ", left[left_end : left_end + kept_after])


def _lines(text: str) -> list[str]:
    """With their line feeds. Not `str.splitlines`, which also splits at form feeds and U+2028."""
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _n_common(left: list[str], right: list[str]) -> int:
    n = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        n += 1
    return n


def _header(left_start: int, n_left: int, right_start: int, n_right: int) -> str:
    return f"@@ -{_span(left_start, n_left)} +{_span(right_start, n_right)} @@\n"


def _span(start: int, count: int) -> str:
    """*Source*: the unified format: 1-based, of an empty range the line before it, a count of 1 left out."""
    first = start + 1 if count else start
    return str(first) if count == 1 else f"{first},{count}"


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"
