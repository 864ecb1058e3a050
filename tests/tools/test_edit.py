from __future__ import annotations

import os
import stat
import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.protocol.details import FileChange, FileDiffs
from claw.protocol.events import FileChanged
from claw.protocol.messages import as_content
from claw.tooling.base import Access, Effect, ToolResult
from claw.tools._nearest import why_not_found
from claw.tools.edit import Edit
from tests.tools.conftest import Bench


def put(bench: Bench, data: bytes, name: str = "a.py") -> None:
    """A file that the model has read."""
    (bench.cwd / name).write_bytes(data)
    bench.workspace.files.saw(bench.cwd / name, data)


def swap(old: str, new: str, replace_all: bool = False) -> dict[str, object]:
    return {"old": old, "new": new, "replace_all": replace_all}


async def test_a_list_of_edits(bench: Bench) -> None:
    put(bench, b"def f():\n    return 1\n\n\ndef g():\n    return 1\n")
    result = await bench.run(
        Edit(),
        path="a.py",
        edits=[swap("f():\n    return 1", "f():\n    return 2"), swap("return 1", "return 3")],
    )
    path = bench.cwd / "a.py"
    assert path.read_bytes() == b"def f():\n    return 2\n\n\ndef g():\n    return 3\n"
    diff = (
        "--- a/a.py\n+++ b/a.py\n@@ -1,6 +1,6 @@\n def f():\n-    return 1\n+    return 2\n \n \n def g():\n"
        "-    return 1\n+    return 3\n"
    )
    assert result == ToolResult(
        as_content("edited a.py: 2 replacements, +2 −2 lines"),
        "+2 −2",
        FileDiffs((FileChange("a.py", "modified", diff, 2, 2),)),
    )
    assert bench.events == [FileChanged(call_id="call_1", path=str(path), kind="modified")]


async def test_a_series_needs_no_second_read(bench: Bench) -> None:
    put(bench, b"1\n")
    for n in range(1, 5):
        await bench.run(Edit(), path="a.py", edits=[swap(str(n), str(n + 1))])
    assert (bench.cwd / "a.py").read_bytes() == b"5\n"


async def test_all_or_nothing(bench: Bench) -> None:
    put(bench, b"one\ntwo\n")
    error = await bench.error(Edit(), path="a.py", edits=[swap("one", "1"), swap("three", "3")])
    assert error.startswith("edit 2 of 2: `old` was not found in a.py. ")
    assert (bench.cwd / "a.py").read_bytes() == b"one\ntwo\n"
    assert bench.events == []


async def test_read_before_edit_and_unchanged_since(bench: Bench) -> None:
    (bench.cwd / "a.py").write_text("x\n")
    assert "has not been read" in await bench.error(Edit(), path="a.py", edits=[swap("x", "y")])
    put(bench, b"x\n")
    (bench.cwd / "a.py").write_text("x \n")
    assert "was changed by someone else" in await bench.error(Edit(), path="a.py", edits=[swap("x", "y")])


async def test_what_is_not_unique(bench: Bench) -> None:
    put(bench, b"a\nb\na\naaa\n")
    error = await bench.error(Edit(), path="a.py", edits=[swap("a", "c")])
    assert "occurs 5 times in a.py (lines 1, 3, 4, 4, 4)" in error
    assert "occurs 2 times" in await bench.error(Edit(), path="a.py", edits=[swap("aa", "c")])
    await bench.run(Edit(), path="a.py", edits=[swap("a", "c", replace_all=True)])
    assert (bench.cwd / "a.py").read_bytes() == b"c\nb\nc\nccc\n"
    put(bench, b"x" * 5_000)
    assert "occurs at least 1,000 times" in await bench.error(Edit(), path="a.py", edits=[swap("x", "y")])


async def test_edits_that_say_nothing(bench: Bench) -> None:
    put(bench, b"a\r\nb\n")
    for edits, reason in [
        ([], "edits is empty"),
        ([swap("", "x")], "`old` is empty"),
        ([swap("a", "a")], "are the same text"),
        ([swap("a\r\n", "a\n")], "are the same text"),
        ([swap("a", "c"), swap("c", "a")], "cancel each other out"),
    ]:
        assert reason in await bench.error(Edit(), path="a.py", edits=edits)


