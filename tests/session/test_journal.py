"""The log: what goes in comes out, whatever happens to the file in between."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.errors import SessionError
from claw.protocol import events as ev
from claw.protocol.messages import Image, Text, UserMessage, as_content
from claw.redact import Redactor
from claw.session.base import SessionFolder
from claw.session.fold import fold
from claw.session.journal import Journal, LogReader
from claw.session.records import INLINE_LIMIT_CHARS
from tests.session.arbitrary import histories, keep, new_folder, read

STARTED = ev.SessionStarted(
    session="s", seq=0, ts=1.0, protocol=1, claw="0", cwd="/w", roots=("/w",), host="h", model="m", mode="ask",
    sandbox="none",
)  # fmt: skip


def notice(text: str, seq: int = 1) -> ev.Notice:
    return ev.Notice(session="s", seq=seq, ts=2.0, text=text)


def finished(text: str) -> ev.ToolFinished:
    return ev.ToolFinished(session="s", seq=1, ts=2.0, call_id="a", name="bash", content=as_content(text))


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    return new_folder(tmp_path)


@given(histories)
def test_what_is_kept_is_what_happened(history: list[ev.Event]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = new_folder(Path(place))
        keep(folder, *history)
        assert read(folder) == [event for event in history if event.persisted]
        assert fold(LogReader(folder)) == fold(history)


def test_a_record_is_one_line_and_private(folder: SessionFolder) -> None:
    keep(folder, STARTED, ev.TextDelta(text="not kept"), notice("two\nlines"))
    lines = folder.log.read_bytes().split(b"\n")
    assert [json.loads(line)["type"] for line in lines[:-1]] == ["session_started", "notice"]
    assert lines[-1] == b""
    assert folder.log.stat().st_mode & 0o777 == 0o600


def test_large_payloads_go_to_blobs_once(folder: SessionFolder) -> None:
    text, url = "é" * (INLINE_LIMIT_CHARS + 1), "data:image/png;base64," + "A" * INLINE_LIMIT_CHARS
    said = ev.UserMessageAdded(message=UserMessage((Text("look:"), Text(text), Image(url))))
    keep(folder, STARTED, said, finished(text), finished("x" * INLINE_LIMIT_CHARS))
    assert read(folder)[1:] == [said, finished(text), finished("x" * INLINE_LIMIT_CHARS)]
    records = [json.loads(line) for line in folder.log.read_bytes().splitlines()]
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    part = {"type": "blob", "of": "text", "sha256": sha256, "chars": INLINE_LIMIT_CHARS + 1}
    assert records[1]["message"]["content"][:2] == [{"type": "text", "text": "look:"}, part]
    assert records[2]["content"] == [part]
    assert sorted(path.name for path in folder.blobs.iterdir()) == sorted(
        [sha256, hashlib.sha256(url.encode()).hexdigest()]
    )


@pytest.mark.parametrize("damage", ["missing", "changed", "no hash"])
def test_a_lost_blob_leaves_a_visible_gap(folder: SessionFolder, damage: str) -> None:
    keep(folder, STARTED, finished("x" * 20_000))
    (blob,) = folder.blobs.iterdir()
    if damage == "missing":
        blob.unlink()
    elif damage == "changed":
        blob.write_bytes(b"y" * 20_000)
    else:
        folder.log.write_bytes(folder.log.read_bytes().replace(blob.name.encode(), b"../../../../etc/passwd"))
    event = read(folder)[1]
    assert isinstance(event, ev.ToolFinished)
    (part,) = event.content
    assert isinstance(part, Text)
    assert part.text.startswith("[20000 characters were here; the blob ")


def test_text_that_looks_like_a_blob_is_text(folder: SessionFolder) -> None:
    text = '{"type":"blob","of":"text","sha256":"0"}'
    keep(folder, STARTED, finished(text))
    assert read(folder)[1] == finished(text)


def test_half_a_surrogate_pair_is_written_in_letters(folder: SessionFolder) -> None:
    keep(folder, STARTED, notice("a\udce9b"), finished("\ud800" + "x" * 20_000))
    assert read(folder)[1:] == [notice("a\\udce9b"), finished("\\ud800" + "x" * 20_000)]


def test_a_torn_last_line_is_ignored_and_the_next_record_has_its_own(folder: SessionFolder) -> None:
    keep(folder, STARTED, notice("one"), notice("two"))
    folder.log.write_bytes(folder.log.read_bytes()[:-10])
    reader = LogReader(folder)
    assert (list(reader), reader.n_broken, reader.is_torn) == ([STARTED, notice("one")], 0, True)
    assert reader.damage == f"passed over an unfinished last line in {folder.log}"
    keep(folder, notice("three"))
    assert (list(reader), reader.n_broken, reader.is_torn) == ([STARTED, notice("one"), notice("three")], 1, False)
    assert reader.damage == f"passed over 1 unreadable line in {folder.log}"


def test_a_last_line_that_only_lacks_its_newline_is_whole(folder: SessionFolder) -> None:
    keep(folder, STARTED, notice("one"))
    folder.log.write_bytes(folder.log.read_bytes().rstrip())
    keep(folder, notice("two"))
    assert read(folder) == [STARTED, notice("one"), notice("two")]


NASTY = [
    b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"type":"notice"}', b'{"type":"notice","text":"\xff"}',
    b'{"type":"notice","text":' + b"[" * 100_000, b'[{"type":"blob"}]',
    b'{"type":"tool_finished","content":[{"type":"blob"}]}', b'{"x":{"type":"blob"}',
]  # fmt: skip


@pytest.mark.parametrize("line", NASTY)
def test_a_broken_line_hides_nothing_else(folder: SessionFolder, line: bytes) -> None:
    keep(folder, STARTED, notice("one"))
    folder.log.write_bytes(folder.log.read_bytes() + line + b"\n")
    keep(folder, notice("two"))
    reader = LogReader(folder)
    assert list(reader) == [STARTED, notice("one"), notice("two")]
    assert reader.n_broken == (1 if line else 0)


@given(st.lists(st.binary(max_size=40), max_size=4), st.integers(0, 400))
def test_no_damage_makes_reading_fail(lines: list[bytes], cut: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = new_folder(Path(place))
        keep(folder, STARTED, finished("x" * 20_000))
        whole = folder.log.read_bytes()
        folder.log.write_bytes(whole[:cut] + b"\n".join(lines) + whole[cut:])
        assert all(isinstance(event, ev.Event) for event in LogReader(folder))
        fold(LogReader(folder))


def test_events_of_a_newer_claw_are_handed_on(folder: SessionFolder) -> None:
    keep(folder, STARTED)
    line = b'{"type":"dreamt","session":"s","seq":7,"ts":9.0,"of":"sheep"}'
    folder.log.write_bytes(folder.log.read_bytes() + line + b"\n")
    unknown = read(folder)[1]
    assert isinstance(unknown, ev.UnknownEvent)
    assert (unknown.seq, unknown.raw.strip()) == (7, line)
    assert fold(LogReader(folder)).next_seq == 8


def test_a_log_of_a_newer_protocol_is_shown_but_not_written(folder: SessionFolder) -> None:
    newer = ev.SessionStarted(
        protocol=2, claw="9.9", cwd="/w", roots=(), host="h", model="m", mode="ask", sandbox="none"
    )
    keep(folder, newer)
    with pytest.raises(SessionError, match=r"written by a newer claw \(9\.9\)"):
        Journal(folder)
    assert read(folder) == [newer]


def test_a_disk_that_refuses_is_a_session_error(tmp_path: Path) -> None:
    missing = SessionFolder("x", tmp_path / "missing")
    with pytest.raises(SessionError, match=r"cannot open .*events.jsonl"):
        Journal(missing)
    with pytest.raises(SessionError, match=r"cannot read .*events.jsonl"):
        read(missing)


def test_a_full_disk_tears_one_line_and_no_more(folder: SessionFolder) -> None:
    """A limit on the file's size stands for the full disk: the write comes back short, the next one fails."""
    journal = Journal(folder)
    journal(STARTED)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (folder.log.stat().st_size + 20, hard))
    try:
        with pytest.raises(SessionError, match=r"cannot write .*events.jsonl"):
            journal(notice("lost"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal(notice("kept"))
    journal.close()
    journal.close()
    assert read(folder) == [STARTED, notice("kept")]


WRITER = """
import sys
from pathlib import Path
from claw.protocol.events import Notice
from claw.redact import Redactor
from claw.session.base import SessionFolder
from claw.session.journal import Journal
journal = Journal(SessionFolder("x", Path(sys.argv[1])))
for seq in range(200):
    journal(Notice(seq=seq, text=sys.argv[2] * 3000))
"""


def test_two_writers_do_not_mix_lines(folder: SessionFolder) -> None:
    writers = [subprocess.Popen([sys.executable, "-P", "-c", WRITER, str(folder.path), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    reader = LogReader(folder)
    assert (len(list(reader)), reader.damage) == (400, "")


def test_an_event_costs_little(folder: SessionFolder) -> None:
    """Measured: 6 to 9 µs; the bound only tells that nothing grows with the log."""
    journal = Journal(folder)
    event = finished("x" * 200)
    started = time.process_time()
    for _ in range(5_000):
        journal(event)
    cost_s = (time.process_time() - started) / 5_000
    journal.close()
    assert cost_s < 200e-6


def test_no_secret_is_kept(folder: SessionFolder) -> None:
    key = "sk-Qm4tZ8yKp2LxW7vNc3RbTd6HgJ9sFa1E"
    journal = Journal(folder, Redactor(["correct horse", 'a "b" \\c']))
    said = [notice(f"{key} and correct horse"), finished("x" * 20_000 + "correct horse"), notice('a "b" \\c')]
    for event in [STARTED, *said]:
        journal(event)
    journal.close()
    kept = b"".join(path.read_bytes() for path in folder.path.rglob("*") if path.is_file())
    assert not any(secret in kept for secret in (key.encode(), b"correct horse", rb"a \"b\" \\c", b'a "b" \\c'))
    assert read(folder) == [
        STARTED,
        notice("[redacted:api-key] and [redacted:secret]"),
        finished("x" * 20_000 + "[redacted:secret]"),
        notice("[redacted:secret]"),
    ]
    assert isinstance(said[0], ev.Notice)
    assert key in said[0].text  # the event itself is not changed: others still see it
