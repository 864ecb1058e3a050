from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.protocol.details import FileChange, FileDiffs
from claw.protocol.events import FileChanged
from claw.protocol.messages import as_content
from claw.tooling.base import Access, Effect, ToolResult
from claw.tooling.boundary import Boundary
from claw.tooling.disk import Disk
from claw.tools._atomic import replace_file
from claw.tools._changes import diff_lines, file_change
from claw.tools.read import Read
from claw.tools.write import Write
from tests.tools.conftest import Bench


async def test_a_new_file_with_its_parents(bench: Bench) -> None:
    result = await bench.run(Write(), path="src/deep/a.py", content="x = 1\ny = 2\r\n")
    path = bench.cwd / "src/deep/a.py"
    diff = "--- /dev/null\n+++ b/src/deep/a.py\n@@ -0,0 +1,2 @@\n+x = 1\n+y = 2\n"
    change = FileChange("src/deep/a.py", "added", diff, 2, 0)
    assert path.read_bytes() == b"x = 1\ny = 2\r\n"
    assert result == ToolResult(as_content("created src/deep/a.py (2 lines, 13 bytes)"), "+2 −0", FileDiffs((change,)))
    assert bench.events == [FileChanged(call_id="call_1", path=str(path), kind="added")]
    bench.workspace.files.check(path, b"x = 1\ny = 2\r\n")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert os.listdir(path.parent) == ["a.py"]


async def test_only_what_was_read_is_overwritten(bench: Bench) -> None:
    path = bench.cwd / "a.txt"
    path.write_text("old\n")
    assert "has not been read" in await bench.error(Write(), path="a.txt", content="new\n")
    await bench.run(Read(), path="a.txt")
    path.write_text("other\n")
    assert "was changed by someone else" in await bench.error(Write(), path="a.txt", content="new\n")
    assert path.read_text() == "other\n"
    await bench.run(Read(), path="a.txt")
    assert await bench.text(Write(), path="a.txt", content="new\n") == "overwrote a.txt (1 line, 4 bytes)"
    assert await bench.text(Write(), path="a.txt", content="newer\n") == "overwrote a.txt (1 line, 6 bytes)"
    assert path.read_text() == "newer\n"


async def test_an_empty_file_may_be_filled(bench: Bench) -> None:
    (bench.cwd / "__init__.py").touch()
    await bench.run(Write(), path="__init__.py", content="x\n")
    assert (bench.cwd / "__init__.py").read_text() == "x\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nb\r\n", b"a\r\nB\r\nc\r\n"),
        (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\nB\nc\n"),
        ("a\r\nb".encode("utf-16"), "\ufeffa\r\nB\r\nc\r\n".encode("utf-16-le")),
        (b"a\rb\r", b"a\rB\rc\r"),
        (b"\xe9\r\n", b"a\r\nB\r\nc\r\n"),
    ],
)
async def test_the_form_of_the_file_is_kept(bench: Bench, before: bytes, after: bytes) -> None:
    path = bench.cwd / "a.txt"
    path.write_bytes(before)
    path.chmod(0o750)
    await bench.run(Read(), path="a.txt")
    await bench.run(Write(), path="a.txt", content="a\nB\nc\n")
    assert path.read_bytes() == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


async def test_through_a_link_the_target_is_written(bench: Bench) -> None:
    (bench.cwd / "real.txt").touch()
    (bench.cwd / "link.txt").symlink_to("real.txt")
    await bench.run(Write(), path="link.txt", content="x\n")
    assert (bench.cwd / "link.txt").is_symlink()
    assert (bench.cwd / "real.txt").read_text() == "x\n"
    params = bench.params(Write(), path="link.txt", content="")
    assert Write().access(params, bench.workspace) == Access(Effect.WRITE, writes=frozenset({bench.cwd / "real.txt"}))


