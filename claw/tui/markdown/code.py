"""Code in colours, as far as it is worth the time."""

from __future__ import annotations

from functools import cache
from typing import Any

from claw.tui.blocks.paint import Piece
from claw.tui.look import Look

_MOST_CHARS = 40_000  # longer code is shown plain


def highlighted(code: str, language: str, look: Look) -> list[list[Piece]]:
    """Lines of pieces; plain for a language that nobody knows. `language` may be the name of a file."""
    lexer = lexer_of(language) if look.code and len(code) <= _MOST_CHARS else None
    if lexer is None:
        return [[(line, look.text)] if line else [] for line in code.split("\n")]
    lines: list[list[Piece]] = [[]]
    for token, text in lexer.get_tokens(code):
        style = look.of_token(str(token))
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append((part, style))
    while len(lines) > code.count("\n") + 1:
        lines.pop()
    return lines


@cache
def lexer_of(language: str) -> Any:
    """None where there is none."""
    if not language:
        return None
    from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
    from pygments.util import ClassNotFound

    for find in (get_lexer_by_name, get_lexer_for_filename):
        try:
            return find(language, stripnl=False, ensurenl=False)
        except ClassNotFound:
            continue
    return None
