"""The patterns of rules: what `src/**`, `git log *` and `*.python.org` match.

A pattern that allows is read narrowly, one that forbids widely: `matches` is for the one, `forbids` for the
other. All raise ValueError for what is no pattern.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from claw.permissions.shell_words import Unreadable, Word, no_substitution, read_words
from claw.tooling.boundary import PROTECTED_FILES, PROTECTED_FOLDERS, is_env_file, plain_name

BLANKS = " \t\n"  # of bash; `str.strip` knows more, which are characters of a word to bash


class Match(Enum):
    """`MAYBE`: only the run decides."""

    NO = 0
    MAYBE = 1
    YES = 2


class PathPattern:
    """Paths, as in a `.gitignore`: `*`, `?` and `[a-z]` within a name, `**` across folders.

    Relative patterns count from each root of the workspace; without a slash they match a name at any depth
    (`./name` only at the top). What matches a folder matches all below it. `matches` compares exactly, and no
    wildcard stands for a protected name or one that usually holds secrets: `edit(**)` says nothing about
    `.git`, `read(**)` nothing about `.env`. `forbids` ignores case and Unicode forms.
    """

    def __init__(self, text: str, home: Path) -> None:
        if not text or text != text.strip() or any(unicodedata.category(character) == "Cc" for character in text):
            raise ValueError("the path is empty, or begins or ends with a space, or holds control characters")
        if found := re.search(r"[\\{}]", text):
            raise ValueError(f"{found.group()!r} means nothing in a path; write one rule for each alternative")
        if text.startswith("~"):
            if text[1:2] not in ("", "/"):
                raise ValueError("only ~/ is known, not other users' folders")
            text = str(home) + text[1:]
        self.is_absolute = text.startswith("/")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise ValueError("'..' is not resolved in a pattern")
        if not self.is_absolute and "/" not in text.rstrip("/"):
            parts.insert(0, "**")
        while len(parts) > 1 and parts[-1] == "**":
            parts.pop()
        self._parts = parts
        self._exact = [_Component(part) for part in parts]
        self._folded = [_Component(_fold(part)) for part in parts]

    def matches(self, path: Path, roots: Sequence[Path]) -> bool:
        """*Shapes*: `path` is canonical."""
        return any(_match(self._exact, parts, narrow=True) for parts in self._views(path, roots))

    def forbids(self, path: Path, roots: Sequence[Path]) -> bool:
        return any(
            _match(self._folded, [_fold(part) for part in parts], narrow=False) for parts in self._views(path, roots)
        )

    def literal_paths(self, roots: Sequence[Path]) -> list[Path]:
        """The paths that it means, if there is no wildcard in it."""
        if any(character in part for part in self._parts for character in "*?["):
            return []
        return [Path("/", *self._parts)] if self.is_absolute else [Path(root, *self._parts) for root in roots]

    def _views(self, path: Path, roots: Sequence[Path]) -> list[tuple[str, ...]]:
        if self.is_absolute:
            return [path.parts[1:]]
        return [path.relative_to(root).parts for root in roots if path.is_relative_to(root)]


class _Component:
    def __init__(self, pattern: str) -> None:
        self.is_any_depth = pattern == "**"
        self._starts_with_dot = pattern.startswith(".")
        self._regex = re.compile(fnmatch.translate(pattern))
        self._literal = pattern

    def matches(self, name: str, *, narrow: bool) -> bool:
        if narrow and _is_special(name) and not self._starts_with_dot and name != self._literal:
            return False
        return bool(self._regex.match(name))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _is_special(name: str) -> bool:
    plain = plain_name(name)
    return plain in PROTECTED_FOLDERS or plain in PROTECTED_FILES or is_env_file(name)


def _match(components: Sequence[_Component], parts: Sequence[str], *, narrow: bool) -> bool:
    """Whether the components match the parts or a beginning of them. *Cost*: their product."""

    def closed(states: set[int]) -> set[int]:
        for state in sorted(states):
            while state < len(components) and components[state].is_any_depth:
                state += 1
                states.add(state)
        return states

    states = closed({0})
    for at in range(len(parts) + 1):
        if len(components) in states and not (narrow and any(map(_is_special, parts[at:]))):
            return True
        if at == len(parts):
            break
        following = set()
        for state in states - {len(components)}:
            if components[state].is_any_depth:
                if not (narrow and _is_special(parts[at])):
                    following.add(state)
            elif components[state].matches(parts[at], narrow=narrow):
                following.add(state + 1)
        states = closed(following)
    return False


class CommandPattern:
    """One command by its words; quotes are taken off as bash does it.

    `*` stands for whole words: at the end for any number of them, also none; elsewhere for exactly one. Where
    it forbids, `*` is any number everywhere, and the program is compared without folder and case.
    A pattern that is no single plain command allows exactly that line, letter for letter.
    """

    def __init__(self, text: str) -> None:
        self.line = text.strip(BLANKS)
        if not self.line:
            raise ValueError("the command is empty")
        self.words: tuple[Word, ...] = ()
        try:
            words = read_words(self.line.encode("utf-8", "replace"), 0, len(self.line.encode("utf-8", "replace")),
                               no_substitution)  # fmt: skip
        except Unreadable:
            return
        if any("*" in word.source and word.text is None and word.source != "*" for word in words):
            raise ValueError("'*' stands for whole words only")
        if words[0].source == "*" and len(words) > 1:
            raise ValueError("the name of the program comes first")
        if all(word.text is not None or word.source == "*" for word in words):
            self.words = words

    @property
    def is_everything(self) -> bool:
        return len(self.words) == 1 and _is_star(self.words[0])

    @property
    def is_literal(self) -> bool:
        """Names every word: then it allows what is done with options that run other programs, too."""
        return bool(self.words) and not any(map(_is_star, self.words))

    def matches(self, words: Sequence[Word]) -> bool:
        """*Shapes*: `words` with the assignments before the command."""
        pattern = self.words
        is_open = bool(pattern) and _is_star(pattern[-1])
        fixed = pattern[:-1] if is_open else pattern
        if not pattern or len(words) < len(fixed) or (len(words) > len(fixed) and not is_open):
            return False
        return all(
            word.is_one if _is_star(wanted) else word.text is not None and word.text == wanted.text
            for wanted, word in zip(fixed, words, strict=False)
        )

    def forbids(self, words: Sequence[Word]) -> Match:
        """*Shapes*: `words` from the program on."""
        if self._fits(words, possible=False):
            return Match.YES
        return Match.MAYBE if self._fits(words, possible=True) else Match.NO

    def _fits(self, words: Sequence[Word], *, possible: bool) -> bool:
        pattern = self.words
        states = self._behind_stars({0})
        for at, word in enumerate(words):
            following: set[int] = set()
            if possible and word.text is None and not word.is_one:
                following = set(range(min(states, default=len(pattern) + 1), len(pattern) + 1))
            for state in states - {len(pattern)}:
                if _is_star(pattern[state]):
                    following.add(state)
                elif (possible and word.text is None) or _is_same(pattern[state], word, is_program=at == 0):
                    following.add(state + 1)
            states = self._behind_stars(following)
        return bool(pattern) and len(pattern) in states

    def _behind_stars(self, states: set[int]) -> set[int]:
        for state in sorted(states):
            while state < len(self.words) and _is_star(self.words[state]):
                state += 1
                states.add(state)
        return states


def _is_star(word: Word) -> bool:
    return word.source == "*"


def _is_same(wanted: Word, word: Word, *, is_program: bool) -> bool:
    if word.text is None or wanted.text is None:
        return False
    if is_program:
        return word.text.rpartition("/")[2].casefold() == wanted.text.rpartition("/")[2].casefold()
    return word.text == wanted.text


class HostPattern:
    """`pypi.org`, `*.pypi.org` (below it, not itself), `pypi.org:8443`. Without a port: 80 and 443."""

    def __init__(self, text: str) -> None:
        found = re.fullmatch(r"(\*\.)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@*\[\]]+)(?::(\d{1,5}))?", text)
        if not found:
            raise ValueError("it is no host")
        self._below = bool(found.group(1))
        self._host = plain_host(found.group(2).strip("[]"))
        self._port = int(found.group(3)) if found.group(3) else None
        if not self._host:
            raise ValueError("it is no host")

    def matches(self, host: str, port: int) -> bool:
        """*Shapes*: `host` as `plain_host` gives it."""
        if port != self._port if self._port is not None else port not in (80, 443):
            return False
        return self._is_host(host)

    def forbids(self, host: str, port: int) -> bool:
        return self._is_host(host) and self._port in (None, port)

    def _is_host(self, host: str) -> bool:
        return host.endswith(f".{self._host}") if self._below else host == self._host


def plain_host(name: str) -> str:
    """One spelling of a host's name: small letters, IDNA, no dot at the end; empty if it is none."""
    name = name.rstrip(".").casefold()
    try:
        return name if ":" in name else name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def host_of(url: str) -> tuple[str, int] | None:
    """Host and port; None where the address has no plain host: then nothing allows it."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "\\" in url or parts.username is not None:
            return None
        host = plain_host(parts.hostname)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    return (host, port) if host else None
