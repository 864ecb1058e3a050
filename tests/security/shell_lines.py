"""Command lines made up by a grammar, and then damaged."""

from __future__ import annotations

import random

_PLAIN = (
    "status",
    "log",
    "a",
    "b",
    "x",
    "-a",
    "b=c",
    "HEAD^",
    "HEAD~1",
    "a.b",
    "--",
    "-m",
    "--oneline",
    "\\;",
    "a\\ b",
)
_QUOTED = (
    "'a b'",
    '"a;b"',
    "'$(evil)'",
    "$'a\\tb'",
    "$'\\''",
    '"a\\"b"',
    '"\\$(evil)"',
    "a'b'c",
    '""',
    "'#'",
    "'\n'",
    '"a|b"',
)
_UNKNOWN = ("$x", '"$x"', "${x}", "*", "a*", "{a,b}", "~", "$?", '"$@"', "[ab]", "a$x", "HEAD@{1}", "é", '"é"')
_RARE = (
    "${x:-evil}",
    "$((1+1))",
    "${x//a/b}",
    '$"a"',
    "$[1]",
    "#a",
    "a#b",
    "!a",
    "$'\\x61'",
    "@(a|b)",
    "=(a)",
    "a\\\nb",
)
_PROGRAMS = (
    "git", "git", "git", "git log", "ls", "git status", "echo", "echo", "true", '"git"', "g\\it", "g'i't",
    "$'git'", "evil",
    "echo", "true", ":", "timeout 5 git", "nice git", "command git", "env git", "time git", "exec git", "bash -c git",
    "bash -c 'ls; git'", "eval git", "xargs git status", "nohup git", "find . -exec git {} \\;", "timeout 5 evil",
    "env evil", "bash -c 'git; evil'", "eval 'ls;evil'", "$x", "{git,evil}", "x=1 git", "x=evil",
    "command evil", "cat",
    "xargs evil", "find . -exec evil {} +", "builtin eval evil", "coproc git", "git -c a.b=c", "time -p ls", "! git",
    "test -f", "[ -f x ]", "[ x = x ]", "printf a", "printf -v x", "cd .", "set -e", "set --", "exec", "read",
    "env -S git",
)  # fmt: skip
_DAMAGE = " '\"`$(){}<>|&;\\\n#!*?[]~=\t\r\v\xa0\u2028"


class Lines:
    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def next(self) -> str:
        line = self._list(self._dice.choice((1, 2, 2, 3)))
        if self._dice.random() < 0.5:
            for _ in range(self._dice.randint(1, 3)):
                line = self._damaged(line)
        return line

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share

    def _list(self, depth: int) -> str:
        parts = [self._statement(depth)]
        while self._chance(0.4):
            parts += [
                self._dice.choice((";", " && ", " || ", " | ", " & ", "\n", "; ", " |& ", "|", "&&")),
                self._statement(depth),
            ]
        return "".join(parts)

    def _statement(self, depth: int) -> str:
        if depth <= 0 or self._chance(0.6):
            return self._command(depth)
        inner, other = self._list(depth - 1), self._list(depth - 1)
        return self._dice.choice((
            f"( {inner} )", f"{{ {inner}; }}", f"({inner})", f"if {inner}; then {other}; fi",
            f"if {inner}\nthen {other}\nelse {inner}\nfi", f"for x in a b {self._word(depth)}; do {inner}; done",
            f"while false; do {inner}; done", f"until {inner}; do break; done",
            f"case a in a) {inner};; *) {other};; esac",
            f"case {self._word(depth)} in\n a|b) {inner} ;;\nesac",
            f"cat <<EOF\n{self._word(depth)} {inner}\nEOF\n{other}",
            f"git <<'EOF'\n{inner}\nEOF\n{other}", f"git <<-EOF | {other}\n\ta $x $({inner})\n\tEOF\n",
            f"{inner} # {other}",
            f"f() {{ {inner}; }}; {other}", f"[[ -f x ]] && {inner}", f"! {inner}",
            f"git << \"EOF\" && {other}\n`{inner}`\nEOF",
            f"git <<< {self._word(depth)}", f"time {{ {inner}; }}", f"{inner} > >({other})",
            f"alias git=evil\n{inner}",
            f"git $({inner} # ) {other}\n)", f"git \"$(\n{inner}\n)\"", f"select x in a; do {inner}; done",
            f"git \\\n  {inner}",
        ))  # fmt: skip

    def _command(self, depth: int) -> str:
        words = [self._dice.choice(_PROGRAMS if self._chance(0.55) else _PROGRAMS[:9])]
        while self._chance(0.45):
            words.append(self._word(depth))
        if self._chance(0.12):
            words.append(self._dice.choice(
                ("> out", ">out", "2> out", "2>&1", "< present", ">> out", "&> out", ">| out", "> $x",
                "3<> out", "<&0",
                 "2>&-", ">&2", ">&out", "> other", "2>a b", "<<<a", "{x}>out", "> 'o'ut")))  # fmt: skip
        return " ".join(words)

    def _word(self, depth: int) -> str:
        pick = self._dice.random()
        if pick < 0.4 or depth <= 0:
            return self._dice.choice(_PLAIN)
        if pick < 0.52:
            return self._dice.choice(_QUOTED)
        if pick < 0.6:
            return self._dice.choice(_UNKNOWN)
        if pick < 0.63:
            return self._dice.choice(_RARE)
        inner = self._list(depth - 1)
        return self._dice.choice((
            f"$({inner})", f'"$({inner})"', f"`{inner}`", f"<({inner})", f'"`{inner}`"', f"a$({inner})b",
            f">({inner})",
            f"${{x:-$({inner})}}", f"$(({inner}))", f"$[{inner}]", f"'$({inner})'", f"\\$({inner})",
        ))  # fmt: skip

    def _damaged(self, line: str) -> str:
        at, character = self._dice.randint(0, len(line)), self._dice.choice(_DAMAGE)
        match self._dice.randrange(5):
            case 0 | 1:
                return line[:at] + character + line[at:]
            case 2:
                return line[:at] + line[at + 1 :]
            case 3:
                return line[:at] + character + line[at + 1 :]
            case _:
                end = at + self._dice.randint(1, 8)
                return line[:end] + line[at:end] + line[end:]
