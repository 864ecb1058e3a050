"""The text that the model reads about a tool: the Markdown file beside the tool's module."""

from __future__ import annotations

import sys
from pathlib import Path

from claw.tooling.base import Tool


def description_of(tool: Tool) -> str:  # type: ignore[type-arg]
    """*Errors*: FileNotFoundError if the tool has no `.md`: a fault of the package, not of the user."""
    module = sys.modules[type(tool).__module__]
    assert module.__file__ is not None
    return Path(module.__file__).with_suffix(".md").read_text("utf-8").strip()
