"""File patterns and ignore rules, as pure functions of strings."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.tools._globs import GlobMatcher, expand_braces, literal_folder
from claw.tools._ignore import RuleFile, is_ignored, parse


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.py", ["a.py", "x/y/a.py", ".py"], ["a.pyc", "a.py/x"]),
        ("./*.py", ["a.py"], ["x/a.py"]),
        ("**/*.py", ["a.py", "x/a.py", "x/y/a.py"], ["a.txt"]),
        ("src/**", ["src/a", "src/x/b"], ["src", "lib/src/a"]),
        ("src/", ["src/a", "src/x/b"], ["src"]),
        ("src/**/t_*.py", ["src/t_a.py", "src/x/y/t_a.py"], ["t_a.py", "src/a.py"]),
        ("a/**/b/**/c", ["a/b/c", "a/x/b/y/b/c", "a/b/b/c"], ["a/c", "a/b/x", "a/b/c/d"]),
        ("*.{ts,tsx}", ["a.ts", "x/a.tsx"], ["a.js"]),
        ("{a,b{1,2}}/*", ["a/x", "b1/x", "b2/x"], ["b/x"]),
        ("t[0-9a].c", ["t5.c", "ta.c"], ["tb.c", "t.c"]),
        ("t[!0-9].c", ["ta.c"], ["t5.c"]),
        ("t[]x].c", ["t].c", "tx.c"], ["ta.c"]),
        ("a?c", ["abc", "x/abc"], ["ac", "a/c"]),
        (r"a\*", ["a*"], ["ab"]),
        ("a[b", ["a[b"], ["ab"]),
        ("[z-a]", [], ["b", "z"]),
        ("!*.py", ["a.txt"], ["a.py", "x/a.py"]),
        ("**", ["a", "x/y"], []),
        (".*", [".env", "x/.env"], ["a"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    matcher = GlobMatcher(pattern)
    assert [path for path in [*matching, *others] if matcher.matches(path)] == matching


@pytest.mark.parametrize("pattern", ["", ".", "./", "a{b", "a}b", "{a,b}" * 12])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ToolError):
        GlobMatcher(pattern)


def test_braces() -> None:
    assert expand_braces("a{b,c{d,e}}f") == ["abf", "acdf", "acef"]
    assert expand_braces("{,x}a") == ["a", "xa"]


def test_literal_folders() -> None:
    assert literal_folder("src/a/*.py") == ("src/a", "./*.py")
    assert literal_folder("/etc/**/x.conf") == ("/etc", "./**/x.conf")
    assert literal_folder("../x/a") == ("../x", "./a")
    assert literal_folder("s*/a/b") == ("", "s*/a/b")
    assert literal_folder("*.py") == ("", "*.py")


@given(st.text("ab*?[]!-.", min_size=1, max_size=6), st.text("ab.-]!", min_size=1, max_size=6))
def test_names_match_as_in_the_standard_library(pattern: str, name: str) -> None:
    """For one name `fnmatch` is the oracle, but for `!` in front, which it does not know."""
    if pattern.strip("./") and not pattern.startswith("!") and "**" not in pattern:
        assert GlobMatcher(f"./{pattern}").matches(name) == fnmatch.fnmatchcase(name, pattern)


def test_no_pattern_explodes() -> None:
    started = time.monotonic()
    assert not GlobMatcher("*a" * 60 + "b").matches("a" * 250)
    assert not GlobMatcher("/".join(["**", "a"] * 30) + "/b").matches("/".join("a" * 400))
    assert time.monotonic() - started < 1


RULES = RuleFile(
    "/r/",
    tuple(
        parse(
            [
                "# a comment\n",
                "\n",
                "*.log\r\n",
                "!keep.log\n",
                "build/\n",
                "/top.txt\n",
                "doc/*.html\n",
                "a/**/z\n",
                "trailing  \n",
                "space\\ \n",
                r"\#hash" + "\n",
                r"\!bang" + "\n",
                "{x}\n",
                "inside/**\n",
                "**/deep/file\n",
                "!\n",
            ]
        )
    ),
)


@pytest.mark.parametrize(
    ("path", "is_folder", "expected"),
    [
        ("x.log", False, True),
        ("d/x.log", False, True),
        ("d/keep.log", False, False),
        ("build", True, True),
        ("d/build", True, True),
        ("build", False, False),
        ("top.txt", False, True),
        ("d/top.txt", False, False),
        ("doc/a.html", False, True),
        ("doc/x/a.html", False, False),
        ("a/z", False, True),
        ("a/b/c/z", False, True),
        ("trailing", False, True),
        ("space ", False, True),
        ("#hash", False, True),
        ("!bang", False, True),
        ("{x}", False, True),
        ("x", False, False),
        ("inside", True, False),
        ("inside/a", False, True),
        ("p/deep/file", False, True),
    ],
)
def test_ignore_rules(path: str, is_folder: bool, expected: bool) -> None:
    assert is_ignored(f"/r/{path}", is_folder, (RULES,)) is expected


def test_a_deeper_file_overrules() -> None:
    deeper = RuleFile("/r/d/", tuple(parse(["!x.log", "y"])))
    assert not is_ignored("/r/d/x.log", False, (RULES, deeper))
    assert is_ignored("/r/d/y", False, (RULES, deeper))
    assert is_ignored("/r/d/z.log", False, (RULES, deeper))
