"""`claw login` and `claw logout`: keep a host's key, and forget it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from claw.config import DEFAULT_HOST, load_config
from claw.errors import UsageError
from claw.paths import Home, find_home
from claw.printable import printable
from claw.providers.base_urls import ANY_HOST_KEY
from claw.providers.catalog import key_name, load_catalog
from claw.providers.keys import KeyStore

HELP = "Keep the key of a model host: in the keyring, else in a file that only you can read."
LOGOUT_HELP = "Forget the key of a model host that `claw login` kept."
_MAX_KEY_CHARS = 16_384

HostName = Annotated[str | None, typer.Argument(metavar="[HOST]", help="A host's name or URL.", show_default=False)]


def login(
    host: HostName = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the key from stdin instead of asking for it.")] = False,
) -> None:
    """The body of the command. *Errors*: UsageError."""
    home = find_home()
    name, variables = _place(home, host)
    key = _key_from_stdin() if stdin else _key_from_terminal(name)
    store = KeyStore(home.config)
    place = store.keep(name, key)
    for problem in store.problems:
        print(f"claw: {printable(problem)}", file=sys.stderr)
    print(printable(f"the key of {name} is kept in {place}"))
    for variable in variables:
        if os.environ.get(variable, "").strip():
            print(f"claw: {variable} is set and goes before it", file=sys.stderr)


def logout(host: HostName = None) -> None:
    """The body of the command. *Errors*: UsageError."""
    home = find_home()
    name, _ = _place(home, host)
    store = KeyStore(home.config)
    places = store.forget(name)
    if not places:
        print(printable(f"no key of {name} was kept"))
    for place in places:
        print(printable(f"the key of {name} is no longer in {place}"))


def _place(home: Home, host: str | None) -> tuple[str, tuple[str, ...]]:
    """Under which name a key is kept, and the variables that go before it. *Errors*: UsageError."""
    config = load_config(home)
    host = host or os.environ.get("CLAW_HOST") or config.host or DEFAULT_HOST
    if "://" in host:
        return key_name(host), (ANY_HOST_KEY,)
    return host, (*load_catalog(config.hosts, config.models).known(host).key_variables, ANY_HOST_KEY)


def _key_from_stdin() -> str:
    key = sys.stdin.buffer.read(_MAX_KEY_CHARS + 1).decode("utf-8", "replace")
    if len(key) > _MAX_KEY_CHARS:
        raise UsageError(f"stdin holds more than {_MAX_KEY_CHARS} characters: that is no key")
    if not key.strip():
        raise UsageError("stdin holds no key")
    return key.strip()


def _key_from_terminal(name: str) -> str:
    """Nothing is shown of what is typed."""
    if not sys.stdin.isatty():
        raise UsageError("stdin is no terminal to ask for the key: pipe it in and give --stdin")
    import getpass

    try:
        key = getpass.getpass(f"Key of {printable(name)} (it is not shown): ", stream=sys.stderr)
    except EOFError:
        key = ""
    if not key.strip():
        raise UsageError("no key was given")
    return key.strip()
