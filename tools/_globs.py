"""File patterns: `*` and `?` within a name, `**` across folders, `[a-z]`, `{a,b}`.

Matching takes time in proportion to pattern and path: no pattern makes it explode.
"""

from __future__ import annotations

import re
from itertools import pairwise

from claw.errors import ToolError

_MAX_ALTERNATIVES = 200
_ANY_DEPTH = None

Component = re.Pattern[str] | None


class GlobMatcher:
    """Matches paths relative to some folder, with `/` between their parts.

    A pattern without a slash matches the name at any depth, as in a `.gitignore`; `./*.py` only at the
    top. With a `!` in front it matches what the rest does not.
    *Errors*: ToolError for a pattern that is empty, unbalanced or too large.
    """

    def __init__(self, pattern: str, *, braces: bool = True) -> None:
        self._is_negated = pattern.startswith("!")
        body = pattern[1:] if self._is_negated else pattern
        if not body.strip("./"):
            raise ToolError(
                f"{pattern!r} is no file pattern. Examples: **/*.py, src/**/test_*.ts, *.{{md,txt}}", "bad pattern"
            )
        self._alternatives = [_components(alternative) for alternative in (expand_braces(body) if braces else [body])]

    def matches(self, path: str) -> bool:
        parts = path.split("/")
        return any(_match(components, parts) for components in self._alternatives) != self._is_negated


def expand_braces(pattern: str) -> list[str]:
    """`a{b,c{d,e}}` → `ab`, `acd`, `ace`. *Errors*: ToolError for unbalanced braces or too many results."""
    start = pattern.find("{")
    if start < 0:
        if "}" in pattern:
            raise ToolError(f"{pattern!r} has a }} without its {{.", "bad pattern")
        return [pattern]
    depth, cuts, end = 0, [start], -1
    for at in range(start, len(pattern)):
        if pattern[at] == "{":
            depth += 1
        elif pattern[at] == "}":
            depth -= 1
            if depth == 0:
                end = at
                break
        elif pattern[at] == "," and depth == 1:
            cuts.append(at)
    if end < 0:
        raise ToolError(f"{pattern!r} has a {{ without its }}.", "bad pattern")
    cuts.append(end)
    options = [pattern[left + 1 : right] for left, right in pairwise(cuts)]
    found: list[str] = []
    for option in options:
        found += expand_braces(pattern[:start] + option + pattern[end + 1 :])
        if len(found) > _MAX_ALTERNATIVES:
            raise ToolError(f"the pattern has more than {_MAX_ALTERNATIVES} alternatives.", "bad pattern")
    return found


def literal_folder(pattern: str) -> tuple[str, str]:
    """The leading folders of a pattern without wildcards, and the rest: `src/a/*.py` → `src/a`, `./*.py`."""
    *folders, name = pattern.split("/")
    n_literal = 0
    while n_literal < len(folders) and not re.search(r"[*?\[\]{}\\!]", folders[n_literal]):
        n_literal += 1
    if n_literal == 0:
        return "", pattern
    head, rest = "/".join(folders[:n_literal]), "/".join([*folders[n_literal:], name])
    return head or "/", f"./{rest}"


def _components(pattern: str) -> list[Component]:
    pattern += "**" if pattern.endswith("/") else ""
    names = [name for name in pattern.removeprefix("/").split("/") if name != "."]
    components: list[Component] = [_ANY_DEPTH] if "/" not in pattern else []
    for name in names:
        if name != "**":
            components.append(component_regex(name))
        elif not components or components[-1] is not _ANY_DEPTH:
            components.append(_ANY_DEPTH)
    # `src/**` is what lies in src, not src itself.
    return [*components, component_regex("*")] if components[-1] is _ANY_DEPTH else components


def component_regex(pattern: str) -> re.Pattern[str]:
    """One name's pattern. Between two stars the first match is the only one tried, so nothing backtracks."""
    head, *pieces = _pieces(pattern)
    if not pieces:
        return re.compile(head, re.DOTALL)
    *middle, tail = pieces
    return re.compile(head + "".join(f"(?>.*?{piece})" for piece in middle if piece) + ".*" + tail, re.DOTALL)


def _pieces(pattern: str) -> list[str]:
    """Regular expressions of what stands between the stars."""
    pieces, at = [""], 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            pieces.append("")
        elif char == "?":
            pieces[-1] += "."
        elif char == "[" and (end := pattern.find("]", at + 1 + (pattern[at : at + 1] in "!^"))) > 0:
            pieces[-1] += _character_class(pattern[at:end])
            at = end + 1
        elif char == "\\" and at < len(pattern):
            pieces[-1] += re.escape(pattern[at])
            at += 1
        else:
            pieces[-1] += re.escape(char)
    return pieces


def _character_class(inside: str) -> str:
    negated = inside[:1] in ("!", "^")
    body = inside[1:] if negated else inside
    ranges: list[str] = []
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            low, high = body[at], body[at + 2]
            if low <= high:  # a range the wrong way round holds nothing
                ranges.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            ranges.append(re.escape(body[at]))
            at += 1
    if not ranges:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{''.join(ranges)}]"


def _match(components: list[Component], parts: list[str]) -> bool:
    """Greedy, with a way back to the last `**` only: an earlier one can always give up what it took."""
    at, part, back_to, back_part = 0, 0, -1, 0
    while part < len(parts):
        component = components[at] if at < len(components) else None
        if at < len(components) and component is _ANY_DEPTH:
            back_to, back_part = at, part
            at += 1
        elif component is not None and component.fullmatch(parts[part]):
            at, part = at + 1, part + 1
        elif back_to >= 0:
            back_part += 1
            at, part = back_to + 1, back_part
        else:
            return False
    return all(component is _ANY_DEPTH for component in components[at:])
