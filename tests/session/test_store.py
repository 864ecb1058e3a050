"""The sessions there are, with and without an index to tell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from claw.errors import SessionError, SessionNotFound
from claw.paths import Home
from claw.protocol import events as ev
from claw.protocol.messages import Usage, UserMessage, as_content
from claw.session.base import SessionFolder, SessionInfo
from claw.session.fold import Tally
from claw.session.journal import Journal
from claw.session.store import SessionStore, new_id
from tests.session.arbitrary import keep

T0 = 1_795_462_476.0  # 2026-11-23 19:34:36 UTC


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "config", tmp_path / "state", tmp_path / "cache")


@pytest.fixture
def store(home: Home) -> SessionStore:
    moments = iter(range(1_000))
    return SessionStore(home, lambda: T0 + next(moments))


def history(cwd: Path, prompt: str, ts: float) -> list[ev.Event]:
    events: list[ev.Event] = [
        ev.SessionStarted(
            protocol=1, claw="0", cwd=str(cwd), roots=(), host="h", model="m", mode="ask", sandbox="none"
        ),
        ev.RunStarted(run=1),
        ev.UserMessageAdded(message=UserMessage(as_content(prompt))),
        ev.TurnStarted(turn=1),
        ev.UsageReported(usage=Usage(10, 5, 2, 1), cost_usd=0.5),
        ev.RunFinished(run=1, status="done"),
    ]
    for seq, event in enumerate(events):
        event.seq, event.ts = seq, ts
    return events


def made(store: SessionStore, cwd: Path, prompt: str, ts: float) -> SessionFolder:
    """A session of one run, ended in good order."""
    folder = store.create(cwd)
    tally, journal = Tally(), Journal(folder)
    for event in history(cwd, prompt, ts):
        tally(event)
        journal(event)
    journal.close()
    store.update(folder, tally.info())
    return folder


def info(folder: SessionFolder, cwd: Path, prompt: str, ts: float) -> SessionInfo:
    return SessionInfo(
        folder.id, str(cwd), prompt, "h", "m", "done", 1, 1, 0, Usage(10, 5, 2, 1), 0.5, ts, ts,
        folder.log.stat().st_size,
    )  # fmt: skip


def test_ids_tell_the_time_and_sort_by_it() -> None:
    assert re.fullmatch(r"20261123-193436-[0-9a-f]{4}", new_id(T0))
    assert new_id(T0) < new_id(T0 + 1) < new_id(T0 + 3_600)


def test_a_new_session_is_private(store: SessionStore, home: Home, tmp_path: Path) -> None:
    folder = store.create(tmp_path)
    for path in (home.sessions, folder.path, folder.blobs, folder.tmp):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (home.sessions / "index.jsonl").stat().st_mode & 0o777 == 0o600
    (only,) = store.list()
    assert (only.id, only.cwd, only.status) == (folder.id, str(tmp_path), "empty")


def test_the_list_tells_what_each_did_last_used_first(store: SessionStore, tmp_path: Path) -> None:
    one, two = made(store, tmp_path, "one", 50.0), made(store, tmp_path, "two", 20.0)
    assert store.list() == [info(one, tmp_path, "one", 50.0), info(two, tmp_path, "two", 20.0)]


def test_the_index_can_be_lost(store: SessionStore, home: Home, tmp_path: Path) -> None:
    made(store, tmp_path, "one", 10.0)
    made(store, tmp_path, "two", 20.0)
    before, index = store.list(), home.sessions / "index.jsonl"
    index.unlink()
    assert store.list() == before
    index.write_bytes(b'{"id": 3}\n\xff\xfe\n' + b"[" * 100_000 + b'\n{"id":"20260101-')
    assert store.list() == before
    assert store.rebuild_index() == before
    assert len(index.read_bytes().splitlines()) == 2


def test_the_index_saves_reading_the_logs(store: SessionStore, tmp_path: Path) -> None:
    folder = made(store, tmp_path, "one", 10.0)
    size_bytes = folder.log.stat().st_size
    folder.log.write_bytes(b"x" * size_bytes)  # of the same length: nobody looks
    assert [each.title for each in store.list()] == ["one"]


def test_a_session_that_was_killed_or_still_runs_is_read_from_its_log(store: SessionStore, tmp_path: Path) -> None:
    folder = store.create(tmp_path)
    keep(folder, *history(tmp_path, "cut", 10.0)[:-1])
    assert [(each.title, each.status) for each in store.list()] == [("cut", "unfinished")]
    keep(folder, *history(tmp_path, "cut", 10.0)[-1:])
    assert [(each.title, each.status) for each in store.list()] == [("cut", "done")]


def test_what_is_no_session_is_not_listed(store: SessionStore, home: Home, tmp_path: Path) -> None:
    folder = made(store, tmp_path, "one", 10.0)
    (home.sessions / "notes").mkdir()
    (home.sessions / "20261123-193436-beef").symlink_to(tmp_path)
    (home.sessions / "20261123-193436-cafe").write_text("a file")
    assert [each.id for each in store.list()] == [folder.id]


def test_a_log_that_cannot_be_read_spoils_no_list(store: SessionStore, tmp_path: Path) -> None:
    one, two = made(store, tmp_path, "one", 10.0), made(store, tmp_path, "two", 20.0)
    two.log.unlink()
    two.log.mkdir()  # root may read any file, but not a folder
    statuses = {each.id: each.status for each in store.list()}
    assert statuses == {one.id: "done", two.id: "unreadable"}
    assert store.latest(tmp_path) == one


def test_open_takes_an_id_a_beginning_or_the_last_four(store: SessionStore, tmp_path: Path) -> None:
    one, two = store.create(tmp_path), store.create(tmp_path)
    names = [two.id, two.id[:15]] + [two.id[-4:]] * (one.id[-4:] != two.id[-4:])
    assert [store.open(name) for name in names] == [two] * len(names)


def test_open_refuses_what_is_not_there_or_not_clear(store: SessionStore, tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound, match="none has been kept"):
        store.open("2026")
    one, two = store.create(tmp_path), store.create(tmp_path)
    with pytest.raises(SessionNotFound, match=f"'2026' could be any of {two.id}, {one.id}. Give more"):
        store.open("2026")
    with pytest.raises(SessionNotFound, match=f"no session '{two.id[:-1]}z'. Near ones are {two.id}, {one.id}; "):
        store.open(two.id[:-1] + "z")
    for name in ("", "..", "../../etc", "*", "\0", one.id + "/"):
        with pytest.raises(SessionNotFound):
            store.open(name)


def test_latest_is_the_last_used_in_this_folder(store: SessionStore, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (tmp_path / "link").symlink_to(here)
    with pytest.raises(SessionNotFound, match=f"no session to continue in {here}"):
        store.latest(here)
    used = made(store, here, "first, but used last", 50.0)
    made(store, here, "second", 20.0)
    made(store, there, "elsewhere", 90.0)
    store.create(here)  # nothing was said in it
    assert (store.latest(here), store.latest(tmp_path / "link")) == (used, used)


def test_delete_removes_one_and_needs_the_whole_id(store: SessionStore, home: Home, tmp_path: Path) -> None:
    one, two = made(store, tmp_path, "one", 10.0), made(store, tmp_path, "two", 20.0)
    for name in (one.id[:-1], "", "..", "notes"):
        with pytest.raises(SessionNotFound):
            store.delete(name)
    store.delete(one.id)
    assert [each.id for each in store.list()] == [two.id]
    assert sorted(os.listdir(home.sessions)) == sorted([two.id, "index.jsonl"])


def test_the_index_does_not_grow_for_ever(store: SessionStore, home: Home, tmp_path: Path) -> None:
    folder = made(store, tmp_path, "one", 10.0)
    before = store.list()
    for _ in range(200):
        store.update(folder, before[0])
    assert store.list() == before
    assert len((home.sessions / "index.jsonl").read_bytes().splitlines()) == 1


CREATOR = """
import sys
from pathlib import Path
from claw.paths import find_home
from claw.session.store import SessionStore
store = SessionStore(find_home({"CLAW_HOME": sys.argv[1]}), lambda: 0.0)
for _ in range(20):
    store.create(Path("/"))
"""


def test_processes_share_the_index(home: Home, tmp_path: Path) -> None:
    creators = [subprocess.Popen([sys.executable, "-P", "-c", CREATOR, str(tmp_path)]) for _ in range(4)]
    assert [creator.wait() for creator in creators] == [0] * 4
    lines = [json.loads(line)["id"] for line in (home.sessions / "index.jsonl").read_bytes().splitlines()]
    assert len(set(lines)) == len(lines) == 80
    assert sorted(each.id for each in SessionStore(home).list()) == sorted(lines)


def test_a_folder_that_cannot_be_made_is_a_session_error(home: Home, tmp_path: Path) -> None:
    home.state.parent.mkdir(exist_ok=True)
    home.state.write_text("a file is in the way")
    with pytest.raises(SessionError, match="cannot make a session in"):
        SessionStore(home).create(tmp_path)


def test_a_folder_whose_name_is_no_utf8_is_listed(store: SessionStore, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    store.create(odd)
    assert [each.cwd for each in store.list()] == [f"{tmp_path}/\\udcff"]
