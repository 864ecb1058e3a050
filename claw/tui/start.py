"""From settings to a running app, and what is left on the terminal when it has gone."""

from __future__ import annotations

import gc
from collections.abc import Mapping

from claw.config import Settings
from claw.errors import UsageError
from claw.paths import Home
from claw.tui.app import ClawApp
from claw.tui.theme import Theme, choose_theme, load_theme


def run(settings: Settings, environ: Mapping[str, str], home: Home, prompt: str | None) -> int:
    """Returns the exit code. *Errors*: UsageError for a theme that cannot be read."""
    gc.disable()  # until the first frame: a collection in the middle of the imports frees nothing
    theme = _theme(environ, home)
    app = ClawApp(
        settings,
        environ,
        home,
        theme,
        prompt=prompt,
        no_color=bool(environ.get("NO_COLOR")),
        ascii_only=not _speaks_utf8(environ),
    )
    session = app.run(mouse=True)
    if session:
        print(f"claw --resume {session}")
    return app.return_code or 0


def _theme(environ: Mapping[str, str], home: Home) -> Theme:
    """CLAW_THEME, else the one that was last worn, else what suits the terminal. *Errors*: UsageError."""
    folder = home.config / "themes"
    if wanted := environ.get("CLAW_THEME"):
        return load_theme(wanted, folder)
    try:
        return load_theme((home.state / "theme").read_text("utf-8").strip(), folder)
    except (OSError, UnicodeDecodeError, UsageError):
        return load_theme(choose_theme(None, environ, None), folder)


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "C.UTF-8"
    return "utf" in locale.lower()
