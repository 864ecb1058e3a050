"""Textual's classes are large: a name of ours that is one of theirs breaks them silently."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.dom import DOMNode
from textual.message_pump import MessagePump
from textual.widget import Widget

import claw.tui

ROOT = Path(claw.tui.__file__).parent
# What Textual means to be given by subclasses, or to be set.
MEANT = {
    "BINDINGS", "DEFAULT_CSS", "CSS_PATH", "ENABLE_COMMAND_PALETTE", "compose", "render_line", "render_lines",
    "get_content_height", "check_action", "__init__", "theme", "cursor_blink", "animation_level", "display", "text",
    "_on_key", "_on_paste", "_display", "_previous_cursor_position", "has_prompt",
}  # fmt: skip


def names_of(found: type) -> set[str]:
    """What the class defines in its body, and what its methods set on `self`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(found)))
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    names: set[str] = set()
    for node in body.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for inner in ast.walk(body):
        if (
            isinstance(inner, ast.Attribute)
            and isinstance(inner.ctx, ast.Store)
            and isinstance(inner.value, ast.Name)
            and inner.value.id == "self"
        ):
            names.add(inner.attr)
    return names


def hidden_by(found: type) -> set[str]:
    theirs: set[str] = set()
    for base in found.__mro__[1:]:
        if base.__module__.startswith("textual"):
            theirs |= names_of(base)
    return {name for name in names_of(found) & theirs if name not in MEANT and not name.startswith("on_")}


def classes() -> Iterator[type[MessagePump]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        for _, found in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if found.__module__ == name and issubclass(found, DOMNode):
                yield found


@pytest.mark.parametrize("found", list(classes()), ids=lambda found: found.__name__)
def test_no_name_hides_one_of_textual(found: type[MessagePump]) -> None:
    assert hidden_by(found) == set()


class Bad(Widget):
    def __init__(self) -> None:
        super().__init__()
        self._running = False  # this one stops a widget from being painted


def test_it_would_be_seen() -> None:
    assert hidden_by(Bad) == {"_running"}
