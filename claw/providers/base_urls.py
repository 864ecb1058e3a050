"""Base URLs of hosts: completed from the environment, and checked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from claw.errors import UsageError

ANY_HOST_KEY = "CLAW_API_KEY"
_VARIABLE = re.compile(r"\{(\w+)\}")
_ANY_ADDRESS = {"0.0.0.0": "localhost", "[::]": "localhost"}  # what a server listens on is no place to connect to


def base_url(host: str, template: str, variable: str, environ: Mapping[str, str]) -> str:
    """Where `host` is: at the address in `variable` if it is set, else at `template` with its variables filled in.

    *Errors*: UsageError that names the variable.
    """
    if variable and (address := environ.get(variable, "").strip()):
        return _completed(address, variable, template)

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        value = environ.get(name, "").strip()
        if not value:
            raise UsageError(f"the URL of {host} needs {name}: set it in the environment")
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", value):
            raise UsageError(f"{name} has characters that cannot stand in the URL of {host}: {value!r}")
        return value

    return _VARIABLE.sub(value_of, template)


def _completed(address: str, variable: str, template: str) -> str:
    """An address as servers' own tools take it, `gpu1`, `:11434` or `0.0.0.0:11434`, as a base URL."""
    default = urlsplit(template)
    try:
        parts = urlsplit(address if "://" in address else f"{default.scheme}://{address}")
        name = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
        port = parts.port if parts.port is not None or "://" in address else default.port
    except ValueError as error:
        raise UsageError(f"{variable} is no address of a host: {error}") from None
    name = _ANY_ADDRESS.get(name.removesuffix(":"), name.removesuffix(":")) or "localhost"
    path = parts.path.rstrip("/") or default.path
    rest = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{path}{rest}"


def checked_url(url: str) -> SplitResult:
    """The parts of `url`.

    *Errors*: UsageError, which does not repeat a password that stands in the URL.
    """
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


def is_loopback(hostname: str) -> bool:
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
