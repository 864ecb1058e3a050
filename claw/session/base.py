"""What a session is: its folder, its state, and its line in the list of sessions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from claw.protocol.details import TodoItem
from claw.protocol.events import RunFinished
from claw.protocol.messages import Message, Prefix, Usage

EMPTY = "empty"
"""Status of a session that no run was started in."""

UNFINISHED = "unfinished"
"""Status of a session whose last run has no end in the log: it still goes on, or its process died."""

UNREADABLE = "unreadable"
"""Status of a session whose log cannot be opened."""


class SessionFolder(NamedTuple):
    """Where one session lies. `tmp` holds what has not become a blob yet."""

    id: str
    path: Path

    @property
    def log(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"


class SessionInfo(Struct, frozen=True, omit_defaults=True):
    """A session in one line of the index.

    `status` is the last run's (see `RunFinished`), `empty`, `unfinished` or `unreadable`. `title` is the
    first thing that the user said. `log_bytes` is how much of the log the line knows of: a log of
    another length has gone on since. `cost_usd` is None once a request had no known price.
    """

    id: str
    cwd: str = ""
    title: str = ""
    host: str = ""
    model: str = ""
    status: str = EMPTY
    n_runs: int = 0
    n_turns: int = 0
    n_tool_calls: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    started_ts: float = 0.0
    updated_ts: float = 0.0
    log_bytes: int = 0


class SessionState(Struct, frozen=True):
    """All that a session's events add up to; enough to go on from.

    `messages` is a conversation that every host accepts: each reply is followed by the results of its
    calls, in the order of the calls. `changed_files` are relative to `cwd` where they lie below it, in
    the order of their first change.
    """

    info: SessionInfo
    protocol: int = 0
    roots: tuple[str, ...] = ()
    mode: str = ""
    sandbox: str = ""
    prefix: Prefix | None = None
    messages: tuple[Message, ...] = ()
    todo: tuple[TodoItem, ...] = ()
    changed_files: tuple[str, ...] = ()
    last_run: RunFinished | None = None
    next_seq: int = 0
