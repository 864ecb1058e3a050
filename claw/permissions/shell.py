"""Splits a command line into every command that bash could run for it.

`shell_tree` takes a line apart, `shell_words` reads its words, `shell_programs` knows which programs start
others. What is not certain makes the line undecidable: `Split.problems` says why.

What quotes do is decided: `git "log"` is the words git and log. Variables, globs, braces and substitutions
in an argument make an unknown word; as the name of a command they are a problem.
"""

from __future__ import annotations

import unicodedata

from msgspec import Struct

from claw.permissions.shell_programs import RESERVED, examine, is_run_by_bash
from claw.permissions.shell_tree import Script
from claw.permissions.shell_words import Word

MAX_CHARACTERS = 16_384
_MAX_NESTED_SCRIPTS = 3


class Segment(Struct, frozen=True):
    """One command, with the `n_assignments` before it as words. `opaque`: why it may do what the line does not show.

    `needs_rule` is False for what has no effect of its own: `echo`, `true`, `timeout` and its like.
    """

    words: tuple[Word, ...]
    source: str
    n_assignments: int = 0
    opaque: str = ""
    needs_rule: bool = True


class Split(Struct, frozen=True):
    """*Shapes*: `writes` are the targets of redirections as written, relative ones to the folder of the run."""

    segments: tuple[Segment, ...] = ()
    writes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def split(line: str, cwd: str = "") -> Split:
    """*Shapes*: `cwd` is the folder of the run; a `cd` to it changes nothing. Never raises for what `line` holds."""
    splitter = _Splitter(cwd)
    splitter.run(line)
    return splitter.result()


class _Splitter:
    def __init__(self, cwd: str) -> None:
        self._cwd = cwd
        self._segments: list[Segment] = []
        self._writes: list[str] = []
        self._problems: list[str] = []
        self._moves = False
        self._n_scripts = 0

    def result(self) -> Split:
        problems = list(self._problems)
        if self._moves:
            problems += [
                f"after a change of folder {name} is somewhere else"
                for name in (*self._writes, *(segment.words[0].text or "" for segment in self._segments))
                if name and not name.startswith("/") and (name in self._writes or "/" in name)
            ]
        return Split(tuple(self._segments), tuple(self._writes), tuple(dict.fromkeys(problems)))

    def run(self, line: str) -> None:
        if problem := _unusual(line):
            self._problems.append(problem)
        if len(line) > MAX_CHARACTERS:
            return
        from tree_sitter import Language, Parser
        from tree_sitter_bash import language

        data = line.encode("utf-8", "replace")
        root = Parser(Language(language())).parse(data).root_node
        Script(self, data, root).run()

    def problem(self, reason: str) -> None:
        self._problems.append(reason)

    def write(self, target: str) -> None:
        self._writes.append(target)

    def command(self, words: tuple[Word, ...], source: str, n_assignments: int, *, builtins: bool = True) -> None:
        """Note a command, and those that it starts in turn."""
        name = words[n_assignments].text
        if not name:
            self.problem("a command whose name only the run decides")
            return
        if builtins and words[n_assignments].source in RESERVED:
            self.problem(f"{name} where a command should be")
            return
        found = examine(words[n_assignments:], builtins=builtins)
        is_noop = found.moves and [word.text for word in words] == ["cd", self._cwd]
        self._moves = self._moves or (found.moves and not is_noop)
        needs_rule = (found.needs_rule and not is_noop) or n_assignments > 0
        self._segments.append(Segment(words, source, n_assignments, found.opaque, needs_rule))
        for inner in found.inner:
            inner_source = " ".join(word.source for word in inner)
            self.command(inner, inner_source, 0, builtins=is_run_by_bash(words[n_assignments:]))
        if found.script:
            self._n_scripts += 1
            if self._n_scripts > _MAX_NESTED_SCRIPTS:
                self.problem("command lines inside command lines")
            else:
                self.run(found.script)


def _unusual(line: str) -> str:
    """Characters that a person does not see, or that two bashes read differently."""
    if len(line) > MAX_CHARACTERS:
        return f"it is longer than {MAX_CHARACTERS} characters"
    for character in line:
        if character in " \t\n":
            continue
        if unicodedata.category(character)[0] in "CZ":
            return f"it holds U+{ord(character):04X}, which is no visible character"
    return ""
