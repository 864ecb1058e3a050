"""Text that claw did not write, made safe for a terminal: shown, never executed."""

from __future__ import annotations

import re

# C0 and C1 controls, zero-width and bidirectional marks, fillers, tags, variation selectors but the two of emoji,
# half surrogates: all that can move the cursor, change colours or titles, hide text, make it look like something
# else, or that cannot be written at all. Newline and tab stay.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def printable(text: str) -> str:
    """`text` with every unsafe character written out as its escape, such as `\\x1b`."""
    return _UNSAFE.sub(lambda found: _escape(found[0]), text)


def one_line(text: str, width: int) -> str:
    """`text` as a single printable line of at most `width` characters."""
    line = printable(" ".join(text[: 4 * width].split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def printable_json(line: bytes) -> bytes:
    """The same JSON value, with every unsafe character of its strings as JSON's own escape."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSAFE.sub(lambda found: _json_escape(found[0]), line.decode("utf-8", "surrogatepass")).encode()


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
