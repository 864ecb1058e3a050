"""The styles that blocks are painted with; `claw.tui.theme` makes one from a theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.style import Style

Plain = Style()


@dataclass(frozen=True, slots=True)
class Look:
    """Every style that a block may use, by what it means. All of them lie on the theme's background.

    `code` maps the names of Pygments' token types, shortest first looked up by `of_token`, to styles; `colors` are
    the variables that the style sheets use (`background`, `surface`, `panel`, `border`, `text`, …), as `#rrggbb` or
    the name of an ANSI colour. `dark` is whether the background is. `ascii` is for terminals and readers that want
    no drawn signs, `motion` False where nothing may move by itself.
    """

    name: str
    dark: bool
    text: Style = Plain
    strong: Style = Plain  # bold text
    dim: Style = Plain  # what is seldom read: times, sizes, hints
    accent: Style = Plain  # claw's own colour: headings, the current choice
    user: Style = Plain  # what the person said
    thinking: Style = Plain
    tool: Style = Plain  # the name of a tool
    success: Style = Plain
    warning: Style = Plain
    error: Style = Plain
    link: Style = Plain
    inline_code: Style = Plain
    quote: Style = Plain
    rule: Style = Plain  # lines that part things
    added: Style = Plain  # a line of a diff, with its background
    removed: Style = Plain
    added_word: Style = Plain  # within such a line, what changed
    removed_word: Style = Plain
    hunk: Style = Plain  # its head, and line numbers
    code_block: Style = Plain  # behind code, over its whole width
    search: Style = Plain  # what was searched for
    search_current: Style = Plain
    selection: Style = Plain
    code: Mapping[str, Style] = field(default_factory=dict)
    colors: Mapping[str, str] = field(default_factory=dict)
    ascii: bool = False
    motion: bool = True

    def of_token(self, name: str) -> Style:
        """The style of a Pygments token type such as `Token.Keyword.Constant`, or of the nearest above it."""
        while name:
            if (style := self.code.get(name)) is not None:
                return style
            name = name.rpartition(".")[0]
        return Plain
