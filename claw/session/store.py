"""The sessions there are. The folders are the truth; the index only saves reading every log.

    <home.sessions>/index.jsonl            lines of SessionInfo, the last of a session wins
    <home.sessions>/<id>/events.jsonl      the log
    <home.sessions>/<id>/blobs/<sha256>    large payloads
    <home.sessions>/<id>/tmp/              payloads on their way to be blobs

An index line knows how long the log was when it was written. A session whose log has another length, or
that has no line, is read from its log, so that a missing, stale or torn index does no harm.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from claw.errors import SessionError, SessionNotFound
from claw.paths import Home, make_private_folder
from claw.protocol.events import SessionStarted
from claw.session.base import EMPTY, UNREADABLE, SessionFolder, SessionInfo
from claw.session.fold import Tally
from claw.session.journal import Journal, LogReader

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_N_NAMED = 5
_SPARE_LINES = 100

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SessionInfo)


class SessionStore:
    """Sessions below `home.sessions`. Several processes may use it at once.

    *Errors*: SessionError where the disk refuses.
    """

    def __init__(self, home: Home, clock: Callable[[], float] = time.time) -> None:
        self._root = home.sessions
        self._index = self._root / "index.jsonl"
        self._clock = clock

    def create(self, cwd: Path) -> SessionFolder:
        """A new, empty session that works in `cwd`."""
        try:
            make_private_folder(self._root)
            while True:
                folder = self._folder(new_id(self._clock()))
                try:
                    folder.path.mkdir(mode=0o700)
                    break
                except FileExistsError:
                    continue  # another process drew the same four digits in the same second
            folder.blobs.mkdir(mode=0o700)
            folder.tmp.mkdir(mode=0o700)
        except OSError as error:
            raise SessionError(f"cannot make a session in {self._root}: {error.strerror}") from None
        now = self._clock()
        self._append(SessionInfo(folder.id, str(cwd.resolve()), started_ts=now, updated_ts=now))
        return folder

    def open(self, name: str) -> SessionFolder:
        """The session with this id, or the only one whose id begins with `name` or ends with its four digits.

        *Errors*: SessionNotFound, which names those that come near or those that `name` could mean.
        """
        ids = sorted(self._ids(), reverse=True)
        if name in ids:
            return self._folder(name)
        matches = [known for known in ids if name and known.startswith(name)]
        matches = matches or [known for known in ids if known.rpartition("-")[2] == name]
        if len(matches) == 1:
            return self._folder(matches[0])
        if matches:
            raise SessionNotFound(f"{name!r} could be any of {_name_some(matches)}. Give more of the id.")
        if not ids:
            raise SessionNotFound(f"there is no session {name!r}: none has been kept in {self._root}.")
        import difflib  # only for this message; 3 ms that no other start should pay

        near = difflib.get_close_matches(name, ids, _N_NAMED)
        hint = f"Near ones are {_name_some(near)}" if near else f"The newest are {_name_some(ids)}"
        raise SessionNotFound(f"there is no session {name!r}. {hint}; `claw sessions list` shows all.")

    def latest(self, cwd: Path) -> SessionFolder:
        """The session that was last at work in `cwd`.

        *Errors*: SessionNotFound if nothing has been said in this folder yet.
        """
        here = str(cwd.resolve())
        for info in self.list():
            if info.cwd == here and info.status not in (EMPTY, UNREADABLE):
                return self._folder(info.id)
        raise SessionNotFound(f"there is no session to continue in {here}; `claw sessions list` shows all.")

    def list(self) -> Sequence[SessionInfo]:
        """All sessions, the last used first. Brings the index up to date."""
        known, n_lines = self._read_index()
        infos, fresh = [], []
        for id in self._ids():
            info = known.get(id)
            if info is None or info.log_bytes != _log_bytes(self._folder(id)):
                info = self._summarise(self._folder(id), info)
                fresh.append(info)
            infos.append(info)
        if n_lines > 2 * len(infos) + _SPARE_LINES:
            self._replace_index(infos)
        elif fresh:
            self._append(*fresh)
        return sorted(infos, key=lambda info: (info.updated_ts, info.id), reverse=True)

    def fork(self, name: str) -> SessionFolder:
        """A new session with all that was said in this one; each goes on by itself.

        *Errors*: SessionNotFound; SessionError where the log cannot be read.
        *Cost*: that of reading the log and writing it, some 0.1 ms an event.
        """
        log = LogReader(self.open(name))
        first = next(iter(log), None)
        cwd = first.cwd if isinstance(first, SessionStarted) else "."
        folder = self.create(Path(cwd))
        journal, tally = Journal(folder), Tally()
        try:
            for event in log:
                event.session = folder.id
                journal(event)
                tally(event)
        finally:
            journal.close()
        self.update(folder, tally.info())
        return folder

    def update(self, folder: SessionFolder, info: SessionInfo) -> None:
        """Keep what is known of a session at its end; `info` is `Tally.info()`."""
        self._append(msgspec.structs.replace(info, id=folder.id, log_bytes=_log_bytes(folder)))

    def rebuild_index(self) -> Sequence[SessionInfo]:
        """Read every log and write the index anew; returns it, the last used first."""
        self._replace_index([self._summarise(self._folder(id), None) for id in self._ids()])
        return self.list()

    def delete(self, id: str) -> None:
        """Remove a session for good.

        *Errors*: SessionNotFound unless `id` is the whole id of a session.
        """
        import shutil  # 10 ms, and hardly anyone deletes

        if id not in self._ids():
            raise SessionNotFound(f"there is no session {id!r}.")
        doomed = self._root / f".deleting-{id}"  # out of the list at once, even if the rest fails
        try:
            os.rename(self._root / id, doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise SessionError(f"cannot delete session {id}: {error.strerror}") from None

    def _folder(self, id: str) -> SessionFolder:
        return SessionFolder(id, self._root / id)

    def _ids(self) -> set[str]:
        try:
            with os.scandir(self._root) as entries:
                return {e.name for e in entries if _ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise SessionError(f"cannot read {self._root}: {error.strerror}") from None

    def _summarise(self, folder: SessionFolder, known: SessionInfo | None) -> SessionInfo:
        tally, log_bytes = Tally(), _log_bytes(folder)
        try:
            for event in LogReader(folder):
                tally(event)
        except SessionError:
            known = known or SessionInfo(folder.id)
            status = UNREADABLE if log_bytes else EMPTY
            return msgspec.structs.replace(known, status=status, log_bytes=log_bytes)
        info = msgspec.structs.replace(tally.info(log_bytes), id=folder.id)
        if not info.cwd and known:  # nothing is in the log yet
            return msgspec.structs.replace(known, log_bytes=log_bytes)
        return info

    def _read_index(self) -> tuple[dict[str, SessionInfo], int]:
        """The last line of each session, and how many lines there are."""
        known: dict[str, SessionInfo] = {}
        n_lines = 0
        for line in self._index_lines():
            n_lines += 1
            try:
                info = _decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                continue  # its session is read from the log instead
            known[info.id] = info
        return known, n_lines

    def _index_lines(self) -> Iterator[bytes]:
        try:
            with self._index.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return
        except OSError as error:
            raise SessionError(f"cannot read {self._index}: {error.strerror}") from None

    def _append(self, *infos: SessionInfo) -> None:
        """In one write to the end of the file, so that lines of several processes do not mix."""
        data = b"".join(_encode(info) for info in infos)
        try:
            fd = os.open(self._index, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, data)
            finally:
                os.close(fd)
        except OSError as error:
            raise SessionError(f"cannot write {self._index}: {error.strerror}") from None

    def _replace_index(self, infos: Iterable[SessionInfo]) -> None:
        """A line that another process appends meanwhile may get lost; the length of the log tells."""
        make_private_folder(self._root)
        temporary = self._root / f".index-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.writelines(_encode(info) for info in infos)
            os.replace(temporary, self._index)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise SessionError(f"cannot write {self._index}: {error.strerror}") from None


def new_id(now: float) -> str:
    """`20261123-193436-a1b2`: the moment in UTC, so that ids sort by time, and four random digits."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{os.urandom(2).hex()}"


def _log_bytes(folder: SessionFolder) -> int:
    try:
        return os.stat(folder.log).st_size
    except OSError:
        return 0


def _encode(info: SessionInfo) -> bytes:
    try:
        return _encoder.encode(info) + b"\n"
    except UnicodeEncodeError:  # a folder whose name is not UTF-8
        cwd, title = (text.encode("utf-8", "backslashreplace").decode() for text in (info.cwd, info.title))
        return _encoder.encode(msgspec.structs.replace(info, cwd=cwd, title=title)) + b"\n"


def _name_some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _N_NAMED} more" if len(ids) > _N_NAMED else ""
    return ", ".join(ids[:_N_NAMED]) + more
