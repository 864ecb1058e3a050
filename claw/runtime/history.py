"""What frontends may know of sessions besides the one at work: their list, and what was said in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from claw.paths import find_home
from claw.protocol.events import Event
from claw.session.backwards import BackwardLog
from claw.session.base import EMPTY, SessionInfo
from claw.session.store import SessionStore


class PastSession:
    """A session's events from the newest to the oldest, in pieces; each piece is in the order of its happening."""

    def __init__(self, log: BackwardLog) -> None:
        self._log = log

    def older(self) -> list[Event]:
        """*Errors*: SessionError."""
        return self._log.older()

    @property
    def is_at_start(self) -> bool:
        return self._log.is_at_start


class Sessions:
    """The sessions of this user. *Errors*: SessionError where the disk refuses."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._store = SessionStore(find_home(environ))

    def list(self) -> Sequence[SessionInfo]:
        """Those in which something was said, the last used first."""
        return [info for info in self._store.list() if info.status != EMPTY]

    def past(self, name: str) -> PastSession:
        """*Errors*: SessionNotFound."""
        return PastSession(BackwardLog(self._store.open(name)))

    def latest(self, cwd: Path) -> str:
        """The id of the session that was last at work there. *Errors*: SessionNotFound."""
        return self._store.latest(cwd).id
