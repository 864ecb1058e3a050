"""A text in Markdown that grows: what is finished is painted once, what still grows again and again."""

from __future__ import annotations

import re

from textual.strip import Strip

from claw.tui.look import Look
from claw.tui.markdown.paint import painted

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_MOST_LIVE_LINES = 60  # of a piece that does not end: older ones are frozen, or every token would cost more
_BLANK = Strip.blank(0)


class _Piece:
    """Some whole lines of the source that stand for themselves."""

    def __init__(self, source: str, joined: bool = False) -> None:
        self.source = source
        self.joined = joined  # to the piece before it: no empty line between them
        self._state: tuple[int, Look] | None = None
        self._lines: list[Strip] = []

    def lines(self, width: int, look: Look) -> list[Strip]:
        if self._state != (width, look):
            self._lines = painted(self.source.replace("\r\n", "\n"), width, look)
            self._state = (width, look)
        return self._lines


class MarkdownText:
    """*Cost*: `lines` after `append` paints only what the new text belongs to, and at most some 60 lines."""

    def __init__(self, text: str = "") -> None:
        self._pieces: list[_Piece] = []
        self._parts: list[str] = []
        self._live = ""  # since the last piece
        self._fence = ""  # what closes the fence that is open
        self._opening = ""  # the line that opened it, for its later parts
        self._looked_at = 0  # of `_live`: whole lines before this have been told apart
        self._joined = False
        self._after_blank = False
        self.append(text)

    @property
    def text(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def append(self, text: str) -> None:
        if not text:
            return
        self._parts.append(text)
        self._live += text
        while (end := self._live.find("\n", self._looked_at)) >= 0:
            self._take_line(self._looked_at, end + 1)

    def finish(self) -> None:
        """Nothing follows."""
        if self._live.strip():
            self._cut(len(self._live))
        self._live, self._looked_at = "", 0

    def _take_line(self, start: int, end: int) -> None:
        line = self._live[start:end].rstrip("\r\n")
        self._looked_at = end
        found = _FENCE.match(line)
        if self._fence:
            if found and found[1].startswith(self._fence) and not found[2].strip():
                self._fence = ""
                self._cut(end)
            elif self._live.count("\n", 0, end) > _MOST_LIVE_LINES:
                self._cut(end)
                self._joined = True
                self._live, self._looked_at = self._opening + self._live, len(self._opening)
        elif found and "`" not in found[2]:
            if self._live[:start].strip():
                self._cut(start)
            self._fence, self._opening = found[1], f"{line}\n"
        elif not line.strip():
            self._after_blank = True
            return
        elif self._after_blank and not line.startswith("  "):  # what is indented may belong to the list above
            self._cut(start)
        self._after_blank = False

    def _cut(self, end: int) -> None:
        source, self._live = self._live[:end], self._live[end:]
        self._looked_at = max(self._looked_at - end, 0)
        if source.strip():
            self._pieces.append(_Piece(source, self._joined))
            self._joined = False

    def lines(self, width: int, look: Look) -> list[Strip]:
        found: list[Strip] = []
        pieces = list(self._pieces)
        if self._live.strip():
            pieces.append(_Piece(self._live, self._joined))
        for piece in pieces:
            lines = piece.lines(width, look)
            if found and lines and not piece.joined:
                found.append(_BLANK)
            found += lines
        return found
