"""Permission rules: `tool` or `tool(pattern)`, in lists that allow, ask or deny.

| rule                                              | is about                                            |
|---                                                |---                                                  |
| `bash(git log *)`, `bash(pytest)`                 | commands, also those of `background`                |
| `edit(src/**)`, also for `write` and `patch`      | files that are changed, by redirections too         |
| `read(/usr/include/**)`, also `ls` `glob` `grep` `view_media` | files that are read by claw's own tools |
| `web_fetch(docs.python.org)`, `web_fetch(*.python.org)` | addresses that are fetched                    |
| `git(commit)`                                     | commits by the git tool                             |

`bash(*)` or `bash` is every command, also one that cannot be read; any other rule with `*` allows only what
is understood. A rule for a file tool alone, such as `grep(src/**)`, is possible too. Deny beats ask beats
allow, however long the patterns are. `claw.permissions.patterns` says what patterns match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from claw.config import Rules
from claw.errors import UsageError
from claw.permissions.patterns import CommandPattern, HostPattern, PathPattern

READERS = frozenset({"read", "ls", "glob", "grep", "view_media"})
EDITORS = frozenset({"edit", "write", "patch"})
COMMANDS = frozenset({"bash", "background"})
_GROUPS = {"read": READERS, "edit": EDITORS, "bash": COMMANDS}
_OTHERS = frozenset({"web_fetch", "git", "todo"})
_EXAMPLES = {
    **dict.fromkeys(COMMANDS, "bash(git log *)"),
    **dict.fromkeys(EDITORS, "edit(src/**)"),
    **dict.fromkeys(READERS, "read(/usr/include/**)"),
    "web_fetch": "web_fetch(docs.python.org)",
    "git": "git(commit)",
}
_FORM = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)(?:\((.*)\))?", re.DOTALL)
MAX_RULE_CHARACTERS = 20_000

Pattern = PathPattern | CommandPattern | HostPattern | str


class Rule(Struct, frozen=True, eq=False):
    """`pattern` None: every call of the tool."""

    text: str
    tool: str
    pattern: Pattern | None = None

    def covers(self, tool: str) -> bool:
        return tool == self.tool or tool in _GROUPS.get(self.tool, ())


def parse_rule(text: str, home: Path | None = None) -> Rule:
    """*Shapes*: `home` is what `~` means. *Errors*: UsageError that names the rule, what is wrong, an example."""
    text = text.strip()
    found = _FORM.fullmatch(text)
    if not found or len(text) > MAX_RULE_CHARACTERS:
        raise UsageError(f"rule {text[:200]!r}: a rule is a tool, or tool(pattern), such as {_EXAMPLES['bash']}")
    tool, body = found.groups()
    if tool not in _EXAMPLES and tool not in _OTHERS and "__" not in tool:
        known = ", ".join(sorted({*_EXAMPLES, *_OTHERS}))
        raise UsageError(f"rule {text!r}: there is no tool {tool}; known are {known}, such as {_EXAMPLES['bash']}")
    if body is None:
        return Rule(text, tool)
    try:
        return Rule(text, tool, _pattern(tool, body, (home or Path.home()).resolve()))
    except ValueError as error:
        example = f", such as {_EXAMPLES[tool]}" if tool in _EXAMPLES else f"; write {tool}"
        raise UsageError(f"rule {text!r}: {error}{example}") from None


def _pattern(tool: str, body: str, home: Path) -> Pattern | None:
    if tool in COMMANDS:
        command = CommandPattern(body)
        return None if command.is_everything else command
    if tool in READERS or tool in EDITORS:
        return PathPattern(body, home)
    if tool == "web_fetch":
        return None if body == "*" else HostPattern(body)
    if tool == "git":
        if body != "commit":
            raise ValueError("of the git tool, only commit can be named")
        return body
    raise ValueError(f"{tool} takes no pattern")


class RuleBook:
    """The rules of a session: those of flags and configuration, and what was allowed by answers since.

    *Errors*: UsageError from the constructor and `remember`, as of `parse_rule`.
    """

    def __init__(self, rules: Rules, home: Path | None = None) -> None:
        self._home = home
        self.allow = [parse_rule(text, home) for text in rules.allow]
        self.ask = [parse_rule(text, home) for text in rules.ask]
        self.deny = [parse_rule(text, home) for text in rules.deny]
        for rule in (*self.ask, *self.deny):
            if isinstance(rule.pattern, CommandPattern) and not rule.pattern.words:
                raise UsageError(
                    f"rule {rule.text!r}: what asks or denies names one plain command, such as {_EXAMPLES['bash']}"
                )

    def remember(self, text: str) -> None:
        if not self.has_allowed(text):
            self.allow.append(parse_rule(text, self._home))

    def has_allowed(self, text: str) -> bool:
        """Whether just this rule is among those that allow."""
        return any(rule.text == text for rule in self.allow)

    def hidden(self, roots: Sequence[Path]) -> tuple[Path, ...]:
        """What `deny read(…)` names without a wildcard: for `Boundary.hidden`, which holds for commands too."""
        return tuple(
            path.resolve()
            for rule in self.deny
            if rule.tool == "read" and isinstance(rule.pattern, PathPattern)
            for path in rule.pattern.literal_paths(roots)
        )
