"""Whether a theme can be read. *Source*: the contrast ratio of WCAG 2.2, 1.4.3 and 1.4.6."""

from __future__ import annotations

from rich.color import Color

from claw.tui.theme import Theme

_ON_PAGE = ("strong", "dim", "accent", "user", "thinking", "tool", "success", "warning", "error", "link",
            "inline_code", "quote", "hunk")  # fmt: skip


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [channel / 255 for channel in Color.parse(color).get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def problems(theme: Theme) -> list[str]:
    """What is too faint, in words. Nothing is known of colours that the terminal chooses itself."""
    colors, code = theme.colors, theme.code
    wanted = [("text", "background", 7.0), ("text", "surface", 7.0), ("text", "panel", 7.0)]
    wanted += [(name, behind, 4.5) for name in _ON_PAGE for behind in ("background", "surface", "panel")]
    wanted += [("added", "added_background", 4.5), ("removed", "removed_background", 4.5)]
    wanted += [("added", "added_word", 4.5), ("removed", "removed_word", 4.5)]
    wanted += [("search", "search_background", 4.5), ("search", "search_current_background", 4.5)]
    wanted += [("text", "selection_background", 4.5), ("text", "code_background", 7.0)]
    wanted += [("border", "background", 1.5), ("rule", "background", 1.5)]
    pairs = [(name, colors[name], behind, colors[behind], least) for name, behind, least in wanted]
    pairs += [(f"code.{name}", value, "code_background", colors["code_background"], 3.5 if name == "comment" else 4.5)
              for name, value in code.items()]  # fmt: skip
    return [
        f"{name} on {behind} has a contrast of {found:.1f}; {least:g} can be read"
        for name, front, behind, back, least in pairs
        if front.startswith("#") and back.startswith("#") and (found := contrast(front, back)) < least
    ]
