"""A person's verdict on changed files: what stays, what is undone, and what is said about which line."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from claw.code.hunks import Hunk, Line, apply_hunks, diff_hunks, lines_of, split, unified
from claw.errors import ClawError
from claw.printable import printable

Decision = Literal["", "accept", "reject"]
_BINARY_BYTES = 8000  # *Source*: git looks for a zero byte in as many
_MOST_LINES = 80  # of a rejected change; the model knows what it wrote
_MOST_CHARS = 500  # of a line
_WHOLE = Hunk(0, 0, ())


class ReviewConflict(ClawError):
    """Some files could not be written; all others are. `conflicts` says by path why, `written` names those."""

    def __init__(self, conflicts: Mapping[str, str], written: Sequence[str]) -> None:
        reasons = "; ".join(f"{_name(path)} {reason}" for path, reason in conflicts.items())
        super().__init__(f"Not all of the review could be carried out: {reasons}. Look at these again.")
        self.conflicts = conflicts
        self.written = written


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """`path` is relative to the folder under review, with `/`. None is a file that is not there.

    `mode` are the permission bits that a deleted file gets if it is brought back.
    """

    path: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None


class FileReview:
    """The verdict on one file. What is undecided stays as it is on the disk.

    A file that cannot be decided by lines (binary, or empty on both sides) has one hunk without lines.
    *Cost*: the difference is made when `hunks` is first asked for.
    """

    def __init__(self, file: ChangedFile) -> None:
        self.file = file
        self.path = file.path
        self._hunks: list[Hunk] | None = None
        self._decisions: dict[int, Decision] = {}  # by the place of the hunk in the old text
        self._comments: dict[tuple[int, int], str] = {}  # by the numbers of the line

    @property
    def kind(self) -> str:
        """`added`, `deleted` or `modified`."""
        return "added" if self.file.before is None else "deleted" if self.file.after is None else "modified"

    @property
    def is_binary(self) -> bool:
        return any(b"\0" in side[:_BINARY_BYTES] for side in (self.file.before, self.file.after) if side)

    @property
    def note(self) -> str:
        """What there is to say of a file that has no lines to show."""
        old, new = (len(side) if side is not None else None for side in (self.file.before, self.file.after))
        if not old and not new:
            return "empty"
        sizes = " → ".join(f"{size:,}" for size in (old, new) if size is not None)
        return f"{'binary' if self.is_binary else 'no line changed'}, {sizes} bytes"

    @property
    def hunks(self) -> Sequence[Hunk]:
        if self._hunks is None:
            found = [] if self.is_binary else diff_hunks(_text(self.file.before), _text(self.file.after))
            self._hunks = found or [_WHOLE]
        return self._hunks

    def decision(self, number: int) -> Decision:
        return self._decisions.get(self.hunks[number].old, "")

    def decide(self, number: int, decision: Decision) -> None:
        if decision:
            self._decisions[self.hunks[number].old] = decision
        else:
            self._decisions.pop(self.hunks[number].old, None)

    def split(self, number: int) -> bool:
        """Make one hunk for each run of changed lines of this one. Whether there were several."""
        hunk = self.hunks[number]
        parts = split(hunk) if hunk.lines else [hunk]
        if len(parts) < 2:
            return False
        decision = self._decisions.pop(hunk.old, "")
        assert self._hunks is not None
        self._hunks[number : number + 1] = parts
        for offset in range(len(parts)):
            self.decide(number + offset, decision)
        return True

    def comment(self, old: int, new: int, text: str) -> None:
        """Say something about the line of a hunk that has these numbers; an empty `text` takes it back."""
        self._comments.pop((old, new), None)
        if text.strip():
            self._comments[old, new] = text.strip()

    def comment_on(self, old: int, new: int) -> str:
        return self._comments.get((old, new), "")

    @property
    def n_comments(self) -> int:
        return len(self._comments)

    def comments(self) -> list[tuple[Line, str]]:
        """In the order of the lines."""
        if not self._comments:
            return []
        lines = (line for hunk in self.hunks for line in hunk.lines)
        return [(line, text) for line in lines if (text := self.comment_on(line.old, line.new))]

    @property
    def n_accepted(self) -> int:
        return sum(decision == "accept" for decision in self._decisions.values())

    @property
    def n_rejected(self) -> int:
        return sum(decision == "reject" for decision in self._decisions.values())

    def rejected(self) -> list[Hunk]:
        return [hunk for hunk in self.hunks if self._decisions.get(hunk.old) == "reject"] if self.n_rejected else []

    def content(self) -> bytes | None:
        """What should be on the disk."""
        rejected = self.rejected()
        if not rejected:
            return self.file.after
        if len(rejected) == len(self.hunks):
            return self.file.before
        kept = [hunk for hunk in self.hunks if self._decisions.get(hunk.old) != "reject"]
        return _bytes(apply_hunks(_text(self.file.before), kept))

    def line_on_disk(self, line: Line) -> int:
        """The number that `line` has in `content`; 0 if it is not in it."""
        above: dict[Decision, int] = {"accept": 0, "reject": 0}  # by how many lines these hunks move what is below
        for hunk in self.hunks:
            decision: Decision = "reject" if self._decisions.get(hunk.old) == "reject" else "accept"
            if line in hunk.lines:
                if decision == "reject":
                    return line.old and line.old + above["accept"]
                return line.new and line.new - above["reject"]
            above[decision] += hunk.n_added - hunk.n_removed
        return 0


class Review:
    """The verdict on all files that changed, in the order of their paths."""

    def __init__(self, files: Iterable[ChangedFile]) -> None:
        changed = (file for file in files if file.before != file.after)
        self.files: Sequence[FileReview] = [FileReview(file) for file in sorted(changed, key=lambda file: file.path)]

    def result(self) -> dict[str, bytes | None]:
        """By path what should be on the disk."""
        return {file.path: file.content() for file in self.files}

    def message(self, unwritten: Container[str] = ()) -> str:
        """What the model should know: the changes that are undone, and the comments. Empty if there is neither.

        `unwritten` are the paths of files that could not be written: undoing is then asked for.
        """
        undone = [file for file in self.files if file.n_rejected]
        groups = [
            ("I reviewed your changes and rejected these. They are undone on the disk already.",
             [_rejected(file) for file in undone if file.path not in unwritten]),
            ("I rejected these changes too, but the files have changed since. Undo them yourself.",
             [_rejected(file) for file in undone if file.path in unwritten]),
            ("My comments on the changes, with the lines that they are about:",
             [_said(file, line, text) for file in self.files for line, text in file.comments()]),
        ]  # fmt: skip
        return "\n\n".join(part for title, parts in groups if parts for part in (title, *parts))


def _rejected(file: FileReview) -> str:
    hunks = file.rejected()
    what = f"{len(hunks)} of {len(file.hunks)} changes"
    if len(hunks) == len(file.hunks):
        what = {"added": "the new file", "deleted": "the deletion"}.get(file.kind, "the whole change")
    title = f"`{_name(file.path)}`: {what}"
    lines = lines_of(unified(hunks)) if hunks[0].lines else []
    if not lines:
        return f"{title} ({file.note})"
    shown = "".join(map(_cut, lines[:_MOST_LINES]))
    rest = f"({len(lines) - _MOST_LINES} more lines)" if len(lines) > _MOST_LINES else ""
    return "\n".join(filter(None, [title, _fenced(shown, "diff"), rest]))


def _cut(line: str) -> str:
    return line if len(line) <= _MOST_CHARS else line[:_MOST_CHARS] + "…\n"


def _said(file: FileReview, line: Line, text: str) -> str:
    number = file.line_on_disk(line)
    gone = "" if number else " (not in the file any more)"
    return f"`{_name(file.path)}:{number or line.new or line.old}`{gone}\n{_fenced(_cut(line.text))}\n{text}"


def _fenced(code: str, language: str = "") -> str:
    """In a fence that nothing in `code` can end."""
    code = code.encode("utf-8", "surrogateescape").decode("utf-8", "replace").rstrip("\n")
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def _name(path: str) -> str:
    return printable(path).replace("\n", "\\n").replace("`", "'")


def _text(content: bytes | None) -> str:
    """Every sequence of bytes there and back: what is no UTF-8 becomes half surrogates."""
    return (content or b"").decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class _Refused(Exception):
    """Why a file is not written, as the end of a sentence that begins with its path."""


def apply(review: Review, root: Path) -> tuple[str, ...]:
    """Write what differs from the disk. Returns the paths of what was written or removed.

    A file is replaced in one step, and only if it is still as it was shown; its mode stays. No link is followed
    below `root`, and nothing outside is touched. The other files are written even if one cannot be.

    *Errors*: ReviewConflict, when all is done that can be.
    """
    written: list[str] = []
    conflicts: dict[str, str] = {}
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for file in review.files:
            content = file.content()
            if content == file.file.after:
                continue
            try:
                _put(top, file.file, content)
                written.append(file.path)
            except _Refused as reason:
                conflicts[file.path] = str(reason)
            except OSError as error:
                conflicts[file.path] = f"could not be written ({error.strerror or error})"
    finally:
        os.close(top)
    if conflicts:
        raise ReviewConflict(conflicts, tuple(written))
    return tuple(written)


def _put(top: int, file: ChangedFile, content: bytes | None) -> None:
    *folders, name = _parts(file.path)
    with _opened(top, folders, make=file.after is None) as folder:
        current, mode = _read(folder, name)
        if current != file.after:
            raise _Refused("was deleted since" if current is None else "has changed since")
        if content is None:
            os.unlink(name, dir_fd=folder)
            return
        mode = file.mode if mode is None else mode
        spare = f".{secrets.token_hex(8)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            # 0o666 is for a file whose mode nobody knows: the process' mask takes from it what it should.
            with os.fdopen(os.open(spare, flags, 0o666 if mode is None else 0o600, dir_fd=folder), "wb") as out:
                out.write(content)
                if mode is not None:
                    os.fchmod(out.fileno(), mode)
            os.replace(spare, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with suppress(OSError):
                os.unlink(spare, dir_fd=folder)
            raise


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise _Refused("is no path within the folder")
    return parts


@contextmanager
def _opened(top: int, folders: Sequence[str], *, make: bool) -> Iterator[int]:
    """The folder of that name below `top`; each step is held open, so that none can be swapped for a link."""
    at = os.dup(top)
    try:
        for name in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=at)
            try:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            except FileNotFoundError:
                raise _Refused("was deleted since") from None
            except NotADirectoryError:
                raise _Refused(f"lies beyond {_name(name)}, which is a link or no folder") from None
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def _read(folder: int, name: str) -> tuple[bytes | None, int | None]:
    """Content and mode; None for what is not there."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise _Refused("is a link or no plain file")
        at = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None, None
    with os.fdopen(at, "rb") as opened:
        return opened.read(), stat.S_IMODE(os.fstat(at).st_mode)
