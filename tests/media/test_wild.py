"""Wild input: no bytes and no prompt may do more than be refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claw.headless.attachments import mentions
from claw.media.headers import Damaged, read_header
from claw.media.signatures import GIF, JPEG, PNG, WEBP, recognise
from tests.media.pictures import picture, turned

WHOLE = {PNG: picture("PNG"), JPEG: turned(6), GIF: picture("GIF"), WEBP: turned(6, "WEBP")}


@given(st.binary(max_size=400))
def test_any_bytes_are_recognised_or_not(head: bytes) -> None:
    recognise(head)


@given(st.sampled_from(list(WHOLE)), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
       st.integers(0, 10_000))  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_a_header_is_read_or_refused(kind: object, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(WHOLE[kind])  # type: ignore[index]
    for place, value in changes:
        data[place % len(data)] = value
    with contextlib.suppress(Damaged):
        header = read_header(kind, bytes(data[: cut or None]))  # type: ignore[arg-type]
        assert header.width > 0
        assert header.height > 0
        assert 1 <= header.orientation <= 8


@given(st.text(alphabet="@ab ./\"'~\0\n().,", max_size=60))
def test_every_mention_is_in_the_prompt(prompt: str) -> None:
    assert all(name in prompt or name.startswith("/") for name in mentions(prompt))


def test_mentions() -> None:
    prompt = '@a.png, (@b/c.png) "@d.png" @\'e f.png\' @"g h.png". x@i.png @@j @ `@k.png`'
    found = [name for name in mentions(prompt) if name.rstrip(").`,") == name]
    assert found == ["a.png", "b/c.png", "d.png", "e f.png", "g h.png", "@j", "k.png"]


def test_a_wrong_checksum_is_found_without_decoding() -> None:
    data = bytearray(WHOLE[PNG])
    data[data.index(b"IDAT") + 10] ^= 1
    with pytest.raises(Damaged, match="the checksum at byte 33 is wrong"):
        read_header(PNG, bytes(data))
