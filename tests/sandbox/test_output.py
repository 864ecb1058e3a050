"""What is kept of a command's output, and how it is given back."""

from __future__ import annotations

import os
import re
import stat
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.sandbox.output import SpilledOutput
from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommands
from tests.fakes.blobs import FakeBlobs

MEMORY_BYTES = 1_000


def output_of(folder: Path, *pieces: bytes, spill_bytes: int = 1_000_000, ended: bool = True) -> SpilledOutput:
    output = SpilledOutput(folder, memory_bytes=MEMORY_BYTES, spill_bytes=spill_bytes)
    for piece in pieces:
        output.append(piece)
    if ended:
        output.end()
    return output


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> pytest.TempPathFactory:
    """A folder for each example of Hypothesis."""
    return tmp_path_factory


def numbered(n_lines: int) -> bytes:
    return b"".join(b"line %05d\n" % number for number in range(n_lines))


def test_short_output_is_text(tmp_path: Path) -> None:
    output = output_of(tmp_path, b"one\n", b"two\n")
    assert (output.text(100), output.size_bytes, output.overflows) == ("one\ntwo\n", 8, False)
    assert list(tmp_path.iterdir()) == []


def test_text_beyond_the_limit_is_head_and_tail(tmp_path: Path) -> None:
    text = output_of(tmp_path, numbered(80)).text(200)
    assert text.startswith("line 00000\nline 00001\n")
    assert text.endswith("line 00079\n")
    assert "characters left out" in text


def test_spilled_output_keeps_head_and_tail(tmp_path: Path) -> None:
    head = "\n".join(f"line {number:05d}" for number in range(9))
    tail = "".join(f"line {number:05d}\n" for number in range(9_991, 10_000))
    assert output_of(tmp_path, numbered(10_000)).text(200) == f"{head}\n[… 109803 bytes left out …]\n{tail}"


def test_a_limit_above_what_is_held_shows_the_gap(tmp_path: Path) -> None:
    text = output_of(tmp_path, numbered(1_000)).text(1_000_000)
    assert re.search(r"\n\[… 1000\d bytes left out …\]\n", text)
    assert len(text) < 1_100


def test_the_file_is_private_and_goes_away(tmp_path: Path) -> None:
    output = output_of(tmp_path, numbered(200), ended=False)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == numbered(200)
    del output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_lines", [3, 5_000])
def test_keeping_gives_every_byte_to_the_blobs(tmp_path: Path, n_lines: int) -> None:
    (tmp_path / "spill").mkdir()
    output = output_of(tmp_path / "spill", b"\xff\x00\x1b[31m", numbered(n_lines))
    blob = output.keep(FakeBlobs(tmp_path / "blobs"))
    assert Path(blob.path).read_bytes() == b"\xff\x00\x1b[31m" + numbered(n_lines)
    assert list((tmp_path / "spill").iterdir()) == []
    assert output.keep(FakeBlobs(tmp_path / "blobs")) == blob
    assert output.read(7, 10)[0] == "line 00000"
    del output
    assert Path(blob.path).exists()


def test_keeping_too_early_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="still runs"):
        output_of(tmp_path, b"x", ended=False).keep(FakeBlobs(tmp_path))


def test_the_file_has_an_end_and_the_tail_goes_on(tmp_path: Path) -> None:
    output = output_of(tmp_path, *[numbered(10)] * 100, spill_bytes=2_000)
    assert output.overflows
    assert [file.stat().st_size for file in tmp_path.iterdir()] == [2_000]
    assert output.size_bytes == 11_000
    assert output.text(100).endswith("line 00008\nline 00009\n")
    whole = numbered(10).decode() * 100
    assert output.read(10_900, 100) == (whole[10_900:], 11_000)
    assert output.read(1_989, 100) == (whole[1_989:2_000], 2_000)
    assert output.read(5_000, 100) == (whole[10_500:10_600], 10_600)  # what is in neither is passed over


def test_no_folder_to_spill_into(tmp_path: Path) -> None:
    output = output_of(tmp_path / "missing", numbered(1_000))
    assert output.text(300).startswith("line 00000\n")
    assert output.text(300).endswith("line 00999\n")
    kept = Path(output.keep(FakeBlobs(tmp_path / "blobs")).path).read_text()
    assert "\n[… 10000 bytes could not be kept …]\n" in kept


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    output = output_of(tmp_path, b"one\n", ended=False)
    assert output.read(0, 100) == ("one\n", 4)
    assert output.read(4, 100) == ("", 4)
    output.append("zwei ä".encode()[:-1])
    assert output.read(4, 100) == ("zwei ", 9)  # half a character
    output.append("ä".encode()[1:] + b"\x1b[3")
    assert output.read(9, 100) == ("ä", 11)  # half an escape
    output.append(b"1mred")
    assert output.read(11, 100) == ("red", 19)
    output.append(b"\xc3")
    output.end()
    assert output.read(19, 100) == ("\ufffd", 20)
    assert output.read(99, 100) == ("", 20)


def test_an_escape_that_never_ends_holds_nothing_up(tmp_path: Path) -> None:
    output = output_of(tmp_path, b"\x1b]" + b"x" * 900, ended=False)
    offset, n_reads = 0, 0
    while offset < output.size_bytes and n_reads < 200:
        _, offset = output.read(offset, 8)
        n_reads += 1
        if offset >= 880:
            break
    assert offset >= 880


@given(
    pieces=st.lists(st.binary(max_size=700), max_size=12),
    limit=st.integers(min_value=8, max_value=3_000),
)
def test_no_byte_is_lost_or_held_twice(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("spill")
    output = output_of(folder, *pieces)
    whole = b"".join(pieces)
    assert output.size_bytes == len(whole)
    assert Path(output.keep(FakeBlobs(folder / "blobs")).path).read_bytes() == whole
    assert "\x1b" not in output.text(limit)
    offset = 0
    while offset < len(whole):
        text, after = output.read(offset, limit)
        assert len(text) <= limit
        assert after > offset
        offset = after


@given(text=st.text(alphabet="aä€😀\n", max_size=3_000), limit=st.integers(min_value=8, max_value=500))
def test_text_read_in_pieces_is_the_text(folders: pytest.TempPathFactory, text: str, limit: int) -> None:
    output = output_of(folders.mktemp("spill"), text.encode())
    read, offset = "", 0
    while offset < output.size_bytes:
        piece, offset = output.read(offset, limit)
        read += piece
    assert read == text


async def test_100_megabytes(commands: ShellCommands, tmp_path: Path) -> None:
    started = time.monotonic()
    tracemalloc.start()
    command = await commands.start("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end", cwd=tmp_path)
    await command.wait(60)
    text = command.output.text(50_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 5_000_000
    assert time.monotonic() - started < 20
    assert command.output.size_bytes == 100_000_005
    assert text.endswith("x\nend\n")
    assert len(text) < 51_000


async def test_output_for_ever_does_not_keep_the_loop_busy(tmp_path: Path) -> None:
    """There is no folder to spill into, so more is printed than can be kept: it is made to wait."""
    commands = ShellCommands(os.environ, tmp_path / "missing", Plain())
    command = await commands.start("yes", cwd=tmp_path)
    assert await command.wait(0.5) is None
    await commands.close()
    # 256 KiB each 10 ms at most, with room for a slow end; without the brake it would be a hundred times that.
    assert MEMORY_BYTES < command.output.size_bytes < 150 * 256 * 1024
