"""The changes of a session for a person to judge, and what the judgement leads to. All of it blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from claw.code.changes import Changes, against_head, undone
from claw.code.review import FileReview, Review, ReviewConflict, apply
from claw.paths import find_home
from claw.protocol import events as ev
from claw.protocol.details import FileChange, FileDiffs
from claw.session.journal import LogReader
from claw.session.store import SessionStore


class Judgement:
    """`files` are decided on by whoever shows them; `carry_out` makes it true."""

    def __init__(self, changes: Changes) -> None:
        self._root = changes.root
        self._review = Review(changes.files)
        self.unclear = changes.unclear

    @property
    def files(self) -> Sequence[FileReview]:
        return self._review.files

    def carry_out(self) -> tuple[str, str]:
        """Undo what was rejected. Returns what the model should be told, and what went wrong; both may be empty."""
        try:
            apply(self._review, self._root)
        except ReviewConflict as conflict:
            return self._review.message(conflict.conflicts), str(conflict)
        return self._review.message(), ""


def changes_to_judge(
    of: Literal["turn", "session", "head"], cwd: Path, environ: Mapping[str, str], session: str
) -> Judgement:
    """*Errors*: UsageError without a repository; SessionError."""
    if of == "head":
        return Judgement(against_head(cwd))
    log = LogReader(SessionStore(find_home(environ)).open(session))
    return Judgement(undone(cwd, _recorded(log, last_run=of == "turn")))


def _recorded(log: LogReader, *, last_run: bool) -> list[FileChange]:
    changes: list[FileChange] = []
    for event in log:
        if last_run and isinstance(event, ev.RunStarted):
            changes.clear()
        elif isinstance(event, ev.ToolFinished) and isinstance(event.details, FileDiffs):
            changes += event.details.changes
    return changes
