"""Server-sent events, cut at any place."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.errors import StreamBroken
from claw.providers.sse import MAX_EVENT_BYTES, EventReader


def _read(pieces: list[bytes]) -> list[bytes]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.close()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\rdata: b\n\r\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b"data: a\ndata: b\ndata\n\n", [b"a\nb\n"]),
        (b": ping\n\nevent: x\nid: 1\nretry: 5\ndata: a\n\n:\n\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data: a\n\ndat", [b"a"]),
        (b"database: a\n\n", []),
        (b"\n\n\n", []),
        (b"", []),
        (b"data: \xe2\x80\xa8\x0b\x0c\x1c\x85 a\n\n", [b"\xe2\x80\xa8\x0b\x0c\x1c\x85 a"]),
    ],
)
def test_reads_every_form_of_stream(stream: bytes, events: list[bytes]) -> None:
    assert _read([stream]) == events
    assert _read([stream[at : at + 1] for at in range(len(stream))]) == events


LINES = st.sampled_from([b"data: a", b"data:", b"data: \xc3\xa9", b"", b"", b": c", b"event: e", b"x"])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS)), st.lists(st.integers(1, 200), max_size=8))
def test_where_it_is_cut_makes_no_difference(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(line + end for line, end in lines)
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    assert _read([stream[a:b] for a, b in pairwise(edges)]) == _read([stream])


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_are_read_without_a_crash(pieces: list[bytes]) -> None:
    assert _read(pieces) == _read([b"".join(pieces)])


@pytest.mark.parametrize("piece", [b"x" * 2**20, (b"data: " + b"x" * 1000 + b"\n") * 1000])
def test_a_huge_event_is_refused(piece: bytes) -> None:
    with pytest.raises(StreamBroken, match="more than 8 MiB"):
        _read([piece] * (MAX_EVENT_BYTES // len(piece) + 2))


def test_a_large_event_in_small_pieces_is_read() -> None:
    reader = EventReader()
    for _ in range(4096):
        assert reader.feed(b"data: " + b"y" * 1000 if _ == 0 else b"y" * 1000) == []
    (event,) = reader.feed(b"\n\n")
    assert event == b"y" * 4_096_000
