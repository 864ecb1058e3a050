"""Hosts and models as data, and the one endpoint that a run talks to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from claw.errors import MissingKey, UsageError
from claw.providers.base_urls import ANY_HOST_KEY, base_url, checked_url, is_loopback
from claw.providers.dialect import Dialect
from claw.providers.pricing import Price
from claw.providers.secret import Secret, checked_key

GENERIC = "generic"
FREE = Price(0.0, 0.0, 0.0)
UNKNOWN_WINDOW = 131_072  # of a model that no table knows: small enough for most that are served today

T = TypeVar("T")
Tables = Mapping[str, Mapping[str, Any]]


class Host(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of `hosts.toml`, where each field is explained."""

    base_url: str
    key_variables: tuple[str, ...]
    key_required: bool
    default_model: str
    any_model: bool
    models: dict[str, str]
    billing: Literal["list", "free", "unknown"]
    base_url_variable: str = ""
    key_command: str | tuple[str, ...] = ()
    prices: dict[str, Price] = {}
    dialect: Dialect = Dialect()


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of `models.toml`, where each field is explained."""

    hosts: tuple[str, ...] = ()
    context_window: int = UNKNOWN_WINDOW
    max_output_tokens: int = 0
    price: Price | None = None


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where requests go, as whom, and in which dialect. `host` is a name of `hosts.toml`, or an address.

    `model` is claw's name for it, `wire_model` the host's own where that differs. `key_variable` is where the
    key is: a variable, or another place in words.
    """

    host: str
    base_url: str
    model: str
    wire_model: str = ""
    key: Secret | None = None
    key_variable: str = ANY_HOST_KEY
    context_window: int = UNKNOWN_WINDOW
    max_output_tokens: int = 0
    price: Price | None = None
    dialect: Dialect = Dialect()

    @property
    def address(self) -> str:
        """The network name, and the port where it is not the scheme's own."""
        return urlsplit(self.base_url).netloc

    @property
    def is_loopback(self) -> bool:
        return is_loopback(urlsplit(self.base_url).hostname or "")


class Catalog:
    """The hosts and models that claw knows, with the user's own tables laid over them."""

    def __init__(self, hosts: Mapping[str, Host], models: Mapping[str, Model]) -> None:
        self.hosts = hosts
        self.models = models

    def resolve(self, host: str, model: str | None, environ: Mapping[str, str], config: Path | None = None) -> Endpoint:
        """The endpoint for `--host` and `--model`.

        The key is taken from `environ`, else from what is kept for claw in the folder `config` (see `keys`).

        A URL is sent no key but that of `CLAW_API_KEY` and one that was kept for it: a named host's key goes to
        that host alone.

        *Errors*: UsageError for an unknown host or model, a URL that is none, a key that would travel
        unencrypted or that is kept and cannot be had; MissingKey.
        """
        if "://" in host:
            return self._endpoint(self.hosts[GENERIC], "", host, model, environ, config)
        known = self.known(host)
        url = base_url(host, known.base_url, known.base_url_variable, environ)
        return self._endpoint(known, host, url, model, environ, config)

    def known(self, host: str) -> Host:
        """The host of this name. *Errors*: UsageError."""
        known = self.hosts.get(host)
        if known is None or host == GENERIC:
            names = ", ".join(sorted(self.hosts.keys() - {GENERIC}))
            raise UsageError(f"unknown host {host!r}: allowed are {names}, or a URL such as http://localhost:8000/v1")
        return known

    def _endpoint(
        self,
        host: Host,
        name: str,
        url: str,
        model: str | None,
        environ: Mapping[str, str],
        config: Path | None,
    ) -> Endpoint:
        parts = checked_url(url)
        model = _own_name(host, model or host.default_model)
        known = self._model(host, name, model)
        variables = (*host.key_variables, ANY_HOST_KEY)
        variable, key = _find_key(variables, environ)
        if key is None and config and (kept := _kept_key(host, name or key_name(url), config)):
            variable, key = kept
        if key is None and host.key_required:
            login = f", or run `claw login {name}`" if config else ""
            raise MissingKey(f"no key for {name}: set {' or '.join(variables)} in the environment{login}")
        if key and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise UsageError(
                f"{url} is not encrypted, so the key in {variable} is not sent there: use https, or unset {variable}"
            )
        return Endpoint(
            host=name or parts.netloc,
            base_url=url.rstrip("/"),
            model=model,
            wire_model=host.models.get(model, model),
            key=key,
            key_variable=variable,
            context_window=known.context_window,
            max_output_tokens=known.max_output_tokens,
            price=_price(host, model, known),
            dialect=host.dialect,
        )

    def _model(self, host: Host, host_name: str, model: str) -> Model:
        known = self.models.get(model)
        if known and (host.any_model or model in host.models or not known.hosts or host_name in known.hosts):
            return known
        if model in host.models or (host.any_model and model.strip()):
            return Model()
        served = (name for name, other in self.models.items() if not other.hosts or host_name in other.hosts)
        allowed = ", ".join(sorted({*served, *host.models}))
        raise UsageError(f"unknown model {model!r} on {host_name}: allowed are {allowed}")


