"""From the bytes that a command prints to text that can be read: no terminal is drawing it."""

from __future__ import annotations

import codecs
import re

# *Source*: ECMA-48. Every part stops at the next introducer, so that matching stays linear.
_ESCAPE = re.compile(
    r"""
      (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]               # control sequences: colours, cursor
    | (?:\x1b\]|\x9d) [^\x07\x1b\x80-\x9f]* (?:\x07|\x1b\\|\x9c)  # titles, links
    | (?:\x1b[PX^_]|[\x90\x98\x9e\x9f]) [^\x1b\x80-\x9f]* (?:\x1b\\|\x9c)  # device strings
    | \x1b [ -/]* [0-~]                                  # the short ones
    """,
    re.VERBOSE,
)
_UNFINISHED = re.compile(
    r"""
      (?: \x1b (?: \[[0-?]*[ -/]* | [\]PX^_][^\x07\x1b\x80-\x9f\ufffd]*\x1b? | [ -/]* )
      | \x9b[0-?]*[ -/]* ) \Z
    """,
    re.VERBOSE,
)
_UNFINISHED_CHARS = 256  # longer than this it is no escape sequence but noise
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def without_escapes(text: str) -> str:
    """`text` without colours, cursor movements and titles."""
    if "\x1b" not in text and not _has_c1(text):
        return text
    return _ESCAPE.sub("", text)


def _has_c1(text: str) -> bool:
    return not text.isascii() and any(c in text for c in "\x90\x98\x9b\x9d\x9e\x9f")


def plain_text(text: str) -> str:
    """`text` as a terminal would have left it: escapes gone, lines that were drawn over in their last state."""
    text = without_escapes(text)
    if "\r" in text:
        text = "\n".join(map(_last_state, text.split("\n")))
    return _CONTROL.sub("", text)


def _last_state(line: str) -> str:
    """A progress bar goes back to the start of its line and draws over it: what it drew last counts."""
    if "\r" not in line:
        return line
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1 :]


class Decoder:
    """UTF-8 that comes in pieces, with escapes taken out; what is cut in two waits for the next piece."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def n_pending_bytes(self) -> int:
        return len(self._utf8.getstate()[0]) + len(self._rest.encode())

    def feed(self, data: bytes, *, final: bool = False) -> str:
        text = self._rest + self._utf8.decode(data, final)
        self._rest = ""
        if not final and (unfinished := _UNFINISHED.search(text, max(len(text) - _UNFINISHED_CHARS, 0))):
            text, self._rest = text[: unfinished.start()], unfinished.group()
        return without_escapes(text)
