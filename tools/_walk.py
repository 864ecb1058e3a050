"""The files below a folder, in the order of their paths, without following links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from claw.tools._ignore import Rules, is_ignored, is_inside_repository, rules_above, rules_in


def walk(root: str, *, include_ignored: bool) -> Iterator[str]:
    """Regular files, as paths that begin with `root`. `.git` and what cannot be read is left out."""
    folder = os.path.abspath(root)
    above = None if include_ignored else rules_above(folder)
    # A stack of its own: a tree may be deeper than Python's.
    stack = [_open(folder, root, above, not include_ignored and is_inside_repository(folder))]
    while stack:
        level = stack[-1]
        entry = next(level.entries, None)
        if entry is None:
            stack.pop()
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == ".git" or not (is_folder or entry.is_file(follow_symlinks=False)):
            continue
        if level.rules and is_ignored(entry.path, is_folder, level.rules):
            continue
        path = os.path.join(level.name, entry.name)
        if is_folder:
            stack.append(_open(entry.path, path, level.rules, level.is_inside))
        else:
            yield path


class _Level(NamedTuple):
    """A folder on the way. `rules` is None where nothing is ignored."""

    entries: Iterator[os.DirEntry[str]]
    name: str
    rules: Rules | None
    is_inside: bool


def _open(folder: str, name: str, above: Rules | None, is_inside: bool) -> _Level:
    rules = None
    if above is not None:
        is_inside = is_inside or os.path.lexists(os.path.join(folder, ".git"))
        rules = rules_in(folder, above, is_inside=is_inside)
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        entries = []
    return _Level(iter(entries), name, rules, is_inside)