def _own_name(host: Host, model: str) -> str:
    """claw's name for a model, which may have been given by the name that the host has for it."""
    if model in host.models:
        return model
    return next((name for name, wire_model in host.models.items() if wire_model == model), model)


def _price(host: Host, model: str, known: Model) -> Price | None:
    if model in host.prices:
        return host.prices[model]
    return {"list": known.price, "free": FREE, "unknown": None}[host.billing]


def load_catalog(hosts: Tables | None = None, models: Tables | None = None) -> Catalog:
    """claw's own tables with `hosts` and `models` laid over them, field by field.

    *Errors*: UsageError that names the table and the field.
    """
    host_tables = _overlay(_read("hosts.toml"), hosts or {})
    model_tables = _overlay(_read("models.toml"), models or {})
    generic = host_tables[GENERIC]
    return Catalog(
        {name: _convert("hosts", name, _merge(generic, table), Host) for name, table in host_tables.items()},
        {name: _convert("models", name, table, Model) for name, table in model_tables.items()},
    )


def _read(name: str) -> Tables:
    import tomllib  # only a run that talks to a model needs it

    return tomllib.loads(Path(__file__).with_name(name).read_text("utf-8"))


def _overlay(own: Tables, users: Tables) -> dict[str, Mapping[str, Any]]:
    names = (*own, *(users.keys() - own.keys()))
    return {name: _merge(own.get(name, {}), users.get(name, {})) for name in names}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`; tables within are merged, anything else is replaced."""
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = _merge(below[name], above[name])
    return merged


def _convert(kind: str, name: str, table: Mapping[str, Any], to: type[T]) -> T:
    try:
        return msgspec.convert(dict(table), to)
    except msgspec.ValidationError as error:
        raise UsageError(f"[{kind}.{name}] in the config file: {error}") from None


def key_name(url: str) -> str:
    """The name that a key for a URL is kept under: no name of a host can be taken for it."""
    parts = checked_url(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _kept_key(host: Host, name: str, config: Path) -> tuple[str, Secret] | None:
    """Where the key of a host is kept, and the key."""
    if not (host.key_required or host.key_command or (config / "credentials.json").exists()):
        return None
    from claw.providers.keys import KeyStore  # with a key in the environment nobody needs it

    found = KeyStore(config).find(name, host.key_command, needed=host.key_required)
    return (found.place, found.key) if found else None


def _find_key(variables: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, Secret | None]:
    """The first variable that is set, and its key; else the first variable and None."""
    for variable in variables:
        if key := environ.get(variable, "").strip():
            return variable, checked_key(key, variable)
    return variables[0], None
