"""Themes: a TOML file each, with every key; made into the styles of blocks and the variables of style sheets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from msgspec import Struct
from rich.color import Color, ColorParseError
from rich.style import Style
from textual.theme import Theme as TextualTheme

from claw.errors import UsageError
from claw.tui.look import Look

DARK, LIGHT, PLAIN = "claw-dark", "claw-light", "ansi"
COLORS = (
    "background", "surface", "panel", "border", "text", "strong", "dim", "accent", "user", "thinking", "tool",
    "success", "warning", "error", "link", "inline_code", "quote", "rule", "added", "added_background", "removed",
    "removed_background", "added_word", "removed_word", "hunk", "code_background", "search", "search_background",
    "search_current_background", "selection_background", "cursor",
)  # fmt: skip
# Our names for kinds of code, and the types of Pygments that they stand for.
CODE = {
    "keyword": ("Token.Keyword", "Token.Operator.Word"),
    "string": ("Token.Literal.String",),
    "number": ("Token.Literal.Number",),
    "comment": ("Token.Comment",),
    "name": ("Token.Name", "Token.Text"),
    "function": ("Token.Name.Function",),
    "class": ("Token.Name.Class", "Token.Name.Exception"),
    "operator": ("Token.Operator",),
    "builtin": ("Token.Name.Builtin", "Token.Keyword.Type"),
    "constant": ("Token.Name.Constant", "Token.Keyword.Constant"),
    "decorator": ("Token.Name.Decorator",),
    "tag": ("Token.Name.Tag",),
    "attribute": ("Token.Name.Attribute",),
    "punctuation": ("Token.Punctuation",),
    "error": ("Token.Error",),
}
_KEYS = {"name", "title", "dark", "colors", "code"}


class Theme(Struct, frozen=True):
    """One theme as its file says it."""

    name: str
    title: str
    dark: bool
    colors: dict[str, str]
    code: dict[str, str]


def builtin_names() -> list[str]:
    folder = resources.files("claw.themes")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def available(user_folder: Path | None) -> dict[str, str]:
    """Name → what is wrong with it, empty if nothing is. The user's own stand before those of the same name."""
    found = dict.fromkeys(builtin_names(), "")
    for file in sorted(user_folder.glob("*.toml")) if user_folder and user_folder.is_dir() else ():
        try:
            load_theme(file.stem, user_folder)
            found[file.stem] = ""
        except UsageError as error:
            found[file.stem] = str(error)
    return found


def load_theme(name: str, user_folder: Path | None = None) -> Theme:
    """*Errors*: UsageError that names the file and the key, or the themes that there are."""
    own = user_folder / f"{name}.toml" if user_folder and "/" not in name else None
    if own and own.is_file():
        try:
            return parse_theme(own.read_text("utf-8"), str(own))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the theme {own}: {error}") from None
    if name not in builtin_names():
        known = ", ".join(available(user_folder))
        raise UsageError(f"there is no theme {name!r}; there are {known}")
    file = resources.files("claw.themes") / f"{name}.toml"
    return parse_theme(file.read_text("utf-8"), name)


