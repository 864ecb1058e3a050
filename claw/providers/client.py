"""The HTTP client of an endpoint: its key, its certificates, its patience."""

from __future__ import annotations

import hashlib

import httpx2

import claw
from claw.errors import UsageError
from claw.providers.catalog import Endpoint

CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 120.0  # tools run between two requests; a new TLS connection costs more than an idle one


def make_client(endpoint: Endpoint, idle_timeout_s: float) -> httpx2.AsyncClient:
    """The one way to a host, for the chat and for the probe.

    Plain http needs no certificates, whose loading is most of a client's cost; loopback no proxy.

    *Errors*: UsageError for a proxy or certificate file, named in the environment, that cannot be used.
    """
    headers = {
        "User-Agent": f"claw/{claw.__version__}",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",  # compression would hold back deltas
        "Content-Type": "application/json",
    }
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key.reveal()}"
    try:
        return httpx2.AsyncClient(
            base_url=f"{endpoint.base_url}/",
            headers=headers,
            verify=httpx2.create_ssl_context() if endpoint.base_url.startswith("https:") else False,
            trust_env=not endpoint.is_loopback,
            follow_redirects=False,
            timeout=httpx2.Timeout(idle_timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=4, keepalive_expiry=KEEPALIVE_S),
        )
    except (ValueError, ImportError, OSError, httpx2.InvalidURL) as error:
        raise UsageError(
            f"cannot set up a connection to {endpoint.base_url}: {error}; check the proxy variables and SSL_CERT_FILE"
        ) from error


def affinity_headers(header: str, session: str) -> dict[str, str]:
    """The header that brings the requests of one session to the same cache."""
    if not header or not session:
        return {}
    fits = session.isascii() and session.isprintable() and session == session.strip()
    return {header: session if fits else hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()}
