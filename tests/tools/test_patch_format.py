from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.tools._patch_format import AddFile, DeleteFile, Hunk, Operation, UpdateFile, parse_patch, paths_of

FULL = """\
*** Begin Patch
*** Add File: new file.txt
+one
+
+*** End Patch
*** Delete File: old.txt
*** Update File: a.py
*** Move to: b.py
@@ class A:
@@     def f(self):
 context

-old
+new
*** End of File
@@
+last
*** End Patch
"""
PARSED = [
    AddFile("new file.txt", ["one", "", "*** End Patch"]),
    DeleteFile("old.txt"),
    UpdateFile(
        "a.py",
        "b.py",
        [
            Hunk(
                9,
                ["class A:", "    def f(self):"],
                [(" ", "context"), (" ", ""), ("-", "old"), ("+", "new")],
                at_end=True,
            ),
            Hunk(16, [], [("+", "last")]),
        ],
    ),
]


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        FULL.replace("\n", "\r\n"),
        FULL.strip(),
        "\n\n  " + FULL.strip() + "   \n\n",
        f"```diff\n{FULL}```\n",
        f"apply_patch <<'EOF'\n{FULL}EOF\n",
        f"<<EOF\n{FULL}EOF",
        FULL.replace("*** Add File: new file.txt", "  *** Add File:   new file.txt  "),
        FULL.replace("*** Update File", "\n\n*** Update File"),
    ],
    ids=range(9),
)
def test_a_patch_and_what_may_be_around_it(text: str) -> None:
    assert parse_patch(FULL) == PARSED
    assert _without_line_numbers(parse_patch(text)) == _without_line_numbers(parse_patch(FULL))


def _without_line_numbers(operations: list[Operation]) -> list[Operation]:
    for operation in operations:
        for hunk in operation.hunks if isinstance(operation, UpdateFile) else []:
            hunk.line_number = hunk.n_bare = 0
    return operations


def test_headers_of_unified_diffs_are_passed_over() -> None:
    patch = "*** Begin Patch\n*** Update File: a\n@@ -1,2 +1,3 @@ def f():\n-x\n@@ -5 +5 @@\n-y\n*** End Patch"
    (update,) = parse_patch(patch)
    assert update == UpdateFile("a", None, [Hunk(3, [], [("-", "x")]), Hunk(5, [], [("-", "y")])])


def test_empty_lines() -> None:
    patch = "*** Begin Patch\n*** Add File: a\n+x\n\n+y\n\n\n*** Update File: b\n\n@@ h\n\n-z\n\n*** End Patch"
    assert parse_patch(patch) == [
        AddFile("a", ["x", "", "y"]),
        UpdateFile("b", None, [Hunk(10, ["h"], [(" ", ""), ("-", "z"), (" ", "")], n_bare=1)]),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it must begin with the line '*** Begin Patch'"),
        ("please apply\n*** Begin Patch\n*** End Patch", "it must begin with"),
        ("*** Begin Patch\n*** Add File: a\n+x\n", "it may have been cut off"),
        ("*** Begin Patch\n*** End Patch\nand more", "line 3 of the patch: text after"),
        ("*** Begin Patch\n*** End Patch", "the patch is empty"),
        ("*** Begin Patch\n*** Rename File: a\n*** End Patch", "line 2 of the patch is '*** Rename File: a': expected"),
        ("*** Begin Patch\n*** Add File:\n+x\n*** End Patch", "line 2 of the patch is '*** Add File:': expected"),
        ("*** Begin Patch\n*** Update File: a\n*** End Patch", "the patch has no hunk for a"),
        (
            "*** Begin Patch\n*** Update File: a\n@@ x\n*** End Patch",
            "line 3 of the patch is '@@ x': a hunk needs lines",
        ),
        (
            "*** Begin Patch\n*** Update File: a\n@@\nx = 1\n*** End Patch",
            "line 4 of the patch is 'x = 1': a line",
        ),
        ("*** Begin Patch\n*** Delete File: a\n+x\n*** End Patch", "line 3 of the patch is '+x': expected"),
        ("*** Begin Patch\n*** Add File: a\n+x\ny\n*** End Patch", "line 4 of the patch is 'y': expected"),
        (
            "*** Begin Patch\n*** Delete File: a\n*** End Patch\n*** Begin Patch\n*** Delete File: b\n*** End Patch",
            "line 3 of the patch is '*** End Patch': expected",
        ),
    ],
)
def test_what_is_no_patch(text: str, reason: str) -> None:
    with pytest.raises(ToolError) as caught:
        parse_patch(text)
    assert reason in str(caught.value)


def test_paths_are_found_in_broken_patches_too() -> None:
    assert paths_of(FULL) == ["new file.txt", "old.txt", "a.py", "b.py"]
    assert paths_of("*** Begin Patch\n*** Update File: a\n???\n*** Add File: b") == ["a", "b"]


LINE = st.sampled_from(
    [
        *("*** Begin Patch", "*** End Patch", "*** Add File: a", "*** Update File: b", "*** Delete File: c"),
        *("*** Move to: d", "*** End of File", "@@", "@@ h", "@@ -1 +1 @@", "+x", "-y", " z", "+", "", " ", "\t"),
        *("junk", "***"),
    ]
)


@given(st.lists(LINE, max_size=12))
def test_anything_is_parsed_or_refused(lines: list[str]) -> None:
    text = "\n".join(["*** Begin Patch", *lines, "*** End Patch"])
    try:
        operations = parse_patch(text)
    except ToolError:
        return
    assert operations
    assert {operation.path for operation in operations} <= {"a", "b", "c"}
