"""`.gitignore` rules, for trees that are walked without ripgrep.

*Source*: gitignore(5). Read are `.gitignore` files from the top of the repository down, and
`.git/info/exclude`; rules outside the repository are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from claw.errors import ToolError
from claw.tools._globs import GlobMatcher


class Rule(NamedTuple):
    matcher: GlobMatcher
    is_negated: bool
    folders_only: bool


class RuleFile(NamedTuple):
    """The rules of one file; paths are matched relative to `folder`, which ends with a slash."""

    folder: str
    rules: tuple[Rule, ...]


# Deepest last: a deeper file overrules those above it, and in a file the last rule that matches decides.
Rules = tuple[RuleFile, ...]


def is_ignored(path: str, is_folder: bool, rules: Rules) -> bool:
    for rule_file in reversed(rules):
        relative = path[len(rule_file.folder) :]
        for rule in reversed(rule_file.rules):
            if (is_folder or not rule.folders_only) and rule.matcher.matches(relative):
                return not rule.is_negated
    return False


def rules_above(folder: str) -> Rules:
    """What holds in `folder` by the repository around it, without its own `.gitignore`; nothing outside one."""
    chain = [folder]
    while not _is_repository(chain[-1]):
        parent = os.path.dirname(chain[-1])
        if parent == chain[-1]:
            return ()
        chain.append(parent)
    rules: Rules = ()
    for parent in reversed(chain[1:]):
        rules = rules_in(parent, rules, is_inside=True)
    return rules


def rules_in(folder: str, above: Rules, *, is_inside: bool) -> Rules:
    """`above` and what `folder` itself adds; a repository of its own starts anew.

    `is_inside` tells whether `folder` lies in a repository.
    """
    found: list[RuleFile] = []
    if _is_repository(folder):
        above, is_inside = (), True
        found.append(_read(folder, os.path.join(folder, ".git", "info", "exclude")))
    if is_inside:
        found.append(_read(folder, os.path.join(folder, ".gitignore")))
    return (*above, *(rule_file for rule_file in found if rule_file.rules))


def is_inside_repository(folder: str) -> bool:
    while not _is_repository(folder):
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
    return True


def _is_repository(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, ".git"))


def _read(folder: str, path: str) -> RuleFile:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            rules = tuple(parse(file))
    except OSError:
        rules = ()
    return RuleFile(folder.rstrip("/") + "/", rules)


def parse(lines: Iterable[str]) -> Iterator[Rule]:
    for line in lines:
        pattern = _without_trailing_spaces(line.rstrip("\r\n"))
        if not pattern or pattern.startswith("#"):
            continue
        is_negated = pattern.startswith("!")
        pattern = pattern[is_negated:]
        folders_only = pattern.endswith("/")
        pattern = pattern.rstrip("/") if folders_only else pattern
        if "/" in pattern:
            pattern = "./" + pattern.removeprefix("/")
        elif pattern.startswith("!"):
            pattern = "\\" + pattern
        try:
            yield Rule(GlobMatcher(pattern, braces=False), is_negated, folders_only)
        except ToolError:
            continue  # git, too, passes over what is no pattern


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    return stripped + " " if stripped.endswith("\\") and stripped != line else stripped
