"""What frontends may know of sessions besides the one at work: their list, and what was said in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from claw.errors import UsageError
from claw.paths import find_home
from claw.protocol.events import Event
from claw.runtime.costs import CostMeter, CostReport
from claw.runtime.safety import make_redactor
from claw.session.backwards import BackwardLog
from claw.session.base import EMPTY
from claw.session.base import SessionInfo as SessionInfo
from claw.session.journal import LogReader
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
        self._environ = environ
        self._store = SessionStore(find_home(environ))

    def list(self) -> Sequence[SessionInfo]:
        """Those in which something was said, the last used first."""
        return [info for info in self._store.list() if info.status != EMPTY]

    def info(self, name: str) -> SessionInfo:
        """*Errors*: SessionNotFound."""
        id = self._store.open(name).id
        return next(info for info in self._store.list() if info.id == id)

    def past(self, name: str) -> PastSession:
        """*Errors*: SessionNotFound."""
        return PastSession(BackwardLog(self._store.open(name)))

    def fork(self, name: str) -> str:
        """The id of a copy that goes on by itself. *Errors*: SessionNotFound."""
        return self._store.fork(name).id

    def cost(self, name: str) -> CostReport:
        """*Errors*: SessionNotFound. *Cost*: that of reading the log."""
        return CostMeter.over(LogReader(self._store.open(name))).report()

    def export(self, name: str, path: Path) -> None:
        """As JSON if the path ends so, else as Markdown; what is secret is left out. A file there is kept.

        *Errors*: SessionNotFound; UsageError where the file cannot be written, or is there already.
        """
        from claw.session.export import to_json, to_markdown

        log = LogReader(self._store.open(name))
        redactor = make_redactor(self._environ, find_home(self._environ).config, "")
        text = (to_json if path.suffix == ".json" else to_markdown)(log, redactor=redactor)
        try:
            with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except FileExistsError:
            raise UsageError(f"{path} is there already; give another name") from None
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None

    def latest(self, cwd: Path) -> str:
        """The id of the session that was last at work there. *Errors*: SessionNotFound."""
        return self._store.latest(cwd).id
