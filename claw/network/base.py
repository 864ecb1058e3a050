"""Names to addresses, and addresses to connections: resolved once, and reached where they were judged."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from claw.errors import ToolError
from claw.tooling.addresses import Address, parse_ip

RESOLVE_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 10.0


# Opens a connection to the first address that answers, at a port; the number bounds what is read ahead.
Dial = Callable[[Sequence[Address], int, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Resolver(Protocol):
    """Asks what addresses a name has."""

    async def resolve(self, host: str) -> Sequence[Address]:
        """In the order in which they are to be tried. *Errors*: ToolError if there are none."""
        ...


class SystemResolver:
    """Asks the system: hosts file, DNS, whatever is set up."""

    async def resolve(self, host: str) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            reason = getattr(error, "strerror", None) or "no answer in time"
            raise ToolError(f"{host} has no address: {reason}.", "unknown host") from None
        texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
        return [address for text in texts if (address := parse_ip(text))]


async def connect(
    addresses: Sequence[Address], port: int, limit_bytes: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first of the addresses that answers. `limit_bytes` bounds what is read ahead.

    *Errors*: OSError of the last one.
    """
    last: OSError = OSError("no address")
    for address in addresses:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await asyncio.open_connection(str(address), port, limit=limit_bytes)
        except OSError as error:
            last = error
    raise last
