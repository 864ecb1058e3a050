"""Bytes in, text out, and the same bytes back."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.tools._text import (
    BROKEN_UTF_8,
    LATIN_1,
    UTF_8,
    WITH_BOM,
    Document,
    Splice,
    common_prefix,
    common_suffix,
    decode,
    plural,
    well_formed,
)

ENCODINGS = [UTF_8, LATIN_1, *WITH_BOM]
LINES = st.lists(st.tuples(st.text("ab é", max_size=4), st.sampled_from(["\n", "\r\n", "\r", ""])), max_size=8)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_encodings_are_told_apart(encoding) -> None:
    data = encoding.bom + "naïve café\r\n".encode(encoding.codec)
    assert decode(data) == (encoding, "naïve café\r\n")


def test_a_few_bad_bytes_leave_utf_8_what_it_is() -> None:
    data = "größer – schöner".encode() + b"\xff\n"
    assert decode(data) == (BROKEN_UTF_8, "größer – schöner\udcff\n")


@pytest.mark.parametrize(
    "data",
    [
        b"a\0b",
        b"\xff\xfea",
        b"\xff\xfe\x00\xd8",
        b"\xef\xbb\xbf\xff",
        b"\x81\x8d\x8f",
        bytes(range(1, 256)),
        b"\xef\xbb\xbfa\0",
    ],
)
def test_binary(data: bytes) -> None:
    assert decode(data) is None


def test_a_beginning_may_end_within_a_character() -> None:
    assert decode("aé".encode()[:-1], is_whole=False) == (UTF_8, "a")


@given(st.binary(max_size=60))
def test_whatever_is_text_comes_back_byte_for_byte(data: bytes) -> None:
    document = Document.of(data)
    assume(document is not None)
    assert document.encoded() == data
    assert document.spliced([Splice(0, len(document.view), document.view)]).encoded() == data


@given(LINES, st.data(), st.text("ab\n", max_size=5), st.sampled_from(ENCODINGS))
def test_what_is_outside_a_splice_stays(lines, draw: st.DataObject, new: str, encoding) -> None:
    raw = "".join(line + ending for line, ending in lines)
    data = encoding.bom + raw.encode(encoding.codec)
    document = Document(raw, encoding)
    start = draw.draw(st.integers(0, len(document.view)))
    end = draw.draw(st.integers(start, len(document.view)))
    result = document.spliced([Splice(start, end, new)]).encoded()
    assert result.startswith(data[: len(encoding.bom)])
    before, after = Document(raw, encoding), document.spliced([Splice(start, end, new)])
    head = before.raw[: before.raw_offset(start)]
    tail = before.raw[before.raw_offset(end) :]
    assert after.raw.startswith(head)
    assert after.raw.endswith(tail)
    middle = after.raw[len(head) : len(after.raw) - len(tail)]
    assert middle.replace("\r\n", "\n").replace("\r", "\n") == new
    assert set(re.findall("\r\n|\n|\r", middle)) <= set(re.findall("\r\n|\n|\r", raw) or ["\n"])


def test_new_lines_take_the_ending_of_their_place() -> None:
    document = Document("a\r\nb\nc\r\n")
    assert document.line_endings == "mixed"
    assert document.spliced([Splice(0, 1, "x\ny")]).raw == "x\r\ny\r\nb\nc\r\n"
    assert document.spliced([Splice(2, 3, "x\ny")]).raw == "a\r\nx\ny\nc\r\n"
    assert document.spliced([Splice(0, 5, "A\nB\nC")]).raw == "A\r\nB\nC\r\n"


def test_a_lone_carriage_return_ends_lines_only_where_no_line_feed_is() -> None:
    old_mac, progress = Document("a\rb\r"), Document("10%\r20%\rdone\n")
    assert (old_mac.view, old_mac.line_endings) == ("a\nb\n", "CR")
    assert old_mac.spliced([Splice(1, 1, "\nx")]).raw == "a\rx\rb\r"
    assert (progress.view, progress.line_endings) == ("10%\r20%\rdone\n", "LF")


def test_several_splices() -> None:
    document = Document("one\r\ntwo\r\nthree")
    assert document.spliced([Splice(0, 3, "1"), Splice(8, 13, "3\n4")]).raw == "1\r\ntwo\r\n3\r\n4"


def test_a_character_that_the_encoding_lacks_is_named() -> None:
    with pytest.raises(ToolError, match=r"'日' \(U\+65E5\), which a file in Latin-1"):
        Document("日", LATIN_1).encoded()
    with pytest.raises(ToolError, match="a lone surrogate"):
        Document("\ud800").encoded()


@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_common_ends(left: str, right: str) -> None:
    n = common_prefix(left, right)
    assert left[:n] == right[:n]
    assert left[n : n + 1] != right[n : n + 1] or n == len(left) == len(right)
    assert common_suffix(left, right) == common_prefix(left[::-1], right[::-1])


def test_words() -> None:
    assert [plural(n, "match") for n in (0, 1, 2_000)] == ["0 matches", "1 match", "2,000 matches"]
    assert well_formed("a\udcffb") == "a\ufffdb"
