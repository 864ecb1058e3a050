"""Command lines that hide a second command behind one that is allowed (S12)."""

from __future__ import annotations

import pytest

from tests.security.attack import Attack, Run, Step, assert_harmful, assert_held, bash, run_protected, run_unprotected
from tests.security.users import User
from tests.security.walls import Walls
from tests.security.world import World

# `@ran@` becomes a file that shows that the hidden command has run.
_EVASIONS = {
    "and": "ls && touch @ran@",
    "or": "ls /nonexistent || touch @ran@",
    "semicolon": "ls;touch @ran@",
    "pipe": "ls|tee @ran@",
    "pipe with stderr": "ls |& tee @ran@",
    "background": "ls & touch @ran@",
    "redirection": "ls > @ran@",
    "redirection without a blank": "ls>@ran@",
    "redirection that appends": "ls >>@ran@",
    "redirection that clobbers": "ls >| @ran@",
    "redirection of both": "ls &> @ran@",
    "redirection to read and write": "ls <> @ran@",
    "redirection in front": "> @ran@ ls",
    "substitution": "ls $(touch @ran@)",
    "substitution in quotes": 'ls "$(touch @ran@)"',
    "substitution in an assignment": "x=$(touch @ran@) ls",
    "substitution in arithmetic": "ls $((`touch @ran@; echo 1`))",
    "substitution in a subscript": "ls ${x[$(touch @ran@)]}",
    "substitution in a default": "ls ${x:-$(touch @ran@)}",
    "substitution in a here-document": "ls <<END\n$(touch @ran@)\nEND",
    "substitution in a here-string": "ls <<< $(touch @ran@)",
    "backticks": "ls `touch @ran@`",
    "process substitution": "ls <(touch @ran@)",
    "process substitution for writing": "ls > >(tee @ran@)",
    "newline": "ls\ntouch @ran@",
    "carriage return and newline": "ls\r\ntouch @ran@",
    "comment and newline": "ls #\ntouch @ran@",
    "quoted comment": "ls '#'; touch @ran@",
    "continued line": "ls \\\n; touch @ran@",
    "continued word": "ls;to\\\nuch @ran@",
    "here-document that ends early": "ls <<'END'\nEND\ntouch @ran@",
    "here-document with tabs": "ls <<-END\n\tEND\ntouch @ran@",
    "subshell": "(ls; touch @ran@)",
    "group": "{ ls; touch @ran@; }",
    "condition": "if ls; then touch @ran@; fi",
    "loop": "for x in 1; do touch @ran@; done",
    "case": "case ls in *) touch @ran@;; esac",
    "function of the same name": "ls() { touch @ran@; }; ls",
    "negation": "! ls && touch @ran@ || touch @ran@",
    "coprocess": "coproc touch @ran@; ls; wait",
    "trap": "trap 'touch @ran@' EXIT; ls",
    "eval": "eval 'touch @ran@'",
    "exec": "exec touch @ran@",
    "wrapper": "env touch @ran@",
    "wrapper with options": "timeout -k 5 5 nice -n 1 touch @ran@",
    "arguments from a pipe": "echo @ran@ | xargs touch",
    "find": "find . -maxdepth 0 -exec touch @ran@ \\;",
    "shell in a shell": "bash -c 'touch @ran@'",
    "program in the argument of another": "awk 'BEGIN { system(\"touch @ran@\") }'",
    "quotes within the name": "to''uch @ran@",
    "escape within the name": "t\\ouch @ran@",
    "name in ANSI quotes": "$'\\x74ouch' @ran@",
    "name in a variable": "x=touch; $x @ran@",
    "name by glob": "/*/tou[c]h @ran@",
    "name in braces": "{touch,@ran@}",
    "another ls": "PATH=$PWD/evil:$PATH ls @ran@",
    "another ls in this folder": "./evil/ls @ran@",
    "the loader": "LD_PRELOAD=./nothing.so touch @ran@",
    "prompt": "x='$(touch @ran@)'; ls ${x@P}",
    "arithmetic in a test": "x='a[$(touch @ran@)]'; [[ $x -eq 0 ]]; ls",
    "not a blank": "ls;\u00a0touch @ran@ 2>/dev/null; touch @ran@",
    "hidden in a long line": "ls " + "a" * 20_000 + "; touch @ran@",
}


def _attack(name: str, line: str) -> Attack:
    ran = "ran-" + name.replace(" ", "-")

    def harm(step: Step) -> bool:
        return step.path(f"@workspace@/{ran}") in step.outcome.changed_inside

    return Attack("S12", name, bash(line.replace("@ran@", ran)), harm)


ATTACKS = [_attack(name, line) for name, line in _EVASIONS.items()]
_RULES = ("--mode", "ask", *(word for name in ("ls", "echo", "cat") for word in ("--allow", f"bash({name} *)")))


def prepare(world: World) -> None:
    world.plant("app/evil/ls", '#!/bin/sh\ntouch "$1"\n', 0o755)


@pytest.fixture(scope="module")
def confined(walls: Walls) -> Run:
    return run_protected(walls, ATTACKS, prepare, *_RULES)


@pytest.fixture(scope="module")
def unprotected(anyone: User) -> Run:
    return run_unprotected(anyone, ATTACKS, prepare)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_held(confined: Run, walls: Walls, attack: Attack) -> None:
    assert_held(confined, attack, walls)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_harmful_without_protection(unprotected: Run, attack: Attack) -> None:
    assert_harmful(unprotected, attack)


def test_session_goes_on(confined: Run, walls: Walls) -> None:
    confined.assert_went_on()
    confined.assert_contained()
    assert confined.outcome.code == 4
    assert set(confined.outcome.changed_inside) == set()
