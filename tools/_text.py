"""Text as it lies in a file: encoding, byte-order mark and line endings kept apart from the words.

The model speaks in lines that end with a line feed. A `Document` shows a file that way and splices
changes back in, so that every byte outside a change stays what it was.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from claw.errors import ToolError


class Encoding(NamedTuple):
    """How a file's bytes become text. `name` is what the model is told, `errors` Python's error handler."""

    name: str
    codec: str
    bom: bytes = b""
    errors: str = "strict"


UTF_8 = Encoding("UTF-8", "utf-8")
# Mostly UTF-8 with a few broken bytes (a cut log, a test file): they become lone surrogates and come back
# as the same bytes.
BROKEN_UTF_8 = Encoding("UTF-8 with invalid bytes, shown as \ufffd", "utf-8", errors="surrogateescape")
# Equal to Latin-1 from A0 on; in 80–9F it has the quotes and dashes that such files really hold.
LATIN_1 = Encoding("Latin-1 (Windows-1252)", "cp1252")
# UTF-32 before UTF-16: its little-endian mark begins with the shorter one.
WITH_BOM = (
    Encoding("UTF-8 with BOM", "utf-8", codecs.BOM_UTF8),
    Encoding("UTF-32 LE with BOM", "utf-32-le", codecs.BOM_UTF32_LE),
    Encoding("UTF-32 BE with BOM", "utf-32-be", codecs.BOM_UTF32_BE),
    Encoding("UTF-16 LE with BOM", "utf-16-le", codecs.BOM_UTF16_LE),
    Encoding("UTF-16 BE with BOM", "utf-16-be", codecs.BOM_UTF16_BE),
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_CONTROL = re.compile("[\x01-\x07\x0e-\x19\x1c-\x1f]")


def decode(data: bytes, *, is_whole: bool = True) -> tuple[Encoding, str] | None:
    """The encoding and the text without its byte-order mark, or None for binary data.

    With `is_whole` False `data` is the beginning of a file and may end within a character.
    """
    for encoding in WITH_BOM:
        if data.startswith(encoding.bom):
            return _attempt(encoding, data, is_whole)
    if b"\0" in data:
        return None
    return _attempt(UTF_8, data, is_whole) or _decode_legacy(data, is_whole)


def _attempt(encoding: Encoding, data: bytes, is_whole: bool) -> tuple[Encoding, str] | None:
    decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
    try:
        text = decoder.decode(data[len(encoding.bom) :], is_whole)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else (encoding, text)


def _decode_legacy(data: bytes, is_whole: bool) -> tuple[Encoding, str] | None:
    """More good UTF-8 characters than bad bytes: broken UTF-8. Else Latin-1, unless it looks like machine code."""
    broken = _attempt(BROKEN_UTF_8, data, is_whole)
    assert broken is not None
    n_bad = len(_SURROGATE.findall(broken[1]))
    if len(_BEYOND_ASCII.findall(broken[1])) - n_bad > n_bad:
        return broken
    latin = _attempt(LATIN_1, data, is_whole)
    if latin is None or len(_CONTROL.findall(latin[1])) * 50 > len(data):
        return None
    return latin


def well_formed(text: str) -> str:
    """`text` with every lone surrogate as U+FFFD: such text cannot be sent or logged."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


class Splice(NamedTuple):
    """Put `new` where the characters `start` to `end` of a view are."""

    start: int
    end: int
    new: str


