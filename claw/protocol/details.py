"""What a tool shows on the screen, beside the text that the model reads."""

from __future__ import annotations

from msgspec import Struct


class FileChange(Struct, frozen=True):
    """One file before and after. `diff` is unified, empty for binary files.

    `kind` is `added`, `modified` or `deleted`; `path` is relative to the working folder where it can be.
    """

    path: str
    kind: str
    diff: str = ""
    n_added: int = 0
    n_removed: int = 0


class FileDiffs(Struct, frozen=True, tag="file_diffs"):
    """The files that an edit, a write or a patch changed."""

    changes: tuple[FileChange, ...]


class CommandRun(Struct, frozen=True, tag="command"):
    """A shell command that ran, or that still runs as the background job `job`.

    `exit_code` is None while it runs; negative is the signal that ended it. `output_blob` is the path
    of the whole output when it was too long for the model.
    """

    command: str
    exit_code: int | None
    duration_s: float
    output_bytes: int = 0
    output_blob: str = ""
    job: str = ""


class Lines(Struct, frozen=True, tag="lines"):
    """Something that was read or found: how many lines, matches or entries, and of what."""

    what: str
    count: int


class TodoItem(Struct, frozen=True):
    """One step of the plan. `status` is `pending`, `in_progress` or `done`."""

    text: str
    status: str = "pending"


class TodoList(Struct, frozen=True, tag="todo"):
    items: tuple[TodoItem, ...]


Details = FileDiffs | CommandRun | Lines | TodoList


class Preview(Struct, frozen=True):
    """What a call will really do, for whoever is asked whether it may.

    `reads` and `writes` are resolved paths; `changes` holds the diffs of an edit; `command` is the command
    line as it will be run, in the folder `cwd`, and `programs` what each program in it resolves to;
    `url` is what will be fetched.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changes: tuple[FileChange, ...] = ()
    command: str = ""
    cwd: str = ""
    programs: tuple[str, ...] = ()
    url: str = ""
