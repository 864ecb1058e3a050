from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from claw.protocol.details import Lines
from claw.protocol.messages import as_content
from claw.tooling.base import Access, Effect, ToolResult
from claw.tools._search import find_ripgrep
from claw.tools.grep import Grep
from tests.tools.conftest import Bench
from tests.tools.trees import BOTH_WAYS, RIPGREP, VISIBLE, plant

both_ways = pytest.mark.parametrize("rg", BOTH_WAYS)
EXPECTED = {
    "content": """\
-dash.txt:1:needle
.github/ci.yml:1:run: needle
a.py:3:def needle():
b/c.py:1:x = needle()
b/loud.log:1:needle in a kept log
b.txt:1:first needle
b.txt:2:second needle
c/build/in.txt:1:deep needle
inner/app.log:1:needle of another repository
kept.log:1:needle
latin.txt:1:caf\ufffd needle
no newline.txt:1:last needle
utf16.txt:1:wide needle""",
    "context": """\
a.py-2-
a.py:3:def needle():
a.py-4-    return 1
--
b/c.py:1:x = needle()
b/c.py-2-y = 2""",
}


@both_ways
async def test_matching_lines(bench: Bench, rg: Path | None) -> None:
    plant(bench.cwd)
    result = await bench.run(Grep(rg), pattern="needle")
    assert result == ToolResult(as_content(EXPECTED["content"]), "13 matches", Lines("matches", 13))


@both_ways
async def test_context_lines(bench: Bench, rg: Path | None) -> None:
    plant(bench.cwd)
    assert await bench.text(Grep(rg), pattern="needle", glob="*.py", context=1) == EXPECTED["context"]
    text = await bench.text(Grep(rg), pattern="needle", path="a.py", before=2, after=0, context=9)
    assert text == "a.py-1-import os\na.py-2-\na.py:3:def needle():"


@both_ways
async def test_files_and_counts(bench: Bench, rg: Path | None) -> None:
    plant(bench.cwd)
    files = await bench.text(Grep(rg), pattern="needle", output_mode="files")
    assert sorted(files.split("\n")) == VISIBLE
    count = await bench.text(Grep(rg), pattern="needle", output_mode="count", glob="b*")
    assert count == "b.txt:2\n[2 matches in 1 file]"
    ignored = await bench.text(Grep(rg), pattern="needle", output_mode="files", include_ignored=True)
    more = ["b/quiet.log", "b/secret.txt", "build/out.txt", "node_modules/x/i.js"]
    assert sorted(ignored.split("\n")) == sorted([*VISIBLE, *more])


@both_ways
@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ({"type": "py"}, ["a.py", "b/c.py"]),
        ({"glob": "*.{py,yml}"}, [".github/ci.yml", "a.py", "b/c.py"]),
        ({"glob": "b/**/*"}, ["b/c.py", "b/loud.log"]),
        ({"glob": "**/*.log"}, ["b/loud.log", "inner/app.log", "kept.log"]),
        ({"glob": "!*.{txt,log}"}, [".github/ci.yml", "a.py", "b/c.py"]),
        ({"glob": "*.py", "type": "py", "path": "b"}, ["b/c.py"]),
        ({"path": "b"}, ["b/c.py", "b/loud.log"]),
        ({"path": "b/secret.txt"}, ["b/secret.txt"]),
        ({"path": "-dash.txt", "glob": "*.zzz"}, ["-dash.txt"]),
        ({"path": "build"}, ["build/out.txt"]),
        ({"path": "link.py"}, ["a.py"]),
    ],
)
async def test_where_it_looks(bench: Bench, rg: Path | None, arguments: dict[str, str], files: list[str]) -> None:
    plant(bench.cwd)
    text = await bench.text(Grep(rg), pattern="needle", output_mode="files", **arguments)
    assert text.split("\n") == files


@both_ways
async def test_what_it_looks_for(bench: Bench, rg: Path | None) -> None:
    (bench.cwd / "a.txt").write_bytes(b"Ab\ncd\r\n-e x\nf(1)\n\xc3\xa9t\xc3\xa9\n")

    async def lines(pattern: str, **more: bool) -> list[str]:
        text = await bench.text(Grep(rg), pattern=pattern, **more)
        return [row.removeprefix("a.txt:") for row in text.split("\n")]

    assert await lines("ab") == ["no matches"]
    assert await lines("ab", ignore_case=True) == ["1:Ab"]
    assert await lines("d$") == ["2:cd"]
    assert await lines("-e") == ["3:-e x"]
    assert await lines(r"f\(1\)") == ["4:f(1)"]
    assert await lines("^.t.$") == ["5:été"]
    assert await lines(r"(?<=c)d") == ["2:cd"]
    assert await lines("Ab.cd") == ["no matches"]
    assert await lines("Ab.cd", multiline=True) == ["1:Ab", "2:cd"]
    assert await lines("Ab\ncd") == ["1:Ab", "2:cd"]
    assert await lines(r"Ab\s+cd", multiline=True) == ["1:Ab", "2:cd"]


