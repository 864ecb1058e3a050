"""The plain reader takes only what typer would have read in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from claw.cli.exec import EXEC_OPTIONS
from claw.cli.options import read_plainly, typer_callback

DEFAULTS = {option.name: [] if option.many else option.default for option in EXEC_OPTIONS}


def read_with_typer(argv: list[str]) -> tuple[dict[str, Any], str | None] | None:
    seen: list[tuple[dict[str, Any], str | None]] = []
    app = typer.Typer(rich_markup_mode=None)
    app.command()(typer_callback(EXEC_OPTIONS, lambda prompt, values: seen.append((values, prompt)), "doc"))
    CliRunner().invoke(app, argv)
    return seen[0] if seen else None


@pytest.mark.parametrize(
    ("argv", "values", "prompt"),
    [
        (["fix it"], {}, "fix it"),
        (["-"], {}, "-"),
        (["--max-turns", "3", "x"], {"max_turns": 3}, "x"),
        (["x", "--max-cost=0.5", "--continue"], {"max_cost": 0.5, "continue_": True}, "x"),
        (["--add-dir", "a", "--add-dir=b"], {"add_dir": [Path("a"), Path("b")]}, None),
        (["--output-format", "json"], {"output_format": "json"}, None),
        (
            ["--allow", "bash(git *)", "--allow=edit", "--deny", "read(x)"],
            {"allow": ["bash(git *)", "edit"], "deny": ["read(x)"]},
            None,
        ),
        (
            ["--sandbox", "off", "--network=on", "--allow-host", "pypi.org", "--trust"],
            {"sandbox": "off", "network": "on", "allow_host": ["pypi.org"], "trust": True},
            None,
        ),
    ],
)
def test_plain_command_lines(argv: list[str], values: dict[str, Any], prompt: str | None) -> None:
    assert read_plainly(EXEC_OPTIONS, argv) == ({**DEFAULTS, **values}, prompt)
    assert read_with_typer(argv) == ({**DEFAULTS, **values}, prompt)


@pytest.mark.parametrize(
    "argv",
    [["--help"], ["--max-turns", "many"], ["--max-turns"], ["a", "b"], ["--nope"], ["--output-format", "xml"],
     ["--continue=yes"], ["--", "-x"]],
)  # fmt: skip
def test_everything_else_goes_to_typer(argv: list[str]) -> None:
    assert read_plainly(EXEC_OPTIONS, argv) is None


WORDS = st.sampled_from(
    ["fix", "-", "--continue", "--max-turns", "3", "--max-turns=4", "--host", "--mode", "ask", "--mode=full-auto",
     "--add-dir", "--cwd=.", "--max-cost", "0.1", "--output-format", "json", "--verify", "make test"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=6))
@settings(max_examples=150, deadline=None)
def test_both_readers_agree(argv: list[str]) -> None:
    plain = read_plainly(EXEC_OPTIONS, argv)
    if plain is not None:
        assert read_with_typer(argv) == plain