async def test_what_cannot_be_written(bench: Bench) -> None:
    (bench.cwd / "bin").write_bytes(b"\0\1")
    (bench.cwd / "fixed.txt").touch(mode=0o444)
    (bench.cwd / "latin.txt").write_bytes(b"\xe9\n")
    await bench.run(Read(), path="latin.txt")
    os.mkfifo(bench.cwd / "pipe")
    errors = {
        "dir/": "names a folder",
        ".": "is a folder",
        "bin": "is a binary file of 2 bytes",
        "fixed.txt": "is read-only (mode 0444)",
        "latin.txt": "cannot hold",
        "pipe": "is a named pipe",
        "bin/x": "one of its parents is a file",
        "n" * 300: "File name too long",
    }
    for path, reason in errors.items():
        error = await bench.error(Write(), path=path, content="日本\n")
        assert reason in error, error
    assert sorted(os.listdir(bench.cwd)) == ["bin", "fixed.txt", "latin.txt", "pipe"]
    assert (bench.cwd / "latin.txt").read_bytes() == b"\xe9\n"
    assert bench.events == []


async def test_the_same_content_is_not_written_again(bench: Bench) -> None:
    path = bench.cwd / "a.txt"
    path.write_bytes(b"a\r\n")
    inode = path.stat().st_ino
    await bench.run(Read(), path="a.txt")
    assert "already has exactly this content" in await bench.text(Write(), path="a.txt", content="a\n")
    assert path.stat().st_ino == inode
    assert bench.events == []


async def test_a_full_disk_leaves_the_old_file(bench: Bench) -> None:
    path = bench.cwd / "a.txt"
    path.write_text("precious\n")
    await bench.run(Read(), path="a.txt")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        error = await bench.error(Write(), path="a.txt", content="x" * 300_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error == "a.txt cannot be written: File too large. It is as it was."
    assert path.read_text() == "precious\n"
    assert os.listdir(bench.cwd) == ["a.txt"]


def test_a_change_at_the_last_moment_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    disk = Disk(Boundary((tmp_path,)), frozenset(), frozenset({path}), str)
    path.write_text("one")
    info = path.stat()
    path.write_text("two!")
    with pytest.raises(ToolError, match="was changed by someone else at this very moment"):
        replace_file(disk, path, b"mine", "a.txt", before=info)
    with pytest.raises(ToolError, match="was changed by someone else at this very moment"):
        replace_file(disk, path, b"mine", "a.txt", before=None)
    assert path.read_text() == "two!"
    assert os.listdir(tmp_path) == ["a.txt"]


@settings(max_examples=150, deadline=None)
@given(st.text("abc\n", max_size=30), st.text("abc\n", max_size=30))
def test_a_diff_leads_from_the_old_to_the_new(old: str, new: str) -> None:
    assert _applied("".join(diff_lines(old, new)), old) == new


def _applied(diff: str, old: str) -> str:
    """What a reader of unified diffs makes of it, context and positions checked."""
    source, result, at = old.split("\n"), [], 0
    rows = diff.split("\n")[:-1]
    for i, row in enumerate(rows):
        ends = "" if i + 1 < len(rows) and rows[i + 1].startswith("\\") else "\n"
        if row.startswith("@@"):
            start, _, count = row.split(" ")[1][1:].partition(",")
            first = int(start) - (count != "0")
            result += [line + "\n" for line in source[at:first]]
            at = first
        elif row[0] in " -":
            assert source[at] == row[1:]
            result += [row[1:] + ends] if row[0] == " " else []
            at += 1
        elif row[0] == "+":
            result.append(row[1:] + ends)
    rest = "\n".join(source[at:])
    return "".join(result) + rest


def test_a_large_diff_is_quick_and_cut() -> None:
    old = "".join(f"{i % 7} {i}\n" for i in range(30_000)).encode()
    new = "".join(f"{i % 5} {i}\n" for i in range(30_000)).encode()
    change = file_change("a", old, new)
    assert len(change.diff) < 110_000
    assert change.diff.endswith("more lines of this diff are not shown\n")
    assert file_change("a", None, b"\0") == FileChange("a", "added")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=50).filter(lambda text: "\0" not in text))
async def test_what_is_written_can_be_written_again(bench: Bench, content: str) -> None:
    """Whatever the model writes it knows: the next write needs no read."""
    path = bench.cwd / "a.txt"
    path.unlink(missing_ok=True)
    await bench.run(Write(), path="a.txt", content=content)
    assert path.read_bytes() == content.encode()
    await bench.run(Write(), path="a.txt", content="end\n")
