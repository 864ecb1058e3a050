"""Themes: every key there, readable, and errors that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.style import Style

from claw.errors import UsageError
from claw.tui.contrast import contrast, problems
from claw.tui.look import Look
from claw.tui.theme import available, builtin_names, choose_theme, load_theme, look_of, parse_theme, textual_theme


def test_there_are_six() -> None:
    assert builtin_names() == ["ansi", "claw-dark", "claw-light", "high-contrast", "midnight", "paper"]


@pytest.mark.parametrize("name", builtin_names())
def test_each_can_be_read(name: str) -> None:
    theme = load_theme(name)
    assert theme.name == name
    assert problems(theme) == []
    look = look_of(theme)
    unset = [field for field in Look.__slots__ if getattr(look, field) == Style()]
    assert unset == []
    assert textual_theme(theme).dark == theme.dark


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == pytest.approx(1)


def test_a_faint_theme_is_told(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "themes/claw-dark.toml").read_text()
    faint = parse_theme(text.replace('dim = "#9aa3b2"', 'dim = "#2a2d33"'), "x")
    assert any(line.startswith("dim on background") for line in problems(faint))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('accent = "#e9a178"\n', "", "colors.accent missing"),
        ('accent = "#e9a178"', 'accent = "#e9a178"\nshiny = "red"', "colors.shiny unknown"),
        ('accent = "#e9a178"', 'accent = "reddish"', "colors.accent = 'reddish'"),
        ('accent = "#e9a178"', "accent = 5", "colors.accent = 5"),
        ("dark = true", 'dark = "yes"', "dark must be true or false"),
        ("[code]", "[code", "theme own"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    text = (Path(__file__).parents[2] / "themes/claw-dark.toml").read_text()
    assert old in text
    (tmp_path / "own.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError, match="theme") as caught:
        load_theme("own", tmp_path)
    assert complaint in str(caught.value) or complaint == "theme own"
    assert available(tmp_path)["own"]


def test_the_users_own_comes_first_and_unknown_ones_are_listed(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "themes/paper.toml").read_text()
    (tmp_path / "paper.toml").write_text(text.replace('title = "Paper"', 'title = "Mine"'))
    assert load_theme("paper", tmp_path).title == "Mine"
    with pytest.raises(UsageError, match="midnight"):
        load_theme("none", tmp_path)


@pytest.mark.parametrize(
    ("wanted", "environ", "background", "name"),
    [
        ("paper", {}, None, "paper"),
        (None, {"TERM": "linux"}, None, "ansi"),
        (None, {"TERM": "xterm-256color"}, "#ffffff", "claw-light"),
        (None, {"TERM": "xterm-256color"}, "#101010", "claw-dark"),
        (None, {"TERM": "xterm-256color", "COLORFGBG": "0;15"}, None, "claw-light"),
        (None, {"TERM": "xterm-256color"}, None, "claw-dark"),
    ],
)
def test_which_is_taken(wanted: str | None, environ: dict[str, str], background: str | None, name: str) -> None:
    assert choose_theme(wanted, environ, background) == name


def test_without_colours_there_are_none() -> None:
    look = look_of(load_theme("claw-dark"), no_color=True)
    styles = [getattr(look, field) for field in Look.__slots__ if isinstance(getattr(look, field), Style)]
    assert all(style.color is None and style.bgcolor is None for style in styles)
