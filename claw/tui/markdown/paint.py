"""One piece of Markdown as lines on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from claw.printable import printable
from claw.tui.blocks.paint import Piece, strip, strips, wrapped
from claw.tui.look import Look
from claw.tui.markdown.code import highlighted

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_NARROW = 30  # tables do not fit


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def painted(source: str, width: int, look: Look) -> list[Strip]:
    """*Shapes*: strips of at most `width` cells."""
    tokens = _parser().parse(printable(source.expandtabs(4)))
    lines = _Painter(look).blocks(tokens, width)
    return [line if line.cell_length <= width else line.crop(0, width) for line in lines]


class _Painter:
    def __init__(self, look: Look) -> None:
        self._look = look

    def blocks(self, tokens: list[Token], width: int, tight: bool = False) -> Iterator[Strip]:
        """Block after block, with an empty line between them unless `tight`."""
        number = 0
        first = True
        while number < len(tokens):
            token = tokens[number]
            end = _end(tokens, number)
            inner = tokens[number + 1 : end]
            lines = list(self._block(token, inner, width))
            if lines and not first and not tight:
                yield Strip.blank(0)
            yield from lines
            first = first and not lines
            number = end + 1

    def _block(self, token: Token, inner: list[Token], width: int) -> Iterator[Strip]:
        look = self._look
        match token.type:
            case "heading_open":
                style = look.accent if token.tag in ("h1", "h2") else look.strong
                yield from strips(wrapped(self.inline(inner[0], style), width))
            case "paragraph_open":
                yield from strips(wrapped(self.inline(inner[0], look.text), width))
            case "fence" | "code_block":
                yield from self._code(token, width)
            case "bullet_list_open" | "ordered_list_open":
                yield from self._list(token, inner, width)
            case "blockquote_open":
                bar = ("| " if look.ascii else "▎ ", look.quote)
                for line in self.blocks(inner, width - 2):
                    yield Strip.join([strip(bar), line])
            case "hr":
                yield strip((("-" if look.ascii else "─") * min(width, 40), look.rule))
            case "table_open":
                yield from self._table(inner, width)
            case "inline":
                yield from strips(wrapped(self.inline(token, look.text), width))

    def _code(self, token: Token, width: int) -> Iterator[Strip]:
        look = self._look
        language = token.info.split()[0] if token.info.strip() else ""
        inner = width - 2
        for line in highlighted(token.content.rstrip("\n"), language, look):
            rows = wrapped_code(line, inner)
            for row in rows:
                used = sum(cell_len(text) for text, _ in row)
                yield strip(
                    (" ", look.code_block),
                    *((text, look.code_block + style) for text, style in row),
                    (" " * (width - 1 - used), look.code_block),
                )

    def _list(self, token: Token, inner: list[Token], width: int) -> Iterator[Strip]:
        look = self._look
        number = int(token.attrGet("start") or 1)
        position = 0
        while position < len(inner):
            end = _end(inner, position)
            sign = f"{number}. " if token.type == "ordered_list_open" else ("- " if look.ascii else "• ")
            number += 1
            indent = cell_len(sign)
            for row, line in enumerate(self.blocks(inner[position + 1 : end], width - indent, tight=True)):
                yield Strip.join([strip((sign if row == 0 else " " * indent, look.dim)), line])
            position = end + 1

    def _table(self, inner: list[Token], width: int) -> Iterator[Strip]:
        look = self._look
        rows: list[list[list[Piece]]] = []
        head = 0
        for token in inner:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(self.inline(token, look.strong if not head else look.text))
            elif token.type == "thead_close":
                head = len(rows)
        n_columns = max((len(row) for row in rows), default=0)
        if not n_columns:
            return
        if width < max(_NARROW, 6 * n_columns):
            for row in rows[head:]:
                for name, cell in zip(rows[0], row, strict=False):
                    label: list[Piece] = [*name, (": ", look.dim), *cell]
                    yield from strips(wrapped(label, width))
                yield strip((("-" if look.ascii else "─") * min(width, 20), look.rule))
            return
        sizes = _column_sizes(rows, n_columns, width - 3 * (n_columns - 1))
        bar = (" | " if look.ascii else " │ ", look.rule)
        for number, row in enumerate(rows):
            yield from _table_row(row, sizes, bar)
            if number + 1 == head:
                line = ("-" if look.ascii else "─", "-+-" if look.ascii else "─┼─")
                yield strip((line[1].join(line[0] * size for size in sizes), look.rule))

    def inline(self, token: Token, base: Style) -> list[Piece]:
        look = self._look
        pieces: list[Piece] = []
        styles = [base]
        links: list[str] = []
        for child in token.children or ():
            match child.type:
                case "text":
                    pieces.append((child.content, styles[-1]))
                case "code_inline":
                    pieces.append((child.content, styles[-1] + look.inline_code))
                case "softbreak":
                    pieces.append((" ", styles[-1]))
                case "hardbreak":
                    pieces.append(("\n", styles[-1]))
                case "strong_open":
                    styles.append(styles[-1] + look.strong)
                case "em_open":
                    styles.append(styles[-1] + Style(italic=True))
                case "s_open":
                    styles.append(styles[-1] + Style(strike=True))
                case "link_open":
                    target = str(child.attrGet("href") or "")
                    links.append(target)
                    is_web = target.startswith(("https://", "http://"))
                    styles.append(styles[-1] + look.link + (Style(link=target) if is_web else Style()))
                case "link_close":
                    styles.pop()
                    target = links.pop()
                    if pieces and target and pieces[-1][0] != target:
                        pieces.append((f" ({target})", look.dim))
                case "strong_close" | "em_close" | "s_close":
                    styles.pop()
                case "image":
                    pieces.append((f"[image: {child.content}]", look.dim))
                case _:
                    pieces.append((child.content, styles[-1]))
        return pieces


def _end(tokens: list[Token], number: int) -> int:
    """Where the block that begins at `number` ends; the same place for one that has no inside."""
    depth = 0
    for position in range(number, len(tokens)):
        depth += tokens[position].nesting
        if depth <= 0:
            return position
    return len(tokens) - 1


def wrapped_code(line: list[Piece], width: int) -> list[list[Piece]]:
    """Cut anywhere: in code every space counts."""
    rows: list[list[Piece]] = [[]]
    used = 0
    for text, style in line:
        part = ""
        for character in text:
            size = cell_len(character)
            if used + size > width and (part or rows[-1]):
                rows[-1].append((part, style))
                rows.append([])
                part, used = "", 0
            part += character
            used += size
        if part:
            rows[-1].append((part, style))
    return rows


def _column_sizes(rows: list[list[list[Piece]]], n_columns: int, room: int) -> list[int]:
    """As wide as they need; where that is too much the widest give way."""
    sizes = [3] * n_columns
    for row in rows:
        for number, cell in enumerate(row):
            sizes[number] = max(sizes[number], cell_len("".join(text for text, _ in cell)))
    while sum(sizes) > room and max(sizes) > 3:
        sizes[sizes.index(max(sizes))] -= 1
    return sizes


def _table_row(row: list[list[Piece]], sizes: list[int], bar: Piece) -> Iterator[Strip]:
    cells = [wrapped(cell, size) for cell, size in zip(row, sizes, strict=False)]
    for number in range(max((len(cell) for cell in cells), default=0)):
        pieces: list[Piece] = []
        for column, (cell, size) in enumerate(zip(cells, sizes, strict=False)):
            line = cell[number] if number < len(cell) else []
            used = sum(cell_len(text) for text, _ in line)
            pieces += [bar] * (column > 0) + line + [(" " * max(size - used, 0), Style())]
        yield strip(*pieces)
