from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from threading import Event as Flag

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.protocol.details import Lines
from claw.protocol.messages import as_content
from claw.tooling.base import Access, Effect, ToolResult
from claw.tools._excerpt import TextStream, take
from claw.tools.read import MAX_CHARS, Read
from tests.tools.conftest import Bench


async def test_a_file_with_line_numbers(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("one\n\n  three\n")
    result = await bench.run(Read(), path="a.txt")
    assert result == ToolResult(as_content("     1\tone\n     2\t\n     3\t  three"), "3 lines", Lines("lines", 3))
    bench.workspace.files.check(bench.cwd / "a.txt", b"one\n\n  three\n")


@pytest.mark.parametrize(
    ("offset", "limit", "shown", "note"),
    [
        (2, 2, ["2", "3"], "[lines 2–3 of 5; go on with offset=4]"),
        (4, None, ["4", "5"], "[lines 4–5 of 5]"),
        (-2, None, ["4", "5"], "[lines 4–5 of 5]"),
        (-4, 1, ["2"], "[lines 2–2 of 5; go on with offset=3]"),
        (-99, 1, ["1"], "[lines 1–1 of 5; go on with offset=2]"),
        (0, 1, ["1"], "[lines 1–1 of 5; go on with offset=2]"),
    ],
)
@pytest.mark.parametrize("tool", [Read(), Read(whole_limit_bytes=3)], ids=["whole", "streamed"])
async def test_ranges(bench: Bench, tool: Read, offset: int, limit: int | None, shown: list[str], note: str) -> None:
    (bench.cwd / "a.txt").write_text("line 1\nline 2\nline 3\nline 4\nline 5\n")
    text = await bench.text(tool, path="a.txt", offset=offset, limit=limit)
    *rows, last = text.split("\n")
    assert rows == [f"     {n}\tline {n}" for n in shown]
    assert last.replace("; 35 bytes: too large for edit and write, change it with a command", "") == note


async def test_a_long_file_stops_in_time(bench: Bench) -> None:
    (bench.cwd / "many.txt").write_text("x\n" * 1500)
    (bench.cwd / "wide.txt").write_text(("y" * 900 + "\n") * 100)
    assert (await bench.text(Read(), path="many.txt")).endswith("[lines 1–1000 of 1500; go on with offset=1001]")
    wide = await bench.text(Read(), path="wide.txt")
    assert wide.endswith("[lines 1–52 of 100; go on with offset=53]")
    assert len(wide) < MAX_CHARS


async def test_a_long_line_is_cut(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("x" * 5_000 + "\nend\n")
    text = await bench.text(Read(), path="a.txt")
    assert text == "     1\t" + "x" * 2_000 + " [… 3,000 more characters in this line]\n     2\tend"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "a.txt is empty."),
        (b"\xef\xbb\xbf", "a.txt is empty (encoding: UTF-8 with BOM)."),
        ("é\n".encode("utf-16"), "     1\té\n[encoding: UTF-16 LE with BOM]"),
        (b"\xef\xbb\xbfhi\r\n", "     1\thi\n[encoding: UTF-8 with BOM; line endings: CRLF]"),
        (b"caf\xe9\n", "     1\tcafé\n[encoding: Latin-1 (Windows-1252)]"),
        (b"a\rb\r", "     1\ta\n     2\tb\n[line endings: CR]"),
        (
            "über über".encode() + b"\xff",
            "     1\tüber über\ufffd\n[encoding: UTF-8 with invalid bytes, shown as \ufffd]",
        ),
    ],
)
async def test_what_is_unusual_is_said(bench: Bench, data: bytes, expected: str) -> None:
    (bench.cwd / "a.txt").write_bytes(data)
    assert await bench.text(Read(), path="a.txt") == expected


