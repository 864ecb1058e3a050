"""Plans: written by the model, changed by the person, then carried out."""

from __future__ import annotations

from pathlib import Path

from claw.errors import UsageError
from claw.paths import make_private_folder


class Plans:
    """A file for each session. `mode_before` is what it goes back to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.mode_before = "ask"
        self.awaited = False

    def begin(self, mode: str) -> None:
        """The next answer is a plan."""
        self.mode_before = mode if mode not in ("", "read-only") else self.mode_before
        self.awaited = True

    def keep(self, session: str, text: str) -> Path:
        """*Errors*: UsageError where it cannot be written."""
        self.awaited = False
        path = self._folder / f"{session}.md"
        try:
            make_private_folder(self._folder)
            path.write_text(text.rstrip() + "\n", "utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        return path

    def file(self, session: str) -> Path:
        """*Errors*: UsageError if there is no plan."""
        path = self._folder / f"{session}.md"
        if not path.is_file():
            raise UsageError("there is no plan in this session yet; /plan TASK makes one")
        return path

    def text(self, session: str) -> str:
        """*Errors*: UsageError if there is none, or nothing in it."""
        try:
            text = self.file(session).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the plan: {error}") from None
        if not text:
            raise UsageError("the plan is empty; /plan edit opens it")
        return text
