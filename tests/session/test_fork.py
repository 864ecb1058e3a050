from __future__ import annotations

from pathlib import Path

from claw.paths import Home
from claw.protocol import events as ev
from claw.protocol.messages import UserMessage, as_content
from claw.session.fold import fold
from claw.session.journal import Journal, LogReader
from claw.session.store import SessionStore


def test_a_copy_goes_on_by_itself(tmp_path: Path) -> None:
    store = SessionStore(Home(tmp_path / "c", tmp_path / "s", tmp_path / "k"))
    folder = store.create(tmp_path)
    journal = Journal(folder)
    said: list[ev.Event] = [
        ev.SessionStarted(
            protocol=1, claw="1", cwd=str(tmp_path), roots=(), host="h", model="m", mode="ask", sandbox="none"
        ),
        ev.RunStarted(run=1),
        ev.UserMessageAdded(message=UserMessage(as_content("x" * 100_000))),  # goes to a blob
        ev.TitleChanged(title="mine"),
    ]
    for number, event in enumerate(said):
        event.session, event.seq, event.ts = folder.id, number, 1.0 + number
        journal(event)
    journal.close()

    copy = store.fork(folder.id)
    store.delete(folder.id)

    assert copy.id != folder.id
    events = list(LogReader(copy))
    assert {event.session for event in events} == {copy.id}
    state = fold(events)
    assert state.messages == (UserMessage(as_content("x" * 100_000)),)
    assert (state.info.id, state.info.title, state.next_seq) == (copy.id, "mine", 4)
    assert [info.id for info in store.list()] == [copy.id]
