from __future__ import annotations

import json
import os
import resource
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from claw.protocol.details import FileChange, FileDiffs
from claw.protocol.events import FileChanged
from claw.protocol.messages import as_content
from claw.tooling.base import Access, Effect, ToolResult
from claw.tools.edit import Edit
from claw.tools.patch import Patch
from tests.tools.conftest import Bench

CASES = Path(__file__).parents[3] / "shared/fixtures/apply_patch_codex"
INDEX = (
    json.loads((CASES / "index.json").read_text()) if CASES.exists() else {"scenarios": [], "must_report_an_error": []}
)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wrap(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch", ""])


def update(*lines: str) -> str:
    return wrap("*** Update File: a.txt", *lines)


@pytest.mark.skipif(not CASES.exists(), reason="the fixtures are not beside this checkout")
@pytest.mark.parametrize("case", INDEX["scenarios"])
async def test_the_published_cases(bench: Bench, case: str) -> None:
    if (CASES / case / "input").exists():
        shutil.copytree(CASES / case / "input", bench.cwd, dirs_exist_ok=True, copy_function=shutil.copyfile)
        bench.cwd.chmod(0o755)
    patch = (CASES / case / "patch.txt").read_text()
    if case in INDEX["must_report_an_error"]:
        await bench.error(Patch(), patch=patch)
    else:
        await bench.run(Patch(), patch=patch)
    assert tree(bench.cwd) == tree(CASES / case / "expected")


async def test_a_patch_of_every_kind(bench: Bench) -> None:
    (bench.cwd / "gone.txt").write_text("bye\n")
    (bench.cwd / "a.txt").write_text("one\ntwo\n")
    (bench.cwd / "run.sh").write_text("echo\n")
    (bench.cwd / "run.sh").chmod(0o755)
    result = await bench.run(
        Patch(),
        patch=wrap(
            "*** Delete File: gone.txt",
            *("*** Update File: a.txt", "@@", " one", "-two", "+2"),
            *("*** Update File: run.sh", "*** Move to: bin/run", "@@", "-echo", "+echo hi"),
            *("*** Add File: new.txt", "+x"),
        ),
    )
    assert tree(bench.cwd) == {"a.txt": b"one\n2\n", "bin/run": b"echo hi\n", "new.txt": b"x\n"}
    assert stat.S_IMODE((bench.cwd / "bin/run").stat().st_mode) == 0o755
    changes = (
        FileChange("a.txt", "modified", "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n", 1, 1),
        FileChange("bin/run", "added", "--- /dev/null\n+++ b/bin/run\n@@ -0,0 +1 @@\n+echo hi\n", 1, 0),
        FileChange("new.txt", "added", "--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+x\n", 1, 0),
        FileChange("gone.txt", "deleted", "--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n", 0, 1),
        FileChange("run.sh", "deleted", "--- a/run.sh\n+++ /dev/null\n@@ -1 +0,0 @@\n-echo\n", 0, 1),
    )
    text = (
        "patched 5 files:\nM a.txt (+1 −1)\nA bin/run (+1 −0)\nA new.txt (+1 −0)\nD gone.txt (+0 −1)\nD run.sh (+0 −1)"
    )
    assert result == ToolResult(as_content(text), "5 files, +3 −3", FileDiffs(changes))
    assert bench.events == [
        FileChanged(call_id="call_1", path=str(bench.cwd / change.path), kind=change.kind) for change in changes
    ]
    # The ledger knows what the patch wrote, and has forgotten what it deleted.
    await bench.run(Edit(), path="bin/run", edits=[{"old": "hi", "new": "ho"}])
    assert not bench.workspace.files.knows(bench.cwd / "gone.txt")


@pytest.mark.parametrize(
    ("before", "hunks", "after"),
    [
        # Lenient matching leaves context as it is in the file.
        (b"a  \nb\nc\n", ["@@", " a", "-b", "+B"], b"a  \nB\nc\n"),
        (b"\tif x:\n\t\ty\n", ["@@", "     if x:", "-        y", "+\t\tz"], b"\tif x:\n\t\tz\n"),
        ("x — “q”\ny\n".encode(), ["@@", ' x - "q"', "-y", "+z"], "x — “q”\nz\n".encode()),
        # A stricter match further down goes before a lenient one.
        (b" a\nx\na\nx\n", ["@@", " a", "-x", "+y"], b" a\nx\na\ny\n"),
        # The first place after the position; headers narrow.
        (b"x\nx\nx\n", ["@@", "-x", "+1", "@@", "-x", "+2"], b"1\n2\nx\n"),
        (b"f\nx\ng\nx\n", ["@@ g", "-x", "+y"], b"f\nx\ng\ny\n"),
        (b"A\nf\nx\nB\nf\nx\n", ["@@ B", "@@ f", "-x", "+y"], b"A\nf\nx\nB\nf\ny\n"),
        (b"def f(a):\n  x\ndef g(a):\n  x\n", ["@@ def g", "-  x", "+  y"], b"def f(a):\n  x\ndef g(a):\n  y\n"),
        (b"g\nx\n", ["@@ g", " g", "-x", "+y"], b"g\ny\n"),
        (b"x\ny\nx\n", ["@@", "-x", "+z", "*** End of File"], b"x\ny\nz\n"),
        # Only added lines: after the header, else at the end.
        (b"a\nb\n", ["@@ a", "+x"], b"a\nx\nb\n"),
        (b"a\nb\n", ["@@", "+x"], b"a\nb\nx\n"),
        (b"", ["@@", "+x"], b"x\n"),
        # Line endings, byte-order mark, encoding, the missing final line feed.
        (b"a\r\nb\r\n", ["@@", " a", "-b", "+c", "+d"], b"a\r\nc\r\nd\r\n"),
        (b"a\r\nb\nc\r\n", ["@@", " a", "-b", "+B", " c"], b"a\r\nB\nc\r\n"),
        (b"\xef\xbb\xbfa\n", ["@@", "-a", "+b"], b"\xef\xbb\xbfb\n"),
        ("é\n".encode("utf-16"), ["@@", "-é", "+è"], "è\n".encode("utf-16")),
        (b"caf\xe9\nx\n", ["@@", " café", "-x", "+ÿ"], b"caf\xe9\n\xff\n"),
        (b"a\nb", ["@@", "-b", "+c"], b"a\nc"),
        (b"a\nb", ["@@", " b", "+c"], b"a\nb\nc"),
        (b"a\nb", ["@@", "-a", "+c"], b"c\nb"),
        (b"a\nb", ["@@", " a", "-b"], b"a\n"),
        (b"a\nb\n", ["@@", "-a", "-b"], b""),
        (b"a\r\nb", ["@@", " b", "+c"], b"a\r\nb\r\nc"),
        # Empty lines that were only meant as spacing.
        (b"a\nb\n", ["@@", "-b", "+c", "", ""], b"a\nc\n"),
        (b"a\n\nb\n", ["@@", " a", "", "-b", "+c"], b"a\n\nc\n"),
    ],
)
async def test_where_hunks_go(bench: Bench, before: bytes, hunks: list[str], after: bytes) -> None:
    (bench.cwd / "a.txt").write_bytes(before)
    await bench.run(Patch(), patch=update(*hunks))
    assert (bench.cwd / "a.txt").read_bytes() == after


@pytest.mark.parametrize(
    ("hunks", "reason"),
    [
        (["@@", " one", "-too", "+2"], "a.txt: the hunk at line 3 of the patch: its lines were not found."),
        (["@@", "-four", "+4", "@@", "-one", "+1"], "its lines stand at line 1, before the place"),
        (["@@ nowhere", "-one", "+1"], "its header '@@ nowhere' is no line of the file"),
        (["@@", "-one", "+1", "*** End of File"], "not at the end, as '*** End of File' says"),
        (["@@", "-one", "+one"], "changes nothing"),
    ],
)
async def test_hunks_that_do_not_fit(bench: Bench, hunks: list[str], reason: str) -> None:
    (bench.cwd / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    assert reason in await bench.error(Patch(), patch=update(*hunks))
    assert (bench.cwd / "a.txt").read_text() == "one\ntwo\nthree\nfour\n"


async def test_every_file_that_does_not_fit_is_named_and_none_is_changed(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("a\n")
    (bench.cwd / "b.txt").write_text("b\n")
    (bench.cwd / "bin").write_bytes(b"\0")
    error = await bench.error(
        Patch(),
        patch=wrap(
            *("*** Add File: new.txt", "+x"),
            *("*** Update File: a.txt", "@@", "-a", "+A"),
            *("*** Update File: b.txt", "@@", "-x", "+y"),
            *("*** Update File: bin", "@@", "-x", "+y"),
            *("*** Update File: a.txt", "*** Move to: b.txt", "@@", "-A", "+y"),
            "*** Delete File: nowhere",
        ),
    )
    assert error == (
        "b.txt: the hunk at line 9 of the patch: its lines were not found. Nothing in the file is like it; read the "
        "file again.\n"
        "bin is a binary file (unknown binary data, 1 byte), not text.\n"
        "b.txt exists already; a.txt is not moved over it.\n"
        "nowhere does not exist.\n"
        "Nothing was changed."
    )
    assert tree(bench.cwd) == {"a.txt": b"a\n", "b.txt": b"b\n", "bin": b"\0"}
    assert bench.events == []


async def test_later_operations_see_earlier_ones(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("a\n")
    await bench.run(
        Patch(),
        patch=wrap(
            *("*** Add File: b.txt", "+b"),
            *("*** Update File: b.txt", "@@", "-b", "+c"),
            *("*** Update File: a.txt", "@@", "-a", "+A"),
            *("*** Update File: a.txt", "@@", "-A", "+AA"),
        ),
    )
    assert tree(bench.cwd) == {"a.txt": b"AA\n", "b.txt": b"c\n"}
    await bench.run(Patch(), patch=wrap("*** Delete File: a.txt", "*** Add File: a.txt", "+new"))
    assert tree(bench.cwd) == {"a.txt": b"new\n", "b.txt": b"c\n"}
    error = await bench.error(Patch(), patch=wrap("*** Delete File: a.txt", "*** Update File: a.txt", "@@", "-new"))
    assert "a.txt was deleted earlier in this patch." in error


async def test_a_pure_rename_may_be_binary(bench: Bench) -> None:
    (bench.cwd / "a.bin").write_bytes(b"\0\1")
    await bench.run(Patch(), patch=wrap("*** Update File: a.bin", "*** Move to: sub/b.bin"))
    assert tree(bench.cwd) == {"sub/b.bin": b"\0\1"}


async def test_links(bench: Bench) -> None:
    (bench.cwd / "a.txt").write_text("a\n")
    (bench.cwd / "link").symlink_to("a.txt")
    delete = wrap("*** Delete File: link")
    assert Patch().access(bench.params(Patch(), patch=delete), bench.workspace).writes == {bench.cwd / "link"}
    await bench.run(Patch(), patch=wrap("*** Update File: link", "@@", "-a", "+b"))
    assert (bench.cwd / "link").is_symlink()
    await bench.run(Patch(), patch=delete)
    assert tree(bench.cwd) == {"a.txt": b"b\n"}


async def test_a_full_disk_in_the_middle(bench: Bench) -> None:
    (bench.cwd / "old.txt").write_text("x\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        error = await bench.error(
            Patch(),
            patch=wrap(
                *("*** Add File: one.txt", "+1"),
                *("*** Add File: big.txt", "+" + "x" * 300_000),
                *("*** Add File: three.txt", "+3"),
                "*** Delete File: old.txt",
            ),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error == (
        "big.txt cannot be written: File too large. It is as it was. The patch was applied in part. Done: one.txt. "
        "Not done: big.txt, three.txt, old.txt. Patch only what is not done."
    )
    assert tree(bench.cwd) == {"one.txt": b"1\n", "old.txt": b"x\n"}
    assert [event.path for event in bench.events] == [str(bench.cwd / "one.txt")]
    assert sorted(os.listdir(bench.cwd)) == ["old.txt", "one.txt"]


def test_access_and_summary(bench: Bench) -> None:
    def access(patch: str) -> Access:
        return Patch().access(bench.params(Patch(), patch=patch), bench.workspace)

    cwd = bench.cwd
    moved = wrap("*** Update File: a", "*** Move to: /tmp/b", "*** Add File: c", "*** Delete File: d")
    tmp = Path("/tmp/b").resolve()
    assert access(moved) == Access(
        Effect.WRITE, reads=frozenset({cwd / "a"}), writes=frozenset({cwd / "a", tmp, cwd / "c", cwd / "d"})
    )
    broken = "*** Begin Patch\n*** Update File: a\n*** Add File: b\0\n*** Add File: c"
    assert access(broken) == Access(Effect.WRITE, writes=frozenset({cwd / "a", cwd / "c"}))
    assert Patch().summary(bench.params(Patch(), patch=moved)) == "a, /tmp/b, c and 1 more"


LINES = st.lists(st.text("ab é", max_size=3), min_size=1, max_size=7)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data(), LINES, LINES, st.sampled_from([("utf-8", b""), ("utf-16-le", b"\xff\xfe"), ("cp1252", b"")]))
async def test_every_byte_outside_the_hunk_stays(
    bench: Bench, draw: st.DataObject, lines: list[str], added: list[str], form: tuple[str, bytes]
) -> None:
    codec, bom = form
    assume(codec != "cp1252" or "é" in "".join(lines))  # else nothing tells it from UTF-8
    bench.events.clear()
    at = draw.draw(st.integers(0, len(lines)))
    head, tail = lines[:at], lines[at:]
    endings = draw.draw(st.lists(st.sampled_from(["\n", "\r\n"]), min_size=len(lines) + 1, max_size=len(lines) + 1))
    whole = [line + ending for line, ending in zip([*head, "TARGET", *tail], endings, strict=True)]
    if draw.draw(st.booleans()):
        whole[-1] = whole[-1].rstrip("\r\n")
    data = bom + "".join(whole).encode(codec)
    (bench.cwd / "a.txt").write_bytes(data)
    context = head[-1:]
    await bench.run(
        Patch(), patch=update("@@", *(f" {line}" for line in context), "-TARGET", *(f"+{line}" for line in added))
    )
    result = (bench.cwd / "a.txt").read_bytes()
    before, after = bom + "".join(whole[:at]).encode(codec), "".join(whole[at + 1 :]).encode(codec)
    assert result.startswith(before)
    assert result.endswith(after)
    middle = result[len(before) : len(result) - len(after)].decode(codec).replace("\r\n", "\n")
    ends_bare = at == len(lines) and not whole[-1].endswith("\n")
    assert middle == "\n".join(added) + ("" if ends_bare else "\n")
