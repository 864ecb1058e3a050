"""Words of a command line, as bash makes them: quotes and escapes taken off, or not known before it runs.

Strict where bash is generous: what is not certain to mean the same to every bash is `Unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Unreadable(ValueError):
    """Why a piece of a command line cannot be decided; becomes a reason to ask."""


class Word(NamedTuple):
    """One word of the source. `text` is None where only the run decides; then `is_one` says that it
    becomes one argument whatever happens, not none and not several.
    """

    source: str
    text: str | None
    is_one: bool = True


# Given the offset of a `$(`, a backtick, `<(` or `>(`: the offset behind the substitution.
Skip = Callable[[int], int]

ENDS_WORD = b" \t\n;|&()<>"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=:,./@%^]#")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_BRACED_NAME = re.compile(rb"\{[A-Za-z_][A-Za-z0-9_]*\}")
_ONE_CHARACTER_VARIABLES = b"0123456789@*#?$!-"
_ANSI_C = {b"n": b"\n", b"t": b"\t", b"\\": b"\\", b"'": b"'", b'"': b'"'}
# Words of a test that would mean something else as part of a word.
_BARE_OPERATORS = re.compile(rb"(?:\[|!|!=)(?![^ \t])")
_BLANKS = re.compile(rb"(?:[ \t]|[ \t]\\\n)+")


def read_word(data: bytes, start: int, end: int, skip: Skip) -> Word:
    """The word that is `data[start:end]`. *Errors*: Unreadable."""
    reader = _Reader(data, start, end, skip)
    reader.read()
    source = data[start:end].decode()
    return Word(source, reader.literal.decode() if reader.is_known else None, reader.is_one)


def read_words(data: bytes, start: int, end: int, skip: Skip) -> tuple[Word, ...]:
    """The words between blanks. *Errors*: Unreadable, also for anything but words: an operator, a newline."""
    words, at = [], start
    while at < end:
        if blanks := _BLANKS.match(data, at, end):
            at = blanks.end()
            continue
        reader = _Reader(data, at, end, skip)
        reader.read(stop_at_blank=True)
        words.append(
            Word(data[at : reader.at].decode(), reader.literal.decode() if reader.is_known else None, reader.is_one)
        )
        at = reader.at
    return tuple(words)


def no_substitution(at: int) -> int:
    raise Unreadable("a substitution stands where none is allowed")


def check_heredoc(data: bytes, start: int, end: int, skip: Skip) -> None:
    """Go over a body in which bash substitutes. *Errors*: Unreadable."""
    reader = _Reader(data, start, end, skip)
    while reader.at < end:
        character = data[reader.at : reader.at + 1]
        if character == b"\\":
            if data[reader.at + 1 : reader.at + 2] == b"\n":
                raise Unreadable("a here-document with a backslash at the end of a line")
            reader.at += 2
        elif character == b"$":
            reader.dollar(quoted=True)
        elif character == b"`":
            reader.at = skip(reader.at)
        else:
            reader.at += 1


class _Reader:
    def __init__(self, data: bytes, start: int, end: int, skip: Skip) -> None:
        self.data, self.start, self.at, self.end, self.skip = data, start, start, end, skip
        self.literal = bytearray()
        self.is_known = self.is_one = True

    def read(self, *, stop_at_blank: bool = False) -> None:
        while self.at < self.end:
            character = self.data[self.at : self.at + 1]
            if stop_at_blank and character in b" \t":
                break
            match character:
                case b"'":
                    self._single_quotes()
                case b'"':
                    self._double_quotes()
                case b"\\":
                    self._escape()
                case b"$" if self._next() == b"'":
                    self._ansi_c_quotes()
                case b"$":
                    self.dollar(quoted=False)
                case b"`":
                    self._unknown(self.skip(self.at), is_one=False)
                case b"<" | b">" if self._next() == b"(":
                    self._unknown(self.skip(self.at))
                case _:
                    self._bare(character)

    def _next(self) -> bytes:
        return self.data[self.at + 1 : min(self.at + 2, self.end)]

    def _unknown(self, at: int, *, is_one: bool = True) -> None:
        self.is_known, self.at = False, at
        self.is_one = self.is_one and is_one

    def _bare(self, character: bytes) -> None:
        at_start = self.at == self.start
        rest = self.data[self.start : self.end]
        if at_start and _BARE_OPERATORS.match(rest):
            self.literal += character
            self.at += 1
        elif character in (b"{", b"}") and b"," not in rest and b".." not in rest:
            self.literal += character  # no brace expansion without one of these
            self.at += 1
        elif character in (b"*", b"?", b"[", b"{", b"}"):
            self._unknown(self.at + 1, is_one=False)
        elif character == b"~":
            if at_start or self.data[self.at - 1] in b"=:":
                self._unknown(self.at + 1)
            else:
                self.literal += character
                self.at += 1
        elif character[0] in _PLAIN and not (character == b"#" and at_start):
            self.literal += character
            self.at += 1
        else:
            raise Unreadable(f"{character.decode('latin-1')!r} outside quotes")

    def _escape(self) -> None:
        escaped = self._next()
        if not escaped or not 0x20 <= escaped[0] < 0x7F:
            raise Unreadable("a backslash before a line's end or an unusual character")
        self.literal += escaped
        self.at += 2

    def _single_quotes(self) -> None:
        closing = self.data.find(b"'", self.at + 1, self.end)
        if closing < 0:
            raise Unreadable("a quote that is not closed")
        self.literal += self.data[self.at + 1 : closing]
        self.at = closing + 1

    def _ansi_c_quotes(self) -> None:
        self.at += 2
        while self.at < self.end and self.data[self.at : self.at + 1] != b"'":
            if self.data[self.at : self.at + 1] == b"\\":
                if (decoded := _ANSI_C.get(self._next())) is None:
                    raise Unreadable("$'…' with an unusual escape")
                self.literal += decoded
                self.at += 2
            else:
                self.literal += self.data[self.at : self.at + 1]
                self.at += 1
        if self.at >= self.end:
            raise Unreadable("a quote that is not closed")
        self.at += 1

    def _double_quotes(self) -> None:
        self.at += 1
        while self.at < self.end:
            match self.data[self.at : self.at + 1]:
                case b'"':
                    self.at += 1
                    return
                case b"\\" if self._next() == b"\n":
                    raise Unreadable("a backslash at the end of a line, in quotes")
                case b"\\" if self._next() in (b"$", b"`", b'"', b"\\"):
                    self.literal += self._next()
                    self.at += 2
                case b"$":
                    self.dollar(quoted=True)
                case b"`":
                    self._unknown(self.skip(self.at))
                case character:
                    self.literal += character
                    self.at += 1
        raise Unreadable("a quote that is not closed")

    def dollar(self, *, quoted: bool) -> None:
        """What `$` begins, in quotes or outside of them; `$'` outside is not for here."""
        following = self._next()
        if following == b"(":
            if self.data[self.at + 2 : self.at + 3] == b"(":
                raise Unreadable("arithmetic, which can run commands through what a variable holds")
            self._unknown(self.skip(self.at), is_one=quoted)
        elif found := _NAME.match(self.data, self.at + 1, self.end) or _BRACED_NAME.match(
            self.data, self.at + 1, self.end
        ):
            self._unknown(found.end(), is_one=quoted)
        elif following and following in _ONE_CHARACTER_VARIABLES:
            self._unknown(self.at + 2, is_one=quoted and following not in b"@*")
        elif following == b"{":
            raise Unreadable("${…} with more than a name")
        elif quoted and (not following or following in b" \"'.,:;/%)|^\\\n"):
            self.literal += b"$"
            self.at += 1
        else:
            raise Unreadable("a $ that begins nothing known")
