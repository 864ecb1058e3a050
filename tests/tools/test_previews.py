"""What a person is shown before a call runs, and what the tools refuse to do to a file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from claw.errors import ToolError
from claw.protocol.details import FileChange, Preview
from claw.redact import MARK_PREFIX
from claw.tooling.boundary import Boundary
from claw.tools.background import Background
from claw.tools.bash import Bash
from claw.tools.edit import Edit
from claw.tools.grep import Grep
from claw.tools.ls import Ls
from claw.tools.patch import Patch
from claw.tools.read import Read
from claw.tools.write import Write
from tests.tools.conftest import Bench

MARK = f"{MARK_PREFIX}token]"


def swap(old: str, new: str) -> dict[str, str]:
    return {"old": old, "new": new}


def update(path: str, old: str, new: str) -> str:
    return f"*** Begin Patch\n*** Update File: {path}\n-{old}\n+{new}\n*** End Patch"


async def test_the_diff_is_that_of_the_bytes_on_disk(bench: Bench) -> None:
    path = bench.cwd / "a.txt"
    path.write_text("one\ntwo\n")
    await bench.run(Read(), path="a.txt")
    diff = "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    expected = Preview((str(path),), (str(path),), (FileChange("a.txt", "modified", diff, 1, 1),))
    assert await bench.preview(Edit(), path="a.txt", edits=[swap("two", "2")]) == expected
    assert await bench.preview(Patch(), patch=update("a.txt", "two", "2")) == expected
    written = await bench.preview(Write(), path="a.txt", content="one\n2\n")
    assert (written.writes, written.changes) == (expected.writes, expected.changes)
    new = await bench.preview(Write(), path="b/new.txt", content="x\n")
    assert new.changes == (FileChange("b/new.txt", "added", "--- /dev/null\n+++ b/b/new.txt\n@@ -0,0 +1 @@\n+x\n", 1),)
    assert path.read_text() == "one\ntwo\n"
    assert os.listdir(bench.cwd) == ["a.txt"]
    assert bench.events == []


async def test_what_cannot_work_is_not_asked_about(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("one\n")
    await bench.run(Read(), path="a.txt")
    for tool, arguments in (
        (Edit(), {"path": "a.txt", "edits": [swap("none", "x")]}),
        (Write(), {"path": "a.txt/", "content": ""}),
        (Patch(), {"patch": update("a.txt", "none", "x")}),
        (Bash(), {"command": "ls", "workdir": "/"}),
    ):
        with pytest.raises(ToolError):
            await bench.preview(tool, **arguments)


async def test_a_question_about_a_file_outside_tells_nothing_of_it(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path.resolve() / "outside.txt"
    outside.write_text("the secret word\n")
    preview = await bench.preview(Patch(), patch=update(str(outside), "the secret work", "x"))
    assert preview == Preview((str(outside),), (str(outside),))
    (bench.cwd / ".env").write_text("KEY=value\n")
    preview = await bench.preview(Patch(), patch=update(".env", "KEY=valve", "x"))
    assert preview == Preview((str(bench.cwd / ".env"),), (str(bench.cwd / ".env"),))
    seen = await bench.preview(Patch(), patch=update(str(outside), "the secret word", "x"))
    assert [change.n_removed for change in seen.changes] == [1]


async def test_a_command_is_shown_with_its_programs(bench: Bench) -> None:
    script = bench.cwd / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    command = 'cd x && A=1 ./run.sh | sh -c "$(cat f)" > out; no-such-program; "$EDITOR" # make\n'
    preview = await bench.preview(Bash(), command=command)
    names = [program.partition(":")[0] for program in preview.programs]
    assert names == ["./run.sh", "sh", "cat", "no-such-program", "$EDITOR"]
    assert preview.programs[0] == f"./run.sh: {script}"
    assert preview.programs[3:] == ("no-such-program: not found", "$EDITOR: known only when it runs")
    assert (preview.command, preview.cwd) == (command, str(bench.cwd))
    assert await bench.preview(Background(), action="start", command=command) == preview
    assert await bench.preview(Background(), action="list") == Preview()
    here = await bench.preview(Bash(), command="cat <<'EOF'\nrm -r x\nEOF\n")
    assert [program.partition(":")[0] for program in here.programs] == ["cat"]
    assert (await bench.preview(Bash(), command="echo 'not closed")).programs == ()


async def test_a_mark_of_something_redacted_is_not_written(bench: Bench) -> None:
    path = bench.cwd / "a.txt"
    path.write_text("key = sk-real\nnote\n")
    await bench.run(Read(), path="a.txt")
    for tool, arguments in (
        (Edit(), {"path": "a.txt", "edits": [swap("note", f"note {MARK}")]}),
        (Write(), {"path": "a.txt", "content": f"key = {MARK}\n"}),
        (Write(), {"path": "new.txt", "content": f"key = {MARK}\n"}),
        (Patch(), {"patch": update("a.txt", "note", MARK)}),
        (Patch(), {"patch": f"*** Begin Patch\n*** Add File: b.txt\n+{MARK}\n*** End Patch"}),
    ):
        assert "stands for a secret that was not shown" in await bench.error(tool, **arguments)
    assert path.read_text() == "key = sk-real\nnote\n"
    assert os.listdir(bench.cwd) == ["a.txt"]


async def test_a_mark_that_stood_there_may_stay(bench: Bench) -> None:
    path = bench.cwd / "a.txt"
    path.write_text(f"see {MARK}\nnote\n")
    await bench.run(Read(), path="a.txt")
    await bench.run(Edit(), path="a.txt", edits=[swap("note", "word")])
    await bench.run(Write(), path="a.txt", content=f"now {MARK}\nword\n")
    moved = "*** Begin Patch\n*** Update File: a.txt\n*** Move to: b.txt\n@@\n-word\n+end\n*** End Patch"
    await bench.run(Patch(), patch=moved)
    assert (bench.cwd / "b.txt").read_text() == f"now {MARK}\nend\n"
    assert "secret" in await bench.error(Patch(), patch=update("b.txt", "end", MARK))


async def test_a_file_with_several_names_is_left_alone_outside_git(bench: Bench, tmp_path: Path) -> None:
    path, other = bench.cwd / "a.txt", tmp_path / "other.txt"
    path.write_text("one\n")
    os.link(path, other)
    await bench.run(Read(), path="a.txt")
    for tool, arguments in (
        (Edit(), {"path": "a.txt", "edits": [swap("one", "two")]}),
        (Write(), {"path": "a.txt", "content": "two\n"}),
        (Patch(), {"patch": update("a.txt", "one", "two")}),
    ):
        assert "a.txt has 2 names (hard links)" in await bench.error(tool, **arguments)
    (bench.cwd / ".git").mkdir()
    await bench.run(Edit(), path="a.txt", edits=[swap("one", "two")])
    assert (path.read_text(), other.read_text()) == ("two\n", "one\n")


async def test_the_path_must_lead_where_it_led_when_it_was_judged(bench: Bench, tmp_path: Path) -> None:
    (bench.cwd / "a.txt").write_text("inside\n")
    (tmp_path / "b.txt").write_text("outside\n")
    for tool, arguments in (
        (Read(), {"path": "link"}),
        (Grep(), {"path": "link", "pattern": "side"}),
        (Write(), {"path": "link", "content": "x"}),
        (Ls(), {"path": "link"}),
    ):
        params = bench.params(tool, **arguments)
        link = bench.cwd / "link"
        link.symlink_to("a.txt")
        access = tool.access(params, bench.workspace)
        link.unlink()
        link.symlink_to(tmp_path / "b.txt")
        with pytest.raises(ToolError, match="is not what was asked for"):
            await tool.run(params, bench.context(access))
        link.unlink()
    assert (tmp_path / "b.txt").read_text() == "outside\n"


async def test_a_listing_tells_nothing_of_what_lies_outside(bench: Bench, tmp_path: Path) -> None:
    (bench.cwd / "out").symlink_to(tmp_path)
    (bench.cwd / "dead").symlink_to(tmp_path / "none")
    (bench.cwd / "keys").mkdir()
    boundary = Boundary((bench.cwd,), hidden=(bench.cwd / "keys",))
    hiding = Bench(replace(bench.workspace, boundary=boundary))
    rows = [row.split(maxsplit=1)[1] for row in (await hiding.text(Ls())).splitlines()]
    assert rows == [f"dead -> {tmp_path / 'none'}", f"out -> {tmp_path}"]
