from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.sandbox.text import Decoder, plain_text, without_escapes


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"),
        ("\x1bP1$r0m\x1b\\a\x1b(Bb\x1b=c", "abc"),
        ("\x9b31mred", "red"),
        ("10%\r50%\r100%\ndone", "100%\ndone"),
        ("10%\r100%\r\n", "100%\n"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("a\x07b\x08c\x00d\x7f", "abcd"),
        ("tab\tstays ä 😀", "tab\tstays ä 😀"),
        ("lone \x1b", "lone "),
    ],
)
def test_plain_text(printed: str, text: str) -> None:
    assert plain_text(printed) == text


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x9d", "\x90", "\x1bP", "\x1b", "\x1b[1;", "\r", "\x1b]x\x9b"])
def test_hostile_escapes_take_linear_time(piece: str) -> None:
    started = time.process_time()
    plain_text(piece * 200_000)
    assert time.process_time() - started < 2


@given(st.text(alphabet="\x1b\x9b[]P;0m\x07\\ \raä\n", max_size=200))
def test_no_control_is_left(text: str) -> None:
    assert not set(plain_text(text)) & {"\x1b", "\x07", "\r", "\x00"}


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_pieces_make_the_same_text_as_the_whole(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut <= len(data))})
    decoder = Decoder()
    text = "".join(decoder.feed(data[start:end]) for start, end in itertools.pairwise(edges))
    assert text + decoder.feed(b"", final=True) == Decoder().feed(data, final=True)


@given(
    text=st.text(alphabet="\x1b[]P;0m\x07\\ aä\n", max_size=100).filter(lambda text: "\x1bP" not in text),
    cut=st.integers(0, 100),
)
def test_an_escape_cut_in_two_is_still_one(text: str, cut: int) -> None:
    data = text.encode()
    decoder = Decoder()
    pieces = decoder.feed(data[:cut]) + decoder.feed(data[cut:]) + decoder.feed(b"", final=True)
    assert pieces == without_escapes(text)
