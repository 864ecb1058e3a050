"""A log read from its end: the same events as from its beginning, in whole turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from claw.protocol import events as ev
from claw.protocol.codec import PROTOCOL_VERSION
from claw.protocol.messages import AssistantMessage, UserMessage, as_content
from claw.session.backwards import BackwardLog
from claw.session.base import SessionFolder
from claw.session.journal import Journal, LogReader


def write(path: Path, n_turns: int, size: int) -> SessionFolder:
    folder = SessionFolder("s", path)
    folder.blobs.mkdir(parents=True)
    folder.tmp.mkdir()
    journal = Journal(folder)
    where = {"cwd": "/w", "roots": (), "host": "h", "model": "m", "mode": "ask", "sandbox": "none"}
    events: list[ev.Event] = [
        ev.SessionStarted(protocol=PROTOCOL_VERSION, claw="1", **where),  # type: ignore[arg-type]
        ev.RunStarted(run=1),
        ev.UserMessageAdded(message=UserMessage(as_content("go"))),
    ]
    for turn in range(n_turns):
        events += [
            ev.TurnStarted(turn=turn),
            ev.ReplyFinished(message=AssistantMessage("x" * size), finish_reason="tool_calls"),
            ev.ToolStarted(call_id=f"c{turn}", name="bash", arguments="{}"),
            ev.ToolFinished(call_id=f"c{turn}", name="bash", content=as_content("y" * size)),
            ev.TurnFinished(turn=turn),
        ]
    for number, event in enumerate(events):
        event.seq, event.ts, event.session = number, float(number), "s"
        journal(event)
    journal.close()
    return folder


@pytest.mark.parametrize(("n_turns", "size"), [(0, 1), (3, 10), (400, 500), (5, 400_000)])
def test_all_pieces_together_are_the_log(tmp_path: Path, n_turns: int, size: int) -> None:
    folder = write(tmp_path, n_turns, size)
    log = BackwardLog(folder)
    found: list[ev.Event] = []
    n_pieces = 0
    while not log.is_at_start:
        piece = log.older()
        assert isinstance(piece[0], ev.SessionStarted | ev.TurnStarted | ev.RunStarted)
        found = piece + found
        n_pieces += 1
    assert found == list(LogReader(folder))
    assert log.older() == []
    assert n_pieces == 1 or n_turns * size > 100_000


def test_broken_lines_are_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path, 3, 10)
    whole = list(LogReader(folder))
    with folder.log.open("ab") as file:
        file.write(b'not an event\n\xff\xfe\n{}\n{"torn')
    assert BackwardLog(folder).older() == whole
