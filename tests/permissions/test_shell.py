from __future__ import annotations

import random
import subprocess

import pytest

from claw.permissions.shell import MAX_CHARACTERS, split
from claw.permissions.shell_words import Unreadable, no_substitution, read_word

_PIECES = ("a", "B", "-", "=", "'", '"', "\\", "$", "$'", " ", "#", "~", "!", "*", "{", "}", ",", "[", "]",
           "\\n", "%", "@", ":",
           "'a b'", '"c d"', "$'\\t'", "\\ ", "é", "/", ";", "|", "`", "(", "^", "+", "?", ".", '"$"', "\\\\",
           "\n")  # fmt: skip


def test_words_are_what_bash_makes_of_them() -> None:
    """Thousands of odd words in one run of bash: what is decided must be right."""
    dice = random.Random(11)
    decided: dict[str, str] = {}
    for _ in range(40_000):
        source = "".join(dice.choices(_PIECES, k=dice.randint(1, 7)))
        data = source.encode()
        try:
            word = read_word(data, 0, len(data), no_substitution)
        except Unreadable:
            continue
        if word.text is not None:
            decided[source] = word.text
    assert len(decided) > 2_000
    script = "".join(f"one {source}\n" for source in decided)
    ran = subprocess.run(
        ["/bin/bash", "-c", f'one() {{ printf \'%s\\0\' "$#" "$@"; }}\n{script}'],
        capture_output=True,
        check=False,
        env={"PATH": "/nonexistent", "LC_ALL": "C.UTF-8"},
    )
    assert ran.stderr == b""
    assert ran.stdout.decode() == "".join(f"1\0{text}\0" for text in decided.values())


def commands(line: str) -> list[list[str | None]]:
    found = split(line)
    assert found.problems == ()
    return [[word.text for word in segment.words] for segment in found.segments]


def test_every_command_is_found() -> None:
    assert commands("a 'b c' && d | e\nf & (g; { h; }) || ! i") == [
        ["a", "b c"], ["d"], ["e"], ["f"], ["g"], ["h"], ["i"],
    ]  # fmt: skip
    assert commands('a "$(b `c`)" <(d) > out 2>&1') == [["c"], ["b", None], ["d"], ["a", None, None]]
    assert commands("if a; then b; elif c; then d; else e; fi; while f; do g; done; for x in $(i); do h $x; done") == [
        ["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"], ["h", None], ["i"],
    ]  # fmt: skip
    assert commands("case a in x|y) b;; *) c;; esac") == [["b"], ["c"]]
    assert commands("a <<EOF | b\n$(c)\nEOF\nd") == [["a"], ["b"], ["c"], ["d"]]
    assert commands("X=1 a; x=$(b)") == [["X=1", "a"], ["b"]]
    assert commands("python - <<'EOF'\n$(x)\nEOF") == [["python", "-"]]


def test_what_a_wrapper_starts_is_a_command_too() -> None:
    assert commands("timeout -k 5 60 nice -n 3 env stdbuf -oL make")[-1] == ["make"]
    assert commands("a | xargs -0 -n1 b c")[-1] == ["b", "c", None]
    assert commands("a | xargs -I{} b x{}y {}")[-1] == ["b", None, None]
    assert commands("find . -exec a {} \\; -execdir b {} +") == [
        ["find", ".", "-exec", "a", "{}", ";", "-execdir", "b", "{}", "+"], ["a", None], ["b", None],
    ]  # fmt: skip
    assert commands("bash -ec 'a; b'") == [["bash", "-ec", "a; b"], ["a"], ["b"]]
    assert commands("eval a 'b;' c") == [["eval", "a", "b;", "c"], ["a", "b"], ["c"]]


@pytest.mark.parametrize(
    "line",
    ["sudo a", "env -S a", "xargs -a f b", "bash x.sh", "sh -c a", "find . -delete", "git -c a.b=c log",
     "source a", "ssh h a",
     "eval $x", "xargs $x", "timeout $x a", "find $x", "git bisect run a", "git grep -Oa b", "printf -v x y",
     "[ -v x ]",
     "nice x=1 a", "busybox sh", "read x", "builtin a", "command -p a", "git log --ext"],
)  # fmt: skip
def test_what_may_run_something_else_is_opaque(line: str) -> None:
    assert any(segment.opaque for segment in split(line).segments)


@pytest.mark.parametrize(
    "line",
    ["$x", "a$x", "f() { a; }", "((x))", "echo $((x))", "[[ -f x ]]", "a ${x:-b}", "select x in a; do b; done",
     "x[1]=2", "a=(b)",
     "PATH=x", "for IFS in a; do b; done", "declare x", "coproc a", "a\rb", "a\0b", "a\u200bb", "a\u00a0b",
     "'", "a `b\\`c`",
     "{a,b} c", "a*", "~/a", "cd x; ./a", "cd x; a > b", "a > $x", "a > /dev/tcp/b/1", "a 2>&1 >&$x",
     "{x}> a b", "a <<E\n\\\nE",
     "a <<E <<F\nE\nF", "a <<E\nEE\nE", "$'\\x41'", '$"a"', "'' a", "if a", "a ;; b",
     "a" * (MAX_CHARACTERS + 1), "\udc80",
     "(" * 200 + "a" + ")" * 200, "echo " + "$(" * 100 + "a" + ")" * 100, "é"],
)  # fmt: skip
def test_what_is_not_certain_is_a_problem(line: str) -> None:
    assert split(line).problems


def test_a_change_to_the_same_folder_is_none() -> None:
    found = split("cd /srv/repo && ./a > b", "/srv/repo")
    assert not found.problems
    assert [segment.needs_rule for segment in found.segments] == [False, True]
