"""What was said: by the person, by the model, by claw itself."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.strip import Strip

from claw.printable import printable
from claw.tui.blocks.base import Block
from claw.tui.blocks.paint import fitted, strip, strips, wrapped
from claw.tui.look import Look
from claw.tui.markdown.text import MarkdownText

TEXT_CELLS = 110  # longer lines are hard to read
_FOLDED_LINES = 12
_SOURCES = {
    "steer": "said while it worked",
    "background": "from a background command",
    "verify": "from the verification",
    "reminder": "claw reminds",
}


class UserBlock(Block):
    """A message to the model: from the person, or from claw on its own behalf."""

    foldable: ClassVar[bool] = True

    def __init__(self, text: str, source: str = "user", n_media: int = 0) -> None:
        super().__init__()
        self._text = text
        self._source = source
        self._n_media = n_media
        self.by_person = source in ("user", "steer")
        self.folded = text.count("\n") >= 2 * _FOLDED_LINES or not self.by_person

    def paint(self, width: int, look: Look) -> list[Strip]:
        style = look.user if self.by_person else look.dim
        sign = ("> " if look.ascii else "❯ ", style)
        pieces = [(printable(self._text.expandtabs(4)), style)]
        lines = wrapped(pieces, max(min(width, TEXT_CELLS) - 2, 1))
        n_shown = (_FOLDED_LINES if self.by_person else 1) if self.folded else len(lines)
        painted = strips(lines[:n_shown], indent=("  ", style), first=sign)
        if more := len(lines) - n_shown:
            painted.append(strip((fitted(f"  … {more} more {'line' if more == 1 else 'lines'}", width), look.dim)))
        notes = [_SOURCES[self._source]] if self._source in _SOURCES else []
        if self._n_media:
            notes.append(f"with {self._n_media} {'picture' if self._n_media == 1 else 'pictures'}")
        if notes:
            painted.append(strip((fitted("  " + ", ".join(notes), width), look.dim)))
        return painted

    def plain(self) -> str:
        return self._text


class AnswerBlock(Block):
    """What the model says, in Markdown, as it comes."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._markdown = MarkdownText(text)

    def append(self, text: str) -> None:
        self._markdown.append(text)
        self.touch()

    def finish(self) -> None:
        self._markdown.finish()
        self.touch()

    def forget(self) -> None:
        """The strips of the Markdown go too; its text stays."""
        super().forget()
        text = self._markdown.text
        self._markdown = MarkdownText(text)
        self._markdown.finish()

    def paint(self, width: int, look: Look) -> list[Strip]:
        return self._markdown.lines(min(width, TEXT_CELLS), look)

    def plain(self) -> str:
        return self._markdown.text


class PageBlock(Block):
    """What a command of claw's own answers with; the model does not see it."""

    def __init__(self, title: str, markdown: str) -> None:
        super().__init__()
        self._title = title
        self._source = markdown

    def paint(self, width: int, look: Look) -> list[Strip]:
        text = MarkdownText(self._source)
        text.finish()
        inner = max(min(width, TEXT_CELLS) - 2, 1)
        bar = strip(("| " if look.ascii else "▏ ", look.rule))
        lines = [strip((printable(self._title), look.accent)), *text.lines(inner, look)]
        return [Strip.join([bar, line]).crop(0, max(width, 1)) for line in lines]

    def plain(self) -> str:
        return f"{self._title}\n\n{self._source}"


class ThinkingBlock(Block):
    """The model's thinking: its last lines while it goes on, one line once it is done, all of it when unfolded."""

    foldable: ClassVar[bool] = True
    LIVE_LINES: ClassVar[int] = 6

    def __init__(self, text: str = "", *, live: bool = True) -> None:
        super().__init__()
        self._parts = [text] if text else []
        self.live = live
        self.folded = True
        self.seconds = 0.0

    def append(self, text: str) -> None:
        self._parts.append(text)
        self.touch()

    def finish(self, seconds: float = 0.0) -> None:
        self.live = False
        self.seconds = seconds
        self.touch()

    def paint(self, width: int, look: Look) -> list[Strip]:
        style = look.thinking
        inner = max(min(width, TEXT_CELLS) - 2, 1)
        text = self.plain()
        head = "thinking" if self.live else "thought"
        if self.seconds >= 1:
            head += f" for {self.seconds:.0f} s"
        if self.folded and not self.live:
            first = next((line.strip() for line in text.splitlines() if line.strip()), "")
            return [
                strip(
                    ("~ " if look.ascii else "∴ ", look.dim), (fitted(f"{head} · {printable(first)}", inner), look.dim)
                )
            ]
        if self.folded:  # the tail is all that is seen, and all that is laid out
            tail = text[-self.LIVE_LINES * inner * 2 :].strip("\n")
            lines = wrapped([(printable(tail.expandtabs(4)), style)], inner)[-self.LIVE_LINES :]
        else:
            lines = wrapped([(printable(text.strip("\n").expandtabs(4)), style)], inner)
        painted = [strip(("~ " if look.ascii else "∴ ", look.dim), (fitted(head, inner), look.dim))]
        return painted + strips(lines, indent=("  ", style), first=("  ", style))

    def plain(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""


class NoteBlock(Block):
    """A line or more from claw itself. `level` is `info`, `warning`, `error` or `done`."""

    def __init__(self, text: str, level: str = "info") -> None:
        super().__init__()
        self._text = text
        self._level = level

    def paint(self, width: int, look: Look) -> list[Strip]:
        style, sign, plain_sign = self._style(look)
        lines = wrapped([(printable(self._text.expandtabs(4)), style)], max(min(width, TEXT_CELLS) - 2, 1))
        return strips(lines, indent=("  ", style), first=((plain_sign if look.ascii else sign) + " ", style))

    def _style(self, look: Look) -> tuple[Style, str, str]:
        match self._level:
            case "error":
                return look.error, "✗", "x"
            case "warning":
                return look.warning, "!", "!"
            case "done":
                return look.success, "✓", "+"
            case _:
                return look.dim, "·", "-"

    def plain(self) -> str:
        return self._text


class RuleBlock(Block):
    """A line across, with a word in it: where a session begins or is taken up again."""

    def __init__(self, title: str, details: str = "") -> None:
        super().__init__()
        self._title = title
        self._details = details

    def paint(self, width: int, look: Look) -> list[Strip]:
        pieces = [
            (printable(self._title), look.accent),
            (f"  {printable(self._details)}" if self._details else "", look.dim),
        ]
        return strips(wrapped(pieces, max(width, 1)))

    def plain(self) -> str:
        return f"{self._title}  {self._details}".rstrip()