async def test_what_cannot_be_read(bench: Bench) -> None:
    (bench.cwd / "main.py").write_text("pass\n")
    (bench.cwd / "pic.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    read = Read()
    assert await bench.error(read, path="Main.py") == "Main.py does not exist. Near it: main.py."
    assert await bench.error(read, path="no/where.py") == (
        "no/where.py does not exist. Nor does its folder; the nearest that does is the working folder."
    )
    assert await bench.error(read, path="main.py/x") == (
        "main.py/x does not exist. Nor does its folder; the nearest that does is the working folder."
    )
    assert await bench.error(read, path=".") == ". is a folder, not a file. List it with ls."
    assert await bench.error(read, path="pic.png") == "pic.png is a binary file (PNG image, 10 bytes), not text."
    assert await bench.error(read, path="main.py", offset=2) == "main.py has only 1 line; line 2 does not exist."
    assert await bench.error(read, path="main.py", limit=0) == "limit is 0; it must be at least 1."
    assert "not a path" in await bench.error(read, path="a\0b")
    assert "not a path" in await bench.error(read, path="~no-such-user-here/x")
    (bench.cwd / "loop").symlink_to("loop")
    assert "loop" in await bench.error(read, path="loop")  # in which words depends on Python
    assert not bench.workspace.files.knows(bench.cwd / "pic.png")


async def test_special_files_are_refused_at_once(bench: Bench) -> None:
    os.mkfifo(bench.cwd / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        previous = Path.cwd()
        os.chdir(bench.cwd)  # the path of a socket must be short
        try:
            server.bind("sock")
        finally:
            os.chdir(previous)
        for name, kind in [("pipe", "a named pipe"), ("sock", "a socket"), ("/dev/zero", "a device")]:
            error = await asyncio.wait_for(asyncio.ensure_future(bench.error(Read(), path=name)), 2)
            assert error == f"{name} is {kind}, not a regular file; it is left alone."


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_files_whose_size_is_a_lie(bench: Bench) -> None:
    assert "     1\t" in await bench.text(Read(), path="/proc/self/status")
    assert "cannot be read" in await bench.error(Read(), path="/proc/self/mem")


async def test_a_huge_binary_file_is_known_by_its_first_bytes(bench: Bench) -> None:
    with open(bench.cwd / "disk.img", "wb") as file:
        file.truncate(1 << 40)  # a hole: takes no room
    assert await bench.error(Read(), path="disk.img") == (
        "disk.img is a binary file (unknown binary data, 1,099,511,627,776 bytes), not text."
    )


async def test_an_interrupt_ends_a_long_scan(bench: Bench) -> None:
    with open(bench.cwd / "big.txt", "wb") as file:
        file.writelines(b"a line of text\n" * 140_000 for _ in range(64))
    task = asyncio.create_task(bench.run(Read(), path="big.txt"))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
    stop = Flag()
    with open(bench.cwd / "big.txt", "rb", buffering=0) as file:
        chunks = TextStream(file, bench.cwd / "big.txt", bench.workspace, stop).chunks()
        next(chunks)
        stop.set()
        with pytest.raises(ToolError, match="interrupted"):
            next(chunks)


async def test_a_line_ending_may_be_split_between_chunks(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_bytes(b"x" * (2**20 - 1) + b"\r\nend\r\n")
    text = await bench.text(Read(whole_limit_bytes=0), path="a.txt")
    assert f" [… {2**20 - 2_001:,} more characters in this line]\n     2\tend" in text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(alphabet="ab\né", max_size=40),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(-6, 6),
)
async def test_a_streamed_file_reads_as_a_whole_one(
    bench: Bench, text: str, codec: str, ending: str, offset: int
) -> None:
    (bench.cwd / "a.txt").write_bytes(text.replace("\n", ending).encode(codec))

    async def outcome(tool: Read) -> str:
        try:
            return await bench.text(tool, path="a.txt", offset=offset, limit=3)
        except ToolError as error:
            return str(error)

    whole, streamed = await outcome(Read()), await outcome(Read(whole_limit_bytes=0))
    body = [row for row in whole.split("\n") if "\t" in row]
    assert [row for row in streamed.split("\n") if "\t" in row] == body
    if not body and "empty" not in whole:
        assert whole == streamed


@given(st.lists(st.text("ab\n", max_size=5), max_size=8), st.integers(1, 6), st.integers(1, 6))
def test_chunks_do_not_show(chunks: list[str], first: int, limit: int) -> None:
    text = "".join(chunks)
    lines = text.split("\n")[: -1 if text.endswith("\n") or not text else None]
    excerpt = take(chunks, first, limit, 10_000)
    assert (excerpt.lines, excerpt.n_lines) == (lines[first - 1 : first - 1 + limit], len(lines))


def test_access_and_summary(bench: Bench) -> None:
    params = bench.params(Read(), path="a/../b.txt", offset=3, limit=2)
    assert Read().access(params, bench.workspace) == Access(Effect.READ, reads=frozenset({bench.cwd / "b.txt"}))
    assert Read().summary(params) == "a/../b.txt:3-4"
    assert Read().summary(bench.params(Read(), path="b", offset=-5)) == "b:-5"
