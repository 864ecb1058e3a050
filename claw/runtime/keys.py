"""Keys, for a frontend that asks for one: whether a host takes it, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from claw.config import Settings
from claw.errors import UsageError
from claw.paths import Home
from claw.providers.base_urls import ANY_HOST_KEY
from claw.providers.catalog import GENERIC, key_name, load_catalog
from claw.providers.client import make_client
from claw.providers.keys import KeyStore

_WITHIN_S = 15.0
_REFUSED = (401, 403)


class KnownHost(NamedTuple):
    """`variables` are where its key is looked for, empty where it needs none."""

    name: str
    base_url: str
    variables: Sequence[str]


def hosts_to_choose(settings: Settings) -> Sequence[KnownHost]:
    """*Errors*: UsageError for tables of the user's that cannot be read."""
    hosts = load_catalog(settings.hosts, settings.models).hosts
    return [
        KnownHost(name, host.base_url, (*host.key_variables, ANY_HOST_KEY) if host.key_required else ())
        for name, host in sorted(hosts.items())
        if name != GENERIC
    ]


async def try_key(settings: Settings, host: str, key: str, environ: Mapping[str, str]) -> str:
    """What the host says to the key: empty if it takes it. A host that cannot be reached is no refusal of the key.

    *Errors*: UsageError where the host refuses it, or it cannot be a key.
    """
    import httpx2

    catalog = load_catalog(settings.hosts, settings.models)
    endpoint = catalog.resolve(
        host, None, {**environ, ANY_HOST_KEY: key, **_first(catalog.hosts[host].key_variables, key)}
    )
    client = make_client(endpoint, _WITHIN_S)
    try:
        answer = await client.get("models")
    except httpx2.HTTPError as error:
        return f"{host} could not be reached ({type(error).__name__}), so the key was not tested"
    finally:
        await client.aclose()
    if answer.status_code in _REFUSED:
        raise UsageError(f"{host} refuses this key ({answer.status_code})")
    return "" if answer.status_code == 200 else f"{host} answered {answer.status_code} to the test of the key"


def _first(variables: Sequence[str], key: str) -> dict[str, str]:
    """Where it is looked for first, so that another one in the environment is not tested in its place."""
    return dict.fromkeys(variables, key)


def keep_key(home: Home, host: str, key: str) -> str:
    """Returns where it is kept. *Errors*: UsageError."""
    return KeyStore(home.config).keep(key_name(host) if "://" in host else host, key)


def keep_host(home: Home, host: str) -> str:
    """Make it the host of every start, where there is no configuration yet. Returns what to tell the person."""
    file: Path = home.config_file
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as new:
            new.write(f'host = "{host}"\n')
    except FileExistsError:
        return f'to have it at every start: host = "{host}" in {file}'
    except OSError as error:
        return f"cannot write {file}: {error.strerror}"
    return f"{file} names it from now on"
