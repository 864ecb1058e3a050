"""The files below a folder, in the order of their paths, without following links."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from claw.tooling.beneath import LIST, open_beneath
from claw.tools._ignore import Rules, is_ignored, is_inside_repository, rules_above, rules_in


def walk(top: int, *, include_ignored: bool, hidden: Collection[str] = ()) -> Iterator[str]:
    """Regular files below the open folder `top`, which is the current one, as paths relative to it.

    `.git`, the paths in `hidden` and what cannot be read is left out.
    """
    folder = os.getcwd()
    above = None if include_ignored else rules_above(folder)
    # A stack of its own: a tree may be deeper than Python's.
    stack = [_open(top, folder, "", above, not include_ignored and is_inside_repository(folder))]
    while stack:
        level = stack[-1]
        entry = next(level.entries, None)
        if entry is None:
            stack.pop()
            continue
        is_folder = entry.is_folder
        if entry.name == ".git" or not (is_folder or entry.is_file):
            continue
        path = os.path.join(level.name, entry.name)
        where = os.path.join(folder, path)
        if path in hidden or (level.rules and is_ignored(where, is_folder, level.rules)):
            continue
        if is_folder:
            stack.append(_open(top, where, path, level.rules, level.is_inside))
        else:
            yield path


class _Entry(NamedTuple):
    name: str
    is_folder: bool
    is_file: bool

    @classmethod
    def of(cls, entry: os.DirEntry[str]) -> _Entry:
        return cls(entry.name, entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False))


class _Level(NamedTuple):
    """A folder on the way. `rules` is None where nothing is ignored."""

    entries: Iterator[_Entry]
    name: str
    rules: Rules | None
    is_inside: bool


def _open(top: int, folder: str, name: str, above: Rules | None, is_inside: bool) -> _Level:
    rules = None
    if above is not None:
        is_inside = is_inside or os.path.lexists(os.path.join(folder, ".git"))
        rules = rules_in(folder, above, is_inside=is_inside)
    try:
        opened = open_beneath(top, name, LIST)
    except (OSError, ValueError):
        return _Level(iter(()), name, rules, is_inside)
    try:
        with os.scandir(opened) as scan:
            # Links are told apart here: a look at them later would take a descriptor that is closed by then.
            entries = sorted((_Entry.of(entry) for entry in scan), key=lambda entry: os.fsencode(entry.name))
    except OSError:
        entries = []
    finally:
        os.close(opened)
    return _Level(iter(entries), name, rules, is_inside)
