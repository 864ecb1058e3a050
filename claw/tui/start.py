"""From settings to a running app, and what is left on the terminal when it has gone."""

from __future__ import annotations

import gc
from collections.abc import Mapping

from claw.config import Settings
from claw.paths import Home
from claw.tui.app import ClawApp
from claw.tui.theme import choose_theme, load_theme


def run(settings: Settings, environ: Mapping[str, str], home: Home, prompt: str | None) -> int:
    """Returns the exit code. *Errors*: UsageError for a theme that cannot be read."""
    gc.disable()  # until the first frame: a collection in the middle of the imports frees nothing
    name = choose_theme(environ.get("CLAW_THEME"), environ, None)
    theme = load_theme(name, home.config / "themes")
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


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "C.UTF-8"
    return "utf" in locale.lower()
