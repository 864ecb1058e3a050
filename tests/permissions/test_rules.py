from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.config import Rules
from claw.errors import UsageError
from claw.permissions.patterns import CommandPattern, Match, PathPattern
from claw.permissions.rules import RuleBook, parse_rule
from claw.permissions.shell_words import Word

ROOT, HOME = Path("/srv/repo"), Path("/home/someone")

PATHS = {
    "src/**": (("src/a", "src/a/b.py", "src"), ("src2/a", "lib/src/a")),
    "src": (("src/a", "lib/src/a", "src"), ("src2",)),
    "*.py": (("a.py", "lib/a.py", "a.py/b"), ("a.pyc",)),
    "./*.py": (("a.py",), ("lib/a.py",)),
    "a/**/z": (("a/z", "a/b/c/z", "a/b/z/more"), ("a/b", "z")),
    "src/[a-c]?": (("src/ax",), ("src/dx", "src/a")),
    "**": (("a", "b/c.py"), (".git/config", "a/.env", ".vscode/x", ".g\u200bit/config")),
    ".*": ((".github/x", ".git/config", "a/.env"), ("a",)),
    ".git": ((".git",), ()),
    "/srv/repo/x/**": (("x/y",), ("y",)),
}


@pytest.mark.parametrize("pattern", PATHS)
def test_paths_that_match(pattern: str) -> None:
    matches = PathPattern(pattern, HOME).matches
    yes, no = PATHS[pattern]
    assert [path for path in (*yes, *no) if matches(ROOT / path, [ROOT])] == list(yes)


def test_the_home_folder_and_what_lies_elsewhere() -> None:
    assert PathPattern("~/notes/**", HOME).matches(HOME / "notes/a", [ROOT])
    assert not PathPattern("notes/**", HOME).matches(HOME / "notes/a", [ROOT])
    assert not PathPattern("/srv/re**", HOME).matches(Path("/srv/other"), [ROOT])


@pytest.mark.parametrize("path", ["SRC/a", "ｓrc/a", "Src/B/c"])
def test_what_forbids_ignores_case_and_forms(path: str) -> None:
    assert PathPattern("src/**", HOME).forbids(ROOT / path, [ROOT])
    assert not PathPattern("src/**", HOME).matches(ROOT / path, [ROOT])


def test_what_forbids_knows_no_exceptions() -> None:
    assert PathPattern("**", HOME).forbids(ROOT / ".git/config", [ROOT])
    assert PathPattern("*env*", HOME).forbids(ROOT / ".env", [ROOT])


_NAMES = st.text(st.sampled_from("abAB.*?[]-!é ~"), min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))


@given(st.lists(_NAMES | st.just("**"), min_size=1, max_size=4), st.lists(_NAMES, min_size=1, max_size=4))
def test_what_forbids_is_never_narrower_than_what_allows(pattern: list[str], parts: list[str]) -> None:
    try:
        matcher = PathPattern("/".join(pattern), HOME)
    except ValueError:
        return
    path = ROOT.joinpath(*parts)
    assert matcher.forbids(path, [ROOT]) or not matcher.matches(path, [ROOT])


_PLAIN_NAMES = st.text(st.sampled_from("abé .-"), min_size=1, max_size=4).filter(lambda n: n.strip(" .-") != "")


@given(st.lists(_PLAIN_NAMES.map(str.strip), min_size=1, max_size=4))
def test_a_path_matches_itself(parts: list[str]) -> None:
    path = ROOT.joinpath(*parts)
    assert PathPattern(str(path), HOME).matches(path, [ROOT])
    assert PathPattern(f"./{'/'.join(parts)}", HOME).matches(path, [ROOT])


def words(*texts: str | None) -> tuple[Word, ...]:
    return tuple(Word(text or "$x", text, is_one=text is not None) for text in texts)


