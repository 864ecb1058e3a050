from __future__ import annotations

import os

from claw.protocol.details import Lines
from claw.protocol.messages import as_content
from claw.tooling.base import Access, Effect, ToolResult
from claw.tools.ls import Ls
from tests.tools.conftest import Bench


async def test_entries_of_every_kind(bench: Bench) -> None:
    (bench.cwd / "big.txt").write_bytes(b"x" * 12_345)
    (bench.cwd / ".hidden").touch()
    (bench.cwd / "Sub").mkdir()
    (bench.cwd / "link").symlink_to("Sub")
    (bench.cwd / "dead").symlink_to("nowhere")
    (bench.cwd / "two\nlines").touch()
    (bench.cwd / os.fsdecode(b"bad\xff")).touch()
    os.mkfifo(bench.cwd / "pipe")
    rows = [
        "             0  .hidden",
        "             0  bad\ufffd",
        "        12,345  big.txt",
        "             -  dead -> nowhere (broken)",
        "             -  link -> Sub/",
        "             -  pipe (pipe)",
        "             -  Sub/",
        "             0  two\\nlines",
    ]
    assert await bench.run(Ls()) == ToolResult(as_content("\n".join(rows)), "8 entries", Lines("entries", 8))


async def test_one_file_and_an_empty_folder(bench: Bench) -> None:
    (bench.cwd / "d").mkdir()
    (bench.cwd / "a.txt").write_text("abc")
    assert await bench.text(Ls(), path="d") == "d is an empty folder."
    assert await bench.text(Ls(), path="a.txt") == "             3  a.txt"
    assert await bench.error(Ls(), path="e") == "e does not exist."
    assert await bench.error(Ls(), path="A.TXT") == "A.TXT does not exist. Near it: a.txt."


async def test_a_large_folder_is_capped(bench: Bench) -> None:
    for n in range(520):
        (bench.cwd / f"{n:03}").touch()
    rows = (await bench.text(Ls())).split("\n")
    assert len(rows) == 501
    assert rows[-1] == "[500 of 520 entries; use glob to find the others]"


def test_access(bench: Bench) -> None:
    params = bench.params(Ls(), path="x")
    assert Ls().access(params, bench.workspace) == Access(
        Effect.READ, reads=frozenset({bench.cwd / "x"}), reads_all=True
    )