class Document:
    """A file's text. `raw` has the line endings of the file, `view` has line feeds.

    A lone carriage return is a line ending only in a file that has no line feed at all.
    """

    def __init__(self, raw: str, encoding: Encoding = UTF_8) -> None:
        self.raw = raw
        self.encoding = encoding
        self._cr_only = "\r" in raw and "\n" not in raw
        self._crlf: list[int] = []  # where in the view the line feeds stand that are CR LF in the file
        if self._cr_only:
            self.view = raw.replace("\r", "\n")
        elif "\r\n" in raw:
            self.view = raw.replace("\r\n", "\n")
            self._crlf = [match.start() - i for i, match in enumerate(re.finditer("\r\n", raw))]
        else:
            self.view = raw

    @classmethod
    def of(cls, data: bytes) -> Document | None:
        """None for binary data."""
        decoded = decode(data)
        return None if decoded is None else cls(decoded[1], decoded[0])

    @property
    def line_endings(self) -> str:
        """`LF`, `CRLF`, `CR`, or `mixed`; `LF` for a text without lines."""
        if self._cr_only:
            return "CR"
        if not self._crlf:
            return "LF"
        return "CRLF" if len(self._crlf) == self.view.count("\n") else "mixed"

    def normalise(self, text: str) -> str:
        """`text` with the line endings of the view."""
        return text.replace("\r\n", "\n").replace("\r", "\n") if self._cr_only else text.replace("\r\n", "\n")

    def spliced(self, splices: Iterable[Splice]) -> Document:
        """The document with the splices in place.

        New lines get the ending of the line that they replace, else that of the place where they go.
        *Order*: splices must not overlap, and come from first to last.
        """
        if self.raw is self.view:
            return Document(_replaced(self.raw, splices), self.encoding)
        pieces, position = [], 0
        for splice in splices:
            start, end, new = self._narrowed(splice)
            pieces += [self.raw[position : self.raw_offset(start)], self._with_endings(start, end, new)]
            position = self.raw_offset(end)
        return Document("".join([*pieces, self.raw[position:]]), self.encoding)

    def encoded(self) -> bytes:
        """*Errors*: ToolError that names the first character which the encoding cannot hold."""
        try:
            return self.encoding.bom + self.raw.encode(self.encoding.codec, self.encoding.errors)
        except UnicodeEncodeError as error:
            culprit = error.object[error.start]
            shown = "a lone surrogate" if _SURROGATE.match(culprit) else repr(culprit)
            raise ToolError(
                f"the text has {shown} (U+{ord(culprit):04X}), which a file in {self.encoding.name} cannot hold. "
                "Nothing was written. Leave that character out, or convert the file first.",
                "not encodable",
            ) from None

    def _narrowed(self, splice: Splice) -> Splice:
        """Without what old and new text have in common at both ends: those bytes stay untouched."""
        start, end, new = splice
        old = self.view[start:end]
        n_before = common_prefix(old, new)
        n_after = min(common_suffix(old, new), len(old) - n_before, len(new) - n_before)
        return Splice(start + n_before, end - n_after, new[n_before : len(new) - n_after])

    def _with_endings(self, start: int, end: int, new: str) -> str:
        if "\n" not in new:
            return new
        *lines, last = new.split("\n")
        replaced = [start + match.start() for match in re.finditer("\n", self.view[start:end])]
        if len(replaced) == len(lines):
            endings = [self._ending_at(at) for at in replaced]
        else:
            endings = [self._ending_near(start)] * len(lines)
        return "".join(line + ending for line, ending in zip(lines, endings, strict=True)) + last

    def _ending_near(self, start: int) -> str:
        at = self.view.find("\n", start)
        if at < 0:
            at = self.view.rfind("\n", 0, start)
        return self._ending_at(at)

    def _ending_at(self, at: int) -> str:
        return self.raw[self.raw_offset(at) : self.raw_offset(at + 1)]

    def raw_offset(self, offset: int) -> int:
        return offset + bisect_left(self._crlf, offset)


def _replaced(text: str, splices: Iterable[Splice]) -> str:
    pieces, position = [], 0
    for start, end, new in splices:
        pieces += [text[position:start], new]
        position = end
    return "".join([*pieces, text[position:]])


def common_prefix(left: str, right: str) -> int:
    """The length of what both begin with. *Cost*: comparisons of slices, so quick on megabytes."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(left: str, right: str) -> int:
    """The length of what both end with."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[len(left) - middle : len(left) - low] == right[len(right) - middle : len(right) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def plural(count: int, noun: str) -> str:
    """`1 line`, `1,200 lines`, `2 matches`."""
    ending = "es" if noun.endswith(("s", "ch")) else "s"
    return f"{count:,} {noun}{'' if count == 1 else ending}"