COMMANDS = {
    "git log *": ([("git", "log"), ("git", "log", "-3", "x"), ("git", "log", None)], [("git",), ("git", "logs")]),
    "git * log": ([("git", "-P", "log")], [("git", "log"), ("git", "a", "b", "log"), ("git", None, "log")]),
    "git 'a b'": ([("git", "a b")], [("git", "a", "b"), ("git", "a b", "c"), ("git", None)]),
    "git '*'": ([("git", "*")], [("git", "a")]),
    "x=1 git *": ([("x=1", "git")], [("git",), ("x=2", "git")]),
}


@pytest.mark.parametrize("pattern", COMMANDS)
def test_commands_that_match(pattern: str) -> None:
    yes, no = COMMANDS[pattern]
    matches = CommandPattern(pattern).matches
    assert [call for call in (*yes, *no) if matches(words(*call))] == list(yes)


def test_what_forbids_a_command_thinks_of_what_may_be() -> None:
    forbids = CommandPattern("git push *").forbids
    assert forbids(words("/usr/bin/GIT", "push", "x")) is Match.YES
    assert forbids(words("git", None)) is Match.MAYBE
    assert forbids(words(None)) is Match.MAYBE
    assert forbids(words("git", "log", None)) is Match.NO
    assert CommandPattern("git * push").forbids(words("git", "a", "b", "push")) is Match.YES
    assert CommandPattern("git * push").forbids(words("git", "push")) is Match.YES


_WORDS = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc", "Zs"])
                          | st.sampled_from(" *'\"\\$`#"), max_size=5), min_size=1, max_size=4)  # fmt: skip


@given(_WORDS)
def test_a_quoted_command_matches_itself_and_nothing_longer(texts: list[str]) -> None:
    pattern = CommandPattern(shlex.join(texts))
    assert pattern.words
    assert pattern.matches(words(*texts))
    assert not pattern.matches(words(*texts, "more"))
    assert pattern.forbids(words(*texts)) is Match.YES


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("", "a rule is a tool"),
        ("bash(", "a rule is a tool"),
        ("bash(git *) x", "a rule is a tool"),
        ("bahs(git *)", "there is no tool bahs"),
        ("bash()", "the command is empty"),
        ("bash(npm run test:*)", "'*' stands for whole words only"),
        ("bash(* log)", "the name of the program comes first"),
        ("edit()", "the path is empty"),
        ("edit(../x)", "'..' is not resolved"),
        ("edit(src/{a,b})", "one rule for each alternative"),
        ("edit(~other/x)", "only ~/ is known"),
        ("read(a\0b)", "control characters"),
        ("web_fetch(https://x.org/)", "it is no host"),
        ("web_fetch(*)x", "a rule is a tool"),
        ("git(push)", "only commit can be named"),
        ("todo(x)", "todo takes no pattern"),
    ],
)
def test_an_error_names_the_rule_what_is_wrong_and_an_example(rule: str, wrong: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_rule(rule, HOME)
    assert repr(rule) in str(error.value)
    assert wrong in str(error.value)


@given(st.text(max_size=30) | st.sampled_from(["bash", "edit", "web_fetch", "read"]).flatmap(
    lambda tool: st.text(max_size=20).map(lambda body: f"{tool}({body})")))  # fmt: skip
def test_a_rule_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        parse_rule(text, HOME)


def test_what_denies_must_be_one_plain_command() -> None:
    with pytest.raises(UsageError, match="one plain command"):
        RuleBook(Rules(deny=("bash(a | b)",)), HOME)
    RuleBook(Rules(allow=("bash(a | b)",)), HOME)


def test_denied_reads_without_a_wildcard_can_be_hidden() -> None:
    book = RuleBook(Rules(deny=("read(keys/**)", "read(/opt/x)", "read(*.pem)", "edit(/opt/y)")), HOME)
    # `keys/**` has a wildcard only at its end, where it says nothing more.
    assert book.hidden([ROOT]) == (ROOT / "keys", Path("/opt/x"))
