"""Fetches a page for the model: no cookies, no referrer, no key, and only from where it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from msgspec import Struct

import claw
from claw.errors import ToolDenied, ToolError
from claw.network.base import CONNECT_TIMEOUT_S, Resolver, SystemResolver
from claw.network.gate import DEFAULT_PORTS, NetworkGate
from claw.tooling.addresses import Url, parse_url
from claw.tooling.services import Page

if TYPE_CHECKING:
    import ssl

    import httpx2

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
_FIRST_FREE_PORT = 1024


class FetchLimits(Struct, frozen=True):
    """*Units*: bytes of a page once it is unpacked; seconds for all of a fetch, and for nothing to arrive."""

    size_bytes: int = 5 * 1024 * 1024
    total_s: float = 30.0
    idle_s: float = 15.0


class Fetcher:
    """The pages that `claw.tooling.services.Web` promises.

    Whether a host may be asked for at all has been decided before `fetch`, by the permission gate; `gate`
    keeps it out of private networks, and `allows` says which other hosts a redirect may lead to unasked.
    Proxies in the environment are not used: one would look the name up itself, and what was judged would no
    longer be what is reached. `ssl_context` None means the system's certificates, and `SSL_CERT_FILE`.
    """

    def __init__(
        self,
        gate: NetworkGate,
        allows: Callable[[str], bool] = lambda url: False,
        *,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        limits: FetchLimits | None = None,
    ) -> None:
        self._gate = gate
        self._allows = allows
        self._resolver = resolver or SystemResolver()
        self._ssl_context = ssl_context
        self._limits = limits or FetchLimits()

    async def fetch(self, url: str) -> Page:
        """*Errors*: ToolDenied for an address that may not be reached; ToolError."""
        try:
            async with asyncio.timeout(self._limits.total_s):
                return await self._follow(parse_url(url))
        except TimeoutError:
            raise ToolError(
                f"{url} took more than {self._limits.total_s:g} s. Nothing was kept.", "timed out"
            ) from None

    async def _follow(self, url: Url) -> Page:
        start = url
        for _ in range(MAX_REDIRECTS + 1):
            async with self._get(url) as response:
                location = response.headers.get("location")
                if response.status_code not in _REDIRECTS or not location:
                    return await self._page(url, response)
            url = self._next(start, url, location)
        raise ToolError(f"{start} was redirected more than {MAX_REDIRECTS} times, last to {url}.", "redirects")

    def _next(self, start: Url, url: Url, location: str) -> Url:
        """Where a redirect leads. *Errors*: ToolError if that is for the model to ask for itself."""
        try:
            found = parse_url(urljoin(str(url), location))
        except (ToolError, ValueError) as error:
            raise ToolError(f"{url} is redirected to what cannot be fetched: {error}", "bad redirect") from None
        if url.scheme == "https" and found.scheme == "http":
            raise ToolError(f"{url} is redirected from https to {found}. Fetch that if it will do.", "redirect to http")
        same = found.host == start.host and found.port in (start.port, *DEFAULT_PORTS)
        if not (same or self._allows(str(found))):
            raise ToolError(
                f"{url} is redirected to another host: {found}. Fetch that address if you want to go on.",
                f"redirected to {found.host}",
            )
        return found

    @asynccontextmanager
    async def _get(self, url: Url) -> AsyncIterator[httpx2.Response]:
        """The answer of the first address that can be reached, its body not yet read.

        The request goes to an address; the name stands in `Host`, and in TLS, whose certificate is held to it.
        """
        import httpx2

        target = self._gate.target(url.host, url.port)
        if url.port < _FIRST_FREE_PORT and url.port not in DEFAULT_PORTS and not target.own_port:
            raise ToolDenied(
                f"port {url.port} belongs to another service than the web. The user can allow it with "
                f"`--allow-host {target}`.",
                f"port {url.port} refused",
            )
        addresses = await self._gate.addresses(target, self._resolver)
        verify = await self._certificates() if url.scheme == "https" else False
        timeout = httpx2.Timeout(self._limits.idle_s, connect=CONNECT_TIMEOUT_S)
        headers = {
            "Host": url.authority,
            "User-Agent": f"claw/{claw.__version__}",
            "Accept": "text/markdown, text/html;q=0.9, text/plain;q=0.8, */*;q=0.5",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "close",
        }
        async with httpx2.AsyncClient(verify=verify, trust_env=False, timeout=timeout) as client:
            client.headers.clear()
            for i, address in enumerate(addresses):
                place = httpx2.URL(scheme=url.scheme, host=str(address), port=url.port, raw_path=url.target.encode())
                request = client.build_request("GET", place, headers=headers, extensions={"sni_hostname": url.host})
                try:
                    response = await client.send(request, stream=True, follow_redirects=False)
                except httpx2.ConnectError as error:
                    if i == len(addresses) - 1:
                        raise ToolError(f"{target} cannot be reached: {error}", "not reached") from None
                    continue
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                    raise _broken(url, error) from None
                try:
                    yield response
                finally:
                    await response.aclose()
                return

    async def _certificates(self) -> ssl.SSLContext:
        """Loaded once, and only where it is needed: it takes 20 to 50 ms."""
        import httpx2

        if self._ssl_context is None:
            self._ssl_context = await asyncio.to_thread(httpx2.create_ssl_context)
        return self._ssl_context

    async def _page(self, url: Url, response: httpx2.Response) -> Page:
        import httpx2

        from claw.network.page import readable  # most runs fetch nothing

        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _ENCODINGS:  # several of them, one in the other, are how a bomb is built
            raise ToolError(f"{url} is packed as {encoding[:60]!r}, which was not asked for.", "unknown encoding")
        data, cut = bytearray(), False
        try:
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > self._limits.size_bytes:
                    cut = True
                    break
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise _broken(url, error) from None
        size_bytes = len(data)
        del data[self._limits.size_bytes :]
        kind = response.headers.get("content-type", "")[:500]
        text = await readable(bytes(data), kind, str(url), cut=cut) if data else ""
        media_type = kind.partition(";")[0].strip().lower()
        return Page(str(url), response.status_code, media_type, text, size_bytes, cut)


def _broken(url: Url, error: Exception) -> ToolError:
    return ToolError(f"{url} could not be read: {error or type(error).__name__}", "not read")
