"""The `*** Begin Patch` format: what a patch says, before any file is looked at.

    *** Begin Patch
    *** Add File: path            lines with +
    *** Delete File: path
    *** Update File: path
    *** Move to: path             optional
    @@ header                     optional; several narrow the place step by step
     context, -removed, +added
    *** End of File               optional: the hunk ends where the file does
    *** End Patch

*Source*: the apply_patch format of OpenAI's models. Read leniently where there is only one way to mean
it: white space around markers, a code fence or a here-document around the whole, headers as in
unified diffs, empty lines that lost their leading space.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from claw.errors import ToolError

BEGIN, END, END_OF_FILE = "*** Begin Patch", "*** End Patch", "*** End of File"
_ADD, _DELETE, _UPDATE, _MOVE = "*** Add File:", "*** Delete File:", "*** Update File:", "*** Move to:"
_WRAPPER_BEFORE = re.compile(r"\s*(```[\w-]*|(apply_patch\s*)?<<-?\s*['\"]?\w+['\"]?)?\s*")
_WRAPPER_AFTER = re.compile(r"\s*(```|\w+)?\s*")
_UNIFIED_HEADER = re.compile(r"-\d+(,\d+)? \+\d+(,\d+)? @@.*")


@dataclass(slots=True)
class Hunk:
    """`lines` are pairs of mark and text; the mark is a space, `-` or `+`. `line_number` is its place in the patch.

    The last `n_bare` lines were entirely empty in the patch: context that may also be mere spacing.
    """

    line_number: int
    headers: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    at_end: bool = False
    n_bare: int = 0


@dataclass(slots=True)
class AddFile:
    path: str
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class DeleteFile:
    path: str


@dataclass(slots=True)
class UpdateFile:
    path: str
    move_to: str | None = None
    hunks: list[Hunk] = field(default_factory=list)


Operation = AddFile | DeleteFile | UpdateFile


def parse_patch(text: str) -> list[Operation]:
    """*Errors*: ToolError that names the line of the patch and what would be allowed there."""
    lines = text.split("\n")
    if all(line.endswith("\r") for line in lines[:-1]):
        lines = [line.removesuffix("\r") for line in lines]
    return _Parser(*_unwrapped(lines)).operations()


def paths_of(text: str) -> list[str]:
    """Every path that a header of `text` names, also where the rest of it is malformed."""
    paths = (_argument(line, marker) for line in text.split("\n") for marker in (_ADD, _DELETE, _UPDATE, _MOVE))
    return [path for path in paths if path]


def _argument(line: str, marker: str) -> str | None:
    stripped = line.strip()
    return stripped[len(marker) :].strip() if stripped.startswith(marker) else None


def _unwrapped(lines: list[str]) -> tuple[list[str], int]:
    """The lines between the two markers, and the number of the first of them.

    *Errors*: ToolError if a marker is missing, or if there is something else around them.
    """
    first = next((i for i, line in enumerate(lines) if line.strip() == BEGIN), None)
    if first is None or not _all(_WRAPPER_BEFORE, lines[:first]):
        raise ToolError(f"not a patch: it must begin with the line {BEGIN!r}. Nothing was changed.", "malformed patch")
    last = next((i for i in range(len(lines) - 1, first, -1) if lines[i].strip() == END), None)
    if last is None:
        raise ToolError(
            f"the patch has no line {END!r}: it may have been cut off. Nothing was changed; send it whole.",
            "patch cut off",
        )
    if not _all(_WRAPPER_AFTER, lines[last + 1 :]):
        raise ToolError(f"line {last + 2} of the patch: text after {END!r}. Nothing was changed.", "malformed patch")
    return lines[first + 1 : last], first + 2


def _all(pattern: re.Pattern[str], lines: list[str]) -> bool:
    return all(pattern.fullmatch(line) for line in lines)


class _Parser:
    def __init__(self, lines: list[str], first_number: int) -> None:
        self._lines = lines
        self._first_number = first_number
        self._at = 0

    def operations(self) -> list[Operation]:
        found: list[Operation] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip():
                self._at += 1
            elif path := _argument(line, _ADD):
                found.append(self._add(path))
            elif path := _argument(line, _DELETE):
                self._at += 1
                found.append(DeleteFile(path))
            elif path := _argument(line, _UPDATE):
                found.append(self._update(path))
            else:
                raise self._error(f"expected '{_ADD} path', '{_DELETE} path' or '{_UPDATE} path'")
        if not found:
            raise ToolError("the patch is empty: it changes no file.", "empty patch")
        return found

    def _add(self, path: str) -> AddFile:
        self._at += 1
        added = AddFile(path)
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith("+"):
                added.lines.append(line[1:])
            elif line.strip() or not self._more_added_lines():
                break
            else:
                added.lines.append("")  # an empty line that lost its +
            self._at += 1
        return added

    def _more_added_lines(self) -> bool:
        """Whether, after some empty lines, the added file goes on."""
        rest = (line for line in self._lines[self._at :] if line.strip())
        return next(rest, "").startswith("+")

    def _update(self, path: str) -> UpdateFile:
        self._at += 1
        update = UpdateFile(path)
        if self._at < len(self._lines) and (target := _argument(self._lines[self._at], _MOVE)):
            update.move_to = target
            self._at += 1
        while self._at < len(self._lines) and not self._is_file_header():
            if self._lines[self._at].strip() or self._hunk_follows():
                update.hunks.append(self._hunk())
            else:
                self._at += 1
        if not update.hunks and update.move_to is None:
            raise ToolError(f"the patch has no hunk for {path}. Nothing was changed.", "malformed patch")
        return update

    def _is_file_header(self) -> bool:
        line = self._lines[self._at]
        return line.startswith("***") and line.rstrip() != END_OF_FILE

    def _hunk_follows(self) -> bool:
        """Whether empty lines here are context, with other lines of a hunk right after them."""
        rest = (line for line in self._lines[self._at :] if line.strip())
        return next(rest, "*")[0] in " -+"

    def _hunk(self) -> Hunk:
        hunk = Hunk(self._first_number + self._at)
        while self._at < len(self._lines) and self._lines[self._at].startswith("@@"):
            header = self._lines[self._at][2:].strip()
            # Line numbers of a unified diff are passed over: the context decides.
            if header and not _UNIFIED_HEADER.fullmatch(header):
                hunk.headers.append(self._lines[self._at][2:].removeprefix(" "))
            self._at += 1
        while self._at < len(self._lines) and self._lines[self._at][:2] != "@@" and not self._is_file_header():
            line = self._lines[self._at].removesuffix("\r")
            if line.rstrip() == END_OF_FILE:
                hunk.at_end = True
                self._at += 1
                break
            if line.strip() and line[0] not in " -+":
                raise self._error("a line of a hunk begins with a space (context), '-' (removed) or '+' (added)")
            hunk.lines.append((line[0], line[1:]) if line[:1] in (" ", "-", "+") else (" ", line))
            hunk.n_bare = 0 if line else hunk.n_bare + 1
            self._at += 1
        if len(hunk.lines) == hunk.n_bare:
            raise self._error("a hunk needs lines", offset=-1)
        return hunk

    def _error(self, reason: str, offset: int = 0) -> ToolError:
        at = min(self._at + offset, len(self._lines) - 1)
        found = self._lines[at] if self._lines else ""
        return ToolError(
            f"line {self._first_number + at} of the patch is {found[:100]!r}: {reason}. Nothing was changed.",
            "malformed patch",
        )
