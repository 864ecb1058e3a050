"""Which programs a command line names, for the eye of a person: nothing is allowed because of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

_MAX_NAMED = 20
_MAX_CHARS = 10_000
_OPERATORS = "();<>|&\n`"
# What stands where a program could, and is none: the shell's own grammar, and what it does itself.
_OF_THE_SHELL = frozenset({
    "!", "{", "}", "if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until", "case", "esac",
    "select", "function", "time", "coproc", "[[", "]]", ".", ":", "[", "alias", "bg", "break", "builtin", "cd",
    "command", "continue", "declare", "dirs", "disown", "echo", "eval", "exec", "exit", "export", "false", "fg",
    "getopts", "hash", "help", "history", "jobs", "let", "local", "logout", "mapfile", "popd", "printf", "pushd",
    "pwd", "read", "readarray", "readonly", "return", "set", "shift", "shopt", "source", "test", "times", "trap",
    "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
})  # fmt: skip
_BEFORE_A_PROGRAM = frozenset({
    "!", "{", "if", "then", "elif", "else", "do", "while", "until", "time", "coproc", "builtin", "command", "exec",
    "eval",
})  # fmt: skip
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^]]*\])?\+?=")
_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1([^\n]*\n)(?:.*\n)*?[ \t]*\2[ \t]*(?:\n|\Z)")
_SUBSTITUTED = re.compile(r"(?:\$\(|`|[<>]\()\s*([^\s()`;|&<>]+)")


def programs_of(command: str, cwd: Path) -> tuple[str, ...]:
    """`word: path` for each program, as far as that can be told without parsing the shell."""
    words = list(dict.fromkeys(_program_words(command)))
    return tuple(_resolved(word, cwd) for word in words[:_MAX_NAMED])


def _program_words(command: str) -> Iterator[str]:
    command = _HERE_DOCUMENT.sub(r"\3", command[:_MAX_CHARS])
    lexer = shlex.shlex(command, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    is_program, is_comment, is_file = True, False, False
    try:
        for word in lexer:
            if set(word) <= set(_OPERATORS):
                is_comment = is_comment and "\n" not in word
                is_file = word[-1] in "<>"
                is_program = is_program if is_file else True
            elif is_comment or is_file:
                is_file = False
            elif is_program and word.startswith("#"):
                is_comment = True
            else:
                yield from _SUBSTITUTED.findall(word)
                if is_program and not _ASSIGNMENT.match(word):
                    is_program = word in _BEFORE_A_PROGRAM
                    if word not in _OF_THE_SHELL:
                        yield word
    except ValueError:
        return  # a quotation that does not end: bash will say so


def _resolved(word: str, cwd: Path) -> str:
    if re.search(r"[$`*?\[]", word):
        return f"{word}: known only when it runs"
    found = shutil.which(os.path.join(cwd, word) if "/" in word else word)
    return f"{word}: {Path(found).resolve()}" if found else f"{word}: not found"
