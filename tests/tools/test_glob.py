from __future__ import annotations

import os
from pathlib import Path

import pytest

from claw.protocol.details import Lines
from claw.protocol.messages import as_content
from claw.tooling.base import Access, Effect, ToolResult
from claw.tools.glob import Glob
from tests.tools.conftest import Bench
from tests.tools.trees import BOTH_WAYS, VISIBLE, plant

pytestmark = pytest.mark.parametrize("rg", BOTH_WAYS)


async def found(bench: Bench, rg: Path | None, **arguments: str) -> list[str]:
    return sorted((await bench.text(Glob(rg), **arguments)).split("\n"))


async def test_newest_first(bench: Bench, rg: Path | None) -> None:
    for age, name in enumerate(["new.py", "mid/a.py", "old.py"]):
        (bench.cwd / name).parent.mkdir(exist_ok=True)
        (bench.cwd / name).touch()
        os.utime(bench.cwd / name, (10_000 - age, 10_000 - age))
    result = await bench.run(Glob(rg), pattern="**/*.py")
    assert result == ToolResult(as_content("new.py\nmid/a.py\nold.py"), "3 files", Lines("files", 3))


async def test_what_is_found_in_a_repository(bench: Bench, rg: Path | None) -> None:
    plant(bench.cwd)
    everything = [*VISIBLE, ".gitignore", "b/.gitignore", "binary.bin", "empty.txt"]
    assert await found(bench, rg, pattern="**") == sorted(everything)
    assert await found(bench, rg, pattern="*.py") == ["a.py", "b/c.py"]
    assert await found(bench, rg, pattern="./*.py") == ["a.py"]
    assert await found(bench, rg, pattern="b/**/*.{py,log}") == ["b/c.py", "b/loud.log"]
    assert await found(bench, rg, pattern=".github/**") == [".github/ci.yml"]
    assert await found(bench, rg, pattern="*", path="b") == ["b/.gitignore", "b/c.py", "b/loud.log"]
    assert await found(bench, rg, pattern="../b/*.py", path="c") == ["b/c.py"]
    assert await found(bench, rg, pattern=f"{bench.cwd}/b/*.py") == ["b/c.py"]
    # A folder that is named itself is searched although it is ignored.
    assert await found(bench, rg, pattern="build/*.txt") == ["build/out.txt"]


async def test_outside_a_repository_nothing_is_ignored(bench: Bench, rg: Path | None) -> None:
    (bench.cwd / ".gitignore").write_text("*.log\n")
    (bench.cwd / "a.log").touch()
    assert await found(bench, rg, pattern="*.log") == ["a.log"]


async def test_the_number_is_capped_and_said(bench: Bench, rg: Path | None) -> None:
    for n in range(130):
        (bench.cwd / f"{n}.txt").touch()
        os.utime(bench.cwd / f"{n}.txt", (n, n))
    rows = (await bench.text(Glob(rg), pattern="*.txt")).split("\n")
    assert rows == [f"{n}.txt" for n in range(129, 29, -1)] + [
        "[the newest 100 of 130 files; narrow the pattern to see others]"
    ]


async def test_nothing_and_nonsense(bench: Bench, rg: Path | None) -> None:
    (bench.cwd / "a.txt").touch()
    assert await found(bench, rg, pattern="*.rs") == ["no file matches *.rs in ."]
    assert await found(bench, rg, pattern="no/such/*.rs") == ["no file matches no/such/*.rs in ."]
    assert "is no file pattern" in await bench.error(Glob(rg), pattern="")
    assert "without its }" in await bench.error(Glob(rg), pattern="*.{a")
    assert "does not exist" in await bench.error(Glob(rg), pattern="*", path="nowhere")
    assert "is a file, not a folder" in await bench.error(Glob(rg), pattern="*", path="a.txt")


async def test_odd_names(bench: Bench, rg: Path | None) -> None:
    for name in ["new\nline.py", "späce d.py", "-x.py", "a[1].py"]:
        (bench.cwd / name).touch()
    (bench.cwd / os.fsdecode(b"bad\xff.py")).touch()
    text = await bench.text(Glob(rg), pattern="*.py")
    assert sorted(text.split("\n")) == sorted(["-x.py", "a[1].py", "bad\ufffd.py", "line.py", "new", "späce d.py"])
    assert await found(bench, rg, pattern="*[[]1[]].py") == ["a[1].py"]


def test_access(bench: Bench, rg: Path | None) -> None:
    params = bench.params(Glob(rg), pattern="src/*/x.py", path="p")
    assert Glob(rg).access(params, bench.workspace) == Access(
        Effect.READ, reads=frozenset({bench.cwd / "p", bench.cwd / "p/src"}), reads_all=True
    )
    assert Glob(rg).summary(params) == "src/*/x.py in p"