@both_ways
async def test_what_cannot_be_searched(bench: Bench, rg: Path | None) -> None:
    (bench.cwd / "bin").write_bytes(b"x\0")
    grep = Grep(rg)
    assert "not a valid regular expression" in await bench.error(grep, pattern="f(")
    assert "pattern is empty" in await bench.error(grep, pattern="")
    assert "NUL" in await bench.error(grep, pattern="a\0")
    assert "unrecognized file type: nope" in await bench.error(grep, pattern="x", type="nope")
    assert "does not exist" in await bench.error(grep, pattern="x", path="none")
    assert "is a binary file" in await bench.error(grep, pattern="x", path="bin")
    assert "is a device" in await bench.error(grep, pattern="x", path="/dev/zero")
    assert "limit is 0" in await bench.error(grep, pattern="x", limit=0)
    assert "context is -1" in await bench.error(grep, pattern="x", context=-1)
    assert "without its }" in await bench.error(grep, pattern="x", glob="{a")


@both_ways
async def test_the_output_is_bounded(bench: Bench, rg: Path | None) -> None:
    (bench.cwd / "many.txt").write_text("x\n" * 1_000)
    rows = (await bench.text(Grep(rg), pattern="x")).split("\n")
    assert rows == [f"many.txt:{n}:x" for n in range(1, 251)] + [
        "[there is more: narrow pattern, path or glob, or raise limit]"
    ]
    (bench.cwd / "many.txt").write_text("x" * 400 + "\n" * 1_000)
    (bench.cwd / "wide.txt").write_text(("y" * 400 + "\n") * 1_000)
    text = await bench.text(Grep(rg), pattern="y", limit=1_000)
    assert 45_000 < len(text) < 50_000


@both_ways
async def test_a_long_line_is_shown_around_the_match(bench: Bench, rg: Path | None) -> None:
    (bench.cwd / "a.js").write_text("é" * 3_000 + "NEEDLE" + "z" * 3_000 + "\n")
    text = await bench.text(Grep(rg), pattern="NEEDLE")
    assert text == "a.js:1:[…] " + "é" * 100 + "NEEDLE" + "z" * 394 + " […]"
    (bench.cwd / "a.js").write_text("NEEDLE" + "z" * 5_000_000)
    assert len(await bench.text(Grep(rg), pattern="NEEDLE")) < 600


async def test_a_search_that_takes_too_long_is_stopped(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("a" * 60 + "\n")
    started = time.monotonic()
    text = await bench.text(Grep(None, time_limit_s=0.7), pattern="(a*)*b")
    assert text == "no matches\n[stopped after 0.7 s: there may be more matches]"
    assert time.monotonic() - started < 5


async def test_an_interrupt_stops_the_search(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("a" * 60 + "\n")
    task = asyncio.create_task(bench.run(Grep(None), pattern="(a*)*b"))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 3)


async def test_without_a_working_ripgrep_python_searches(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("x\n")
    (bench.cwd / "rg").write_text("not a program")
    for rg in (bench.cwd / "rg", bench.cwd / "missing"):
        assert await bench.text(Grep(rg), pattern="x", path="a.txt") == "a.txt:1:x"
    assert await bench.text(Grep(), pattern="x", path="a.txt") == "a.txt:1:x"
    assert find_ripgrep() == RIPGREP


@pytest.mark.skipif(RIPGREP is None, reason="ripgrep is not installed")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.text("ab c\n", max_size=20), min_size=1, max_size=3),
    st.sampled_from(["a", "b+", "^a", "c$", "a|b", "[ab] c", "^$", "a.*b"]),
    st.fixed_dictionaries(
        {
            "output_mode": st.sampled_from(["content", "files", "count"]),
            "before": st.integers(0, 2),
            "after": st.integers(0, 2),
            "multiline": st.booleans(),
        }
    ),
)
async def test_both_ways_find_the_same(bench: Bench, texts: list[str], pattern: str, more: dict[str, object]) -> None:
    assume(pattern != "^$" or not more["multiline"])  # ripgrep also matches behind the last line
    for n in range(3):
        (bench.cwd / f"{n}.txt").write_text(texts[n] if n < len(texts) else "")
    results = [await bench.run(Grep(rg), pattern=pattern, **more) for rg in (RIPGREP, None)]
    assert results[0] == results[1]


def test_access_and_summary(bench: Bench) -> None:
    params = bench.params(Grep(), pattern="x", path="src", type="py")
    assert Grep().access(params, bench.workspace) == Access(
        Effect.READ, reads=frozenset({bench.cwd / "src"}), reads_all=True
    )
    assert Grep().summary(params) == "x in src, py"
