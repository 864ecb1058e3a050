"""The person's own editor, in this terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from textual.app import SuspendNotSupported

from claw.errors import UsageError
from claw.tui.display import DiffDisplay


def edit_file(app: DiffDisplay[str], path: Path, environ: Mapping[str, str]) -> None:
    """Open `path` in what VISUAL or EDITOR names; the app waits. *Errors*: UsageError."""
    editor = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    try:
        with app.suspend():
            code = subprocess.call([*shlex.split(editor), str(path)], env=dict(environ))
    except SuspendNotSupported:
        raise UsageError(f"no editor can be opened here; the file is {path}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot start the editor {editor!r} (VISUAL, EDITOR): {error}") from None
    finally:
        app.forget_screen()
        app.refresh(layout=True)
    if code:
        raise UsageError(f"the editor {editor!r} ended with {code}")


def edit_text(app: DiffDisplay[str], text: str, environ: Mapping[str, str]) -> str:
    """`text` as it is afterwards. *Errors*: UsageError; `text` is not lost then."""
    descriptor, name = tempfile.mkstemp(prefix="claw-", suffix=".md")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        edit_file(app, Path(name), environ)
        return Path(name).read_text("utf-8", "replace").rstrip("\n")
    finally:
        os.unlink(name)
