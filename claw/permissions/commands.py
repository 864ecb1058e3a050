"""What the rules say of a command line: every command in it judged, and every file that it is redirected to."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from claw.errors import UsageError
from claw.permissions.patterns import BLANKS, CommandPattern, Match, PathPattern
from claw.permissions.rules import Rule, RuleBook, parse_rule
from claw.permissions.shell import Segment, Split, split
from claw.tooling.boundary import Boundary

# Written to by everybody, and nothing comes of it.
_HARMLESS_FILES = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})
# The beginnings of commands of which one seldom comes alone: the rule that is suggested ends in a star.
_OFTEN_REPEATED = (
    ("git", "status"), ("git", "diff"), ("git", "log"), ("git", "show"), ("git", "add"), ("git", "commit"),
    ("pytest",), ("python", "-m", "pytest"), ("ruff", "check"), ("mypy",), ("npm", "test"), ("cargo", "test"),
    ("cargo", "build"), ("cargo", "check"), ("go", "test"), ("go", "build"), ("go", "vet"),
    ("ls",), ("cat",), ("head",), ("tail",), ("wc",), ("grep",),
)  # fmt: skip


class Ruling(Struct, frozen=True):
    """What rules alone make of a command line, whatever the mode.

    `denied` and `asked` are the reasons, empty where there is none; `not_allowed` the parts that no rule allows,
    empty if all are; `suggestion` a rule that would allow it.
    """

    denied: str = ""
    asked: str = ""
    not_allowed: tuple[str, ...] = ()
    suggestion: str = ""


class CommandJudge:
    def __init__(self, book: RuleBook, boundary: Boundary, cwd: Path) -> None:
        self._book = book
        self._boundary = boundary
        self._cwd = cwd

    def judge(self, tool: str, line: str, cwd: Path | None) -> Ruling:
        cwd = cwd or self._cwd
        found = split(line, str(cwd))
        writes = [(cwd / target).resolve() for target in found.writes if target not in _HARMLESS_FILES]
        if reason := self._denied(tool, found, writes):
            return Ruling(denied=reason)
        if reason := self._asked(tool, found, writes):
            return Ruling(asked=reason, not_allowed=tuple(segment.source for segment in found.segments) or (line,))
        return self._allowed(tool, line, found, writes)

    def _rules(self, rules: Sequence[Rule], tool: str) -> list[Rule]:
        return [rule for rule in rules if rule.covers(tool)]

    def _denied(self, tool: str, found: Split, writes: Sequence[Path]) -> str:
        for rule in self._rules(self._book.deny, tool):
            for segment in found.segments:
                if _forbids(rule, segment) is Match.YES:
                    return f"the rule deny {rule.text} forbids `{_short(segment.source)}`"
            if rule.pattern is None:
                return f"the rule deny {rule.text} forbids every command"
        return next(
            (f"the rule deny {rule.text} forbids to write {path}" for path in writes
             for rule in _about_writing(self._book.deny, path, self._boundary)), "",
        )  # fmt: skip

    def _asked(self, tool: str, found: Split, writes: Sequence[Path]) -> str:
        for kind, rules in (("ask", self._book.ask), ("deny", self._book.deny)):
            for rule in self._rules(rules, tool):
                if rule.pattern is None:
                    return f"the rule {kind} {rule.text} is about every command"
                if found.problems:
                    return f"the rule {kind} {rule.text} may be about it: {found.problems[0]}"
                for segment in found.segments:
                    if segment.opaque or _forbids(rule, segment) is not Match.NO:
                        return f"the rule {kind} {rule.text} {'is' if kind == 'ask' else 'may be'} about " \
                               f"`{_short(segment.source)}`"  # fmt: skip
        return next(
            (f"the rule ask {rule.text} is about {path}" for path in writes
             for rule in _about_writing(self._book.ask, path, self._boundary)), "",
        )  # fmt: skip

    def _allowed(self, tool: str, line: str, found: Split, writes: Sequence[Path]) -> Ruling:
        rules = self._rules(self._book.allow, tool)
        if any(_allows_line(rule, line) for rule in rules):
            return Ruling()
        open_segments = [
            segment
            for segment in found.segments
            if (segment.needs_rule or segment.opaque) and not any(_allows(rule, segment) for rule in rules)
        ]
        parts = [
            *(f"{_short(segment.source)} ({segment.opaque})" if segment.opaque else segment.source
              for segment in open_segments),
            *(f"> {path}" for path in writes if not self._may_write(path)),
            *found.problems,
        ]  # fmt: skip
        if not parts and not line.strip(BLANKS):
            parts = ["no command"]
        return Ruling(not_allowed=tuple(parts), suggestion=self._suggestion(tool, line, open_segments, parts))

    def _may_write(self, path: Path) -> bool:
        objection = self._boundary.objects_to_write(path)
        return not (objection and objection.final) and any(
            rule.pattern.matches(path, self._boundary.roots) if isinstance(rule.pattern, PathPattern) else not objection
            for rule in self._book.allow
            if rule.tool == "edit"
        )

    def _suggestion(self, tool: str, line: str, open_segments: Sequence[Segment], parts: Sequence[str]) -> str:
        """The narrowest rule that is of use again: for the one command that is missing, else for the whole line."""
        if len(open_segments) == len(parts) == 1 and (text := _of_segment(open_segments[0])):
            return _checked(text, lambda rule: _allows(rule, open_segments[0]))
        return _checked(f"bash({line.strip(BLANKS)})", lambda rule: _allows_line(rule, line) and not _has_star(rule))


def _of_segment(segment: Segment) -> str:
    texts = [word.text for word in segment.words]
    if not segment.opaque and not segment.n_assignments:
        for start in _OFTEN_REPEATED:
            if tuple(texts[: len(start)]) == start:
                return f"bash({' '.join(start)} *)"
    known = [text for text in texts if text is not None]
    return f"bash({shlex.join(known)})" if len(known) == len(texts) else ""


def _checked(text: str, allows: Callable[[Rule], bool]) -> str:
    """`text` if it is a rule that does it; a command may hold what no rule can say."""
    try:
        return text if text.isprintable() and allows(parse_rule(text)) else ""
    except UsageError:
        return ""


def _has_star(rule: Rule) -> bool:
    return isinstance(rule.pattern, CommandPattern) and bool(rule.pattern.words) and not rule.pattern.is_literal


def _allows_line(rule: Rule, line: str) -> bool:
    return rule.pattern is None or (
        isinstance(rule.pattern, CommandPattern) and rule.pattern.line == line.strip(BLANKS)
    )


def _allows(rule: Rule, segment: Segment) -> bool:
    if rule.pattern is None:
        return True
    return (
        isinstance(rule.pattern, CommandPattern)
        and (rule.pattern.is_literal or not segment.opaque)
        and rule.pattern.matches(segment.words)
    )


def _forbids(rule: Rule, segment: Segment) -> Match:
    if not isinstance(rule.pattern, CommandPattern):
        return Match.NO
    return rule.pattern.forbids(segment.words[segment.n_assignments :])


def _about_writing(rules: Sequence[Rule], path: Path, boundary: Boundary) -> list[Rule]:
    return [
        rule
        for rule in rules
        if rule.tool == "edit"
        and (
            rule.pattern is None
            or (isinstance(rule.pattern, PathPattern) and rule.pattern.forbids(path, boundary.roots))
        )
    ]


def _short(source: str) -> str:
    line = " ".join(source.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
