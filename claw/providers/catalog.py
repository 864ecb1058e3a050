"""Hosts and models as data, and the one endpoint that a run talks to."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Struct

from claw.errors import MissingKey, UsageError
from claw.providers.pricing import Price
from claw.providers.secret import Secret

ANY_HOST_KEY = "CLAW_API_KEY"
GENERIC = "generic"
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
    reasoning_field: str
    thinking: Literal["moonshot", "none"]
    max_tokens_field: str


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of `models.toml`, where each field is explained."""

    hosts: tuple[str, ...] = ()
    context_window: int = UNKNOWN_WINDOW
    max_output_tokens: int = 0
    price: Price | None = None


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where requests go, as whom, and in which dialect. `host` is a name of `hosts.toml`, or an address."""

    host: str
    base_url: str
    model: str
    key: Secret | None = None
    key_variable: str = ANY_HOST_KEY
    context_window: int = UNKNOWN_WINDOW
    max_output_tokens: int = 0
    price: Price | None = None
    reasoning_field: str = "reasoning_content"
    thinking: Literal["moonshot", "none"] = "none"
    max_tokens_field: str = "max_tokens"

    @property
    def address(self) -> str:
        """The network name, and the port where it is not the scheme's own."""
        return urlsplit(self.base_url).netloc

    @property
    def is_loopback(self) -> bool:
        return _is_loopback(urlsplit(self.base_url).hostname or "")


class Catalog:
    """The hosts and models that claw knows, with the user's own tables laid over them."""

    def __init__(self, hosts: Mapping[str, Host], models: Mapping[str, Model]) -> None:
        self.hosts = hosts
        self.models = models

    def resolve(self, host: str, model: str | None, environ: Mapping[str, str]) -> Endpoint:
        """The endpoint for `--host` and `--model`.

        A URL is sent no key but that of `CLAW_API_KEY`: a named host's key goes to that host alone.

        *Errors*: UsageError for an unknown host or model, a URL that is none, or a key that would travel
        unencrypted; MissingKey.
        """
        if "://" in host:
            return self._endpoint(self.hosts[GENERIC], "", host, model, environ)
        known = self.hosts.get(host)
        if known is None or host == GENERIC:
            names = ", ".join(sorted(self.hosts.keys() - {GENERIC}))
            raise UsageError(f"unknown host {host!r}: allowed are {names}, or a URL such as http://localhost:8000/v1")
        return self._endpoint(known, host, known.base_url, model, environ)

    def _endpoint(self, host: Host, name: str, url: str, model: str | None, environ: Mapping[str, str]) -> Endpoint:
        parts = _checked(url)
        model = model or host.default_model
        known = self._model(host, name, model)
        variables = (*host.key_variables, ANY_HOST_KEY)
        variable, key = _find_key(variables, environ)
        if key is None and host.key_required:
            raise MissingKey(f"no key for {name}: set {' or '.join(variables)} in the environment")
        if key and parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise UsageError(
                f"{url} is not encrypted, so the key in {variable} is not sent there: use https, or unset {variable}"
            )
        return Endpoint(
            host=name or parts.netloc,
            base_url=url.rstrip("/"),
            model=model,
            key=key,
            key_variable=variable,
            context_window=known.context_window,
            max_output_tokens=known.max_output_tokens,
            price=known.price,
            reasoning_field=host.reasoning_field,
            thinking=host.thinking,
            max_tokens_field=host.max_tokens_field,
        )

    def _model(self, host: Host, host_name: str, model: str) -> Model:
        known = self.models.get(model)
        if known and (host.any_model or not known.hosts or host_name in known.hosts):
            return known
        if host.any_model and model.strip():
            return Model()
        allowed = sorted(name for name, other in self.models.items() if not other.hosts or host_name in other.hosts)
        raise UsageError(f"unknown model {model!r} on {host_name}: allowed are {', '.join(allowed)}")


def load_catalog(hosts: Tables | None = None, models: Tables | None = None) -> Catalog:
    """claw's own tables with `hosts` and `models` laid over them, field by field.

    *Errors*: UsageError that names the table and the field.
    """
    own_hosts, own_models = _read("hosts.toml"), _read("models.toml")
    generic = {**own_hosts[GENERIC], **(hosts or {}).get(GENERIC, {})}
    return Catalog(
        {
            name: _convert("hosts", name, {**generic, **table}, Host)
            for name, table in _overlay(own_hosts, hosts or {}).items()
        },
        {name: _convert("models", name, table, Model) for name, table in _overlay(own_models, models or {}).items()},
    )


def _read(name: str) -> Tables:
    import tomllib  # only a run that talks to a model needs it

    return tomllib.loads(Path(__file__).with_name(name).read_text("utf-8"))


def _overlay(own: Tables, users: Tables) -> Tables:
    return {name: {**own.get(name, {}), **users.get(name, {})} for name in (*own, *(users.keys() - own.keys()))}


def _convert(kind: str, name: str, table: Mapping[str, Any], to: type[T]) -> T:
    try:
        return msgspec.convert(dict(table), to)
    except msgspec.ValidationError as error:
        raise UsageError(f"[{kind}.{name}] in the config file: {error}") from None


def _checked(url: str) -> SplitResult:
    """*Errors*: UsageError, which does not repeat a password that stands in the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"not a host URL: {error}; an example is http://localhost:8000/v1") from None
    if parts.username or parts.password:
        raise UsageError(f"the host URL holds a user or password: set {ANY_HOST_KEY} instead")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not url.isprintable() or " " in url:
        raise UsageError(f"not a host URL: {url!r}; it begins with http:// or https://, as http://localhost:8000/v1")
    if parts.query or parts.fragment:
        raise UsageError(f"the host URL {url!r} must be a base that ends in /v1, without ? and #")
    return parts


def _find_key(variables: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, Secret | None]:
    """The first variable that is set, and its key; else the first variable and None."""
    for variable in variables:
        if key := environ.get(variable, "").strip():
            if not (key.isascii() and key.isprintable() and " " not in key):
                raise UsageError(f"the key in {variable} has characters that no key has: spaces, quotes or line ends?")
            return variable, Secret(key)
    return variables[0], None


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
