"""The first start: which host, and its key, asked once, tested and kept."""

from __future__ import annotations

import sys
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input, Static

from claw.errors import ClawError
from claw.printable import printable
from claw.tui.desk import Front
from claw.tui.screens.picker import Choice, Picker

_DEMO = "demo"


class KeyScreen(Screen[str]):
    """A key, of which nothing is shown; empty for none."""

    DEFAULT_CSS = """
    KeyScreen { background: $background; padding: 1 2; }
    KeyScreen > Static { height: auto; margin: 0 0 1 0; }
    KeyScreen > Input { height: 1; border: none; padding: 0; background: $panel; }
    KeyScreen > Input:focus { border: none; }
    """

    def __init__(self, host: str, variables: str, problem: str) -> None:
        super().__init__()
        self._lines = [f"The key of {printable(host)}. It is tested, then kept where only you can read it.",
                       f"Another way, without claw keeping it: leave this empty and set {printable(variables)}.",
                       printable(problem)]  # fmt: skip
        self._input = Input(password=True, compact=True)

    def compose(self) -> ComposeResult:
        for line in filter(None, self._lines):
            yield Static(line, markup=False)
        yield self._input
        yield Static("\nEnter keeps it   Esc leaves it", markup=False)

    def on_mount(self) -> None:
        self._input.cursor_blink = False
        self._input.focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.dismiss(message.value.strip())

    def on_key(self, event: events.Key) -> None:
        if event.key in ("escape", "ctrl+c"):
            event.stop()
            self.dismiss("")


async def first_start(front: Front, run_own: Any) -> None:
    """Ask, and open a session if there is a key then. `run_own` runs a command for the person."""
    from claw.runtime.keys import hosts_to_choose, keep_host, keep_key, try_key

    settings = front.bridge.settings
    hosts = {host.name: host for host in hosts_to_choose(settings)}
    choices = [Choice(name, name, host.base_url if host.variables else f"{host.base_url}, no key needed")
               for name, host in hosts.items()]  # fmt: skip
    choices.append(Choice(_DEMO, "none yet: show me the demo", "a recorded model, real tools, no key"))
    name = await front.ask_screen(Picker("Which host serves the model?", choices, front.look, at=settings.host))
    if name is None:
        front.note("no host was chosen; /host NAME asks one, and `claw login` keeps its key")
        return
    if name == _DEMO:
        run_own(f"{sys.executable} -P -m claw demo")
        return
    problem = ""
    while hosts[name].variables:
        key = await front.ask_screen(KeyScreen(name, " or ".join(hosts[name].variables), problem))
        if not key:
            front.note(f"no key was given; `claw login {name}` keeps one")
            return
        try:
            said = await try_key(settings, name, key, front.environ)
            where = keep_key(front.home, name, key)
        except ClawError as error:
            problem = str(error)
            continue
        if said:
            front.note(said, "warning")
        front.note(f"the key is kept in {where}", "done")
        break
    if await front.reopen(host=name, model=None):
        front.note(keep_host(front.home, name))
        front.note(_about_sandbox(front.figures.sandbox))


def _about_sandbox(name: str) -> str:
    if name in ("", "none"):
        return "Commands are not confined here (claw doctor says why): each is asked for before it runs."
    return f"Commands run confined ({name}): they write in this folder only, and have no network. /sandbox, /network."