async def test_files_that_are_none(bench: Bench) -> None:
    (bench.cwd / "bin").write_bytes(b"\0")
    os.mkfifo(bench.cwd / "pipe")
    for path, reason in [("bin", "binary"), ("no", "does not exist"), (".", "is a folder"), ("pipe", "named pipe")]:
        assert reason in await bench.error(Edit(), path=path, edits=[swap("a", "b")])
    with open(bench.cwd / "huge.txt", "wb") as file:
        file.truncate(40 * 1024 * 1024)
    assert "41,943,040 bytes; this tool changes files of up to" in await bench.error(
        Edit(), path="huge.txt", edits=[swap("a", "b")]
    )
    put(bench, b"x\n", "fixed")
    (bench.cwd / "fixed").chmod(0o444)
    assert "read-only" in await bench.error(Edit(), path="fixed", edits=[swap("x", "y")])


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc", "a\nb\n", "x\ny\nz\n", b"x\r\ny\r\nz\r\nc"),
        (b"a\r\nb\r\nc", "b\r\n", "B\r\n", b"a\r\nB\r\nc"),
        (b"a\r\nb\nc\r\n", "b", "B1\nB2", b"a\r\nB1\nB2\nc\r\n"),
        (b"\xef\xbb\xbfa\n", "a", "b", b"\xef\xbb\xbfb\n"),
        ("añb".encode("utf-16"), "ñ", "ß", "aßb".encode("utf-16")),
        (b"caf\xe9 na\xefve\n", "café", "thé", b"th\xe9 na\xefve\n"),
        ("ü ü ü".encode() + b"\xff x\n", "x", "y", "ü ü ü".encode() + b"\xff y\n"),
        (b"a\rb\r", "a\nb", "a\nx\nb", b"a\rx\rb\r"),
        (b"a\n\n", "a\n", "", b"\n"),
    ],
)
async def test_the_form_of_the_file_is_kept(bench: Bench, before: bytes, old: str, new: str, after: bytes) -> None:
    put(bench, before)
    (bench.cwd / "a.py").chmod(0o711)
    await bench.run(Edit(), path="a.py", edits=[swap(old, new)])
    assert (bench.cwd / "a.py").read_bytes() == after
    assert stat.S_IMODE((bench.cwd / "a.py").stat().st_mode) == 0o711


PIECE = st.sampled_from(["a", "b", "ab", "é", " ", "\t", "\n", "\r\n", "\r", "\n\n", "\x0c", "\u2028"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(PIECE, max_size=12),
    st.lists(PIECE, max_size=12),
    st.text("ab é\n", max_size=8),
    st.sampled_from([("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("cp1252", b"")]),
)
async def test_every_byte_outside_the_hunk_stays(
    bench: Bench, left: list[str], right: list[str], new: str, form: tuple[str, bytes]
) -> None:
    codec, bom = form
    # Latin-1 has no U+2028, and nothing tells it from UTF-8 but such a letter.
    assume(codec != "cp1252" or ("\u2028" not in left + right and "é" in left + right))
    bench.events.clear()
    head, tail = "".join(left).encode(codec), "".join(right).encode(codec)
    assume(not ((left and left[-1] == "\r") or (right and right[0] == "\n")))
    target = "TARGET\r\nTEXT" if "\r\n" in left + right else "TARGET\nTEXT"
    assume("\n" in "".join(left + right) or "\r" not in "".join(left + right))
    put(bench, bom + head + target.encode(codec) + tail)
    await bench.run(Edit(), path="a.py", edits=[swap("TARGET\nTEXT", new)])
    data = (bench.cwd / "a.py").read_bytes()
    assert data.startswith(bom + head)
    assert data.endswith(tail)
    middle = data[len(bom + head) : len(data) - len(tail)].decode(codec)
    assert middle.replace("\r\n", "\n") == new


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=40), st.text("ab\n\r\xe9", min_size=1, max_size=3), st.text(max_size=4))
async def test_odd_bytes_are_refused_or_edited_faithfully(bench: Bench, data: bytes, old: str, new: str) -> None:
    put(bench, data)
    try:
        await bench.run(Edit(), path="a.py", edits=[swap(old, new)])
    except ToolError:
        assert (bench.cwd / "a.py").read_bytes() == data


@pytest.mark.parametrize(
    ("view", "old", "hint"),
    [
        ("", "x", "The file is empty."),
        ("if x:\n    y()\n", "     1\tif x:\n     2\t    y()", "It begins with line numbers"),
        ("a\tb\nc\n", "a\\tb\\nc", "escaped once too often"),
        ('s = "\\n"\n', 's = "\n"', "escape them once more"),
        (
            "def f():   \n    x\n",
            "def f():\n    x",
            "white space at line ends only. The file has:\n     1\tdef f():",
        ),
        ("a\n\tif x:\n", "    if x:", "indentation or other white space only. The file has:\n     2\t\tif x:"),
        ("say(“hi”) – ok\n", 'say("hi") - ok', "typographic dashes, quotes or spaces only"),
        ("Hello World\n", "hello world", "upper and lower case only"),
        ("value = 2\n", "value = 1", "`new` is there already, at line 1"),
        (
            "total = add(a, b)\nend\n",
            "total = add(a, c)",
            "most similar lines of the file are:\n     1\ttotal = add(",
        ),
        ("abc\n", "zzzzz", "Nothing in the file is like it"),
    ],
)
def test_why_it_was_not_found(view: str, old: str, hint: str) -> None:
    assert hint in why_not_found(view, old, "value = 2")


def test_the_reason_is_found_in_bounded_time() -> None:
    view = "".join(f"    some_function_{i}(argument, another, {i * 7919 % 1000})\n" for i in range(400_000))
    started = time.monotonic()
    why_not_found(view, "    some_function(argument, yet_another, 123)\n" * 40, "")
    why_not_found("x" * 20_000_000, "y" * 100_000, "")
    assert time.monotonic() - started < 8


def test_access(bench: Bench) -> None:
    params = bench.params(Edit(), path="./a.py", edits=[swap("a", "b"), swap("c", "d")])
    path = frozenset({bench.cwd / "a.py"})
    assert Edit().access(params, bench.workspace) == Access(Effect.WRITE, reads=path, writes=path)
    assert Edit().summary(params) == "./a.py (2 edits)"
