"""Text that claw did not write, made safe for a terminal: shown, never executed."""

from __future__ import annotations

import re

# C0 and C1 controls, zero-width and bidirectional marks, tag characters: all that can move the cursor,
# change colours or titles, or make text look like something else. Newline and tab stay.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """`text` with every unsafe character written out as its escape, such as `\\x1b`."""
    return _UNSAFE.sub(lambda found: _escape(found[0]), text)


def one_line(text: str, width: int) -> str:
    """`text` as a single printable line of at most `width` characters."""
    line = printable(" ".join(text[: 4 * width].split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