def parse_theme(text: str, source: str) -> Theme:
    """*Errors*: UsageError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"theme {source}: {error}") from None
    _check_keys(source, "", data, _KEYS)
    for name, kind, word in (("name", str, "a text"), ("title", str, "a text"), ("dark", bool, "true or false")):
        if not isinstance(data[name], kind):
            raise UsageError(f"theme {source}: {name} must be {word}")
    for table, keys in (("colors", set(COLORS)), ("code", set(CODE))):
        if not isinstance(data[table], dict):
            raise UsageError(f"theme {source}: {table} must be a table")
        _check_keys(source, f"{table}.", data[table], keys)
        for key, value in data[table].items():
            _check_color(source, f"{table}.{key}", value)
    return Theme(**data)


def _check_keys(source: str, table: str, data: Mapping[str, object], keys: set[str]) -> None:
    if missing := sorted(keys - set(data)):
        raise UsageError(f"theme {source}: {', '.join(table + key for key in missing)} missing")
    if unknown := sorted(set(data) - keys):
        raise UsageError(f"theme {source}: {', '.join(table + key for key in unknown)} unknown; allowed are "
                         f"{', '.join(sorted(keys))}")  # fmt: skip


def _check_color(source: str, key: str, value: object) -> None:
    try:
        if not isinstance(value, str):
            raise ColorParseError
        Color.parse(value)
    except ColorParseError:
        raise UsageError(
            f"theme {source}: {key} = {value!r}; allowed are #rrggbb, the name of an ANSI colour, and default"
        ) from None


def choose_theme(wanted: str | None, environ: Mapping[str, str], background: str | None) -> str:
    """`background` is the terminal's own, as #rrggbb, where it says so."""
    if wanted:
        return wanted
    if environ.get("TERM") in ("linux", "vt100", "vt220", "ansi", "xterm", "screen") and not environ.get("COLORTERM"):
        return PLAIN
    if background:
        red, green, blue = Color.parse(background).get_truecolor()
        return LIGHT if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else DARK
    last = environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT if last in ("7", "15") else DARK


def look_of(theme: Theme, *, no_color: bool = False, ascii: bool = False, motion: bool = True) -> Look:
    """With `no_color` what is meant is said by weight and by reversed cells alone."""
    if no_color:
        return Look(
            theme.name, theme.dark,
            strong=Style(bold=True), dim=Style(dim=True), accent=Style(bold=True), user=Style(bold=True),
            thinking=Style(italic=True), tool=Style(bold=True), error=Style(bold=True, underline=True),
            warning=Style(bold=True), link=Style(underline=True), quote=Style(italic=True), rule=Style(dim=True),
            added=Style(bold=True), removed=Style(dim=True), added_word=Style(bold=True, underline=True),
            removed_word=Style(dim=True, underline=True), hunk=Style(dim=True), search=Style(reverse=True),
            search_current=Style(reverse=True, bold=True), selection=Style(reverse=True),
            ascii=ascii, motion=motion,
        )  # fmt: skip
    colors = theme.colors

    def style(name: str, behind: str = "", *, bold: bool | None = None, italic: bool | None = None) -> Style:
        return Style(color=colors[name], bgcolor=colors[behind] if behind else None, bold=bold, italic=italic)

    return Look(
        theme.name, theme.dark,
        text=style("text"), strong=style("strong", bold=True), dim=style("dim"), accent=style("accent", bold=True),
        user=style("user"), thinking=style("thinking", italic=True), tool=style("tool", bold=True),
        success=style("success"), warning=style("warning"), error=style("error"),
        link=style("link") + Style(underline=True), inline_code=style("inline_code"), quote=style("quote"),
        rule=style("rule"), added=style("added", "added_background"), removed=style("removed", "removed_background"),
        added_word=style("added", "added_word"), removed_word=style("removed", "removed_word"), hunk=style("hunk"),
        code_block=style("text", "code_background"), search=style("search", "search_background"),
        search_current=style("search", "search_current_background", bold=True),
        selection=style("text", "selection_background"),
        code={token: Style(color=theme.code[key], italic=key == "comment" or None)
              for key, tokens in CODE.items() for token in tokens},
        colors=colors, ascii=ascii, motion=motion,
    )  # fmt: skip


def textual_theme(theme: Theme) -> TextualTheme:
    """The variables of style sheets: Textual's own, and ours by their names."""
    colors = {name: "ansi_default" if value == "default" else _css(value) for name, value in theme.colors.items()}
    return TextualTheme(
        name=f"claw:{theme.name}",
        primary=colors["accent"],
        secondary=colors["user"],
        warning=colors["warning"],
        error=colors["error"],
        success=colors["success"],
        accent=colors["accent"],
        foreground=colors["text"],
        background=colors["background"],
        surface=colors["surface"],
        panel=colors["panel"],
        dark=theme.dark,
        variables={f"claw-{name.replace('_', '-')}": value for name, value in colors.items()},
    )


def _css(value: str) -> str:
    return value if value.startswith("#") else f"ansi_{value}"
