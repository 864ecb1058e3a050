"""One connection to the proxy: its requests, or its tunnel. HTTP is read and written by h11 on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

import h11

from claw.errors import ToolDenied, ToolError
from claw.network.base import Dial, Resolver
from claw.network.client_hello import read_client_hello
from claw.network.gate import NetworkGate, Target
from claw.tooling.addresses import canonical_host, parse_ip, split_port

_CHUNK_BYTES = 64 * 1024
_TURN_AWAY_S = 1.0
_HEAD_LIMIT_BYTES = 64 * 1024
_ABSOLUTE = re.compile(r"(?i)http://([^/?#]*)(.*)")
# What belongs to one connection and not to the message, beside what `Connection` names.
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"expect", b"host"})
_TLS_ACCESS_DENIED = bytes((21, 3, 3, 0, 2, 2, 49))  # an alert, so that the client need not wait for an end

Headers = Iterable[tuple[bytes, bytes]]


class Wire:
    """One side of an exchange: events of h11 over a stream. *Errors*: OSError, h11.ProtocolError."""

    def __init__(
        self,
        role: type[h11.CLIENT] | type[h11.SERVER],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        idle_s: float,
    ) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=_HEAD_LIMIT_BYTES)
        self.reader = reader
        self.writer = writer
        self._idle_s = idle_s

    async def next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Never NEED_DATA."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            if self.http.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            async with asyncio.timeout(self._idle_s):
                self.http.receive_data(await self.reader.read(_CHUNK_BYTES))
        return event

    async def send(self, event: h11.Event) -> None:
        if data := self.http.send(event):
            await self.write(data)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(self._idle_s):
            await self.writer.drain()


class Ways(NamedTuple):
    """How hosts are judged, found and reached. `tell` is called with a refused host and a sentence on it."""

    gate: NetworkGate
    resolver: Resolver
    dial: Dial
    tell: Callable[[str, str], None]


class Client:
    """*Order*: `serve` or `turn_away`, once."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ways: Ways,
        head_s: float,
        idle_s: float,
    ) -> None:
        self._wire = Wire(h11.SERVER, reader, writer, idle_s)
        self._gate, self._resolver, self._dial, self._tell = ways
        self._head_s = head_s
        self._idle_s = idle_s

    async def turn_away(self) -> None:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_TURN_AWAY_S):  # closed with something unread, the answer would be lost
                await self._wire.reader.read(_CHUNK_BYTES)
            self._wire.writer.write(
                b"HTTP/1.1 503 Too many connections\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            self._wire.writer.close()

    async def serve(self) -> None:
        """Until the client goes away or does what it may not."""
        wire = self._wire
        with contextlib.suppress(OSError, h11.LocalProtocolError):  # whoever asked has gone; time-outs too
            try:
                while await self._request():
                    wire.http.start_next_cycle()
            except ToolDenied as refusal:
                await self._refuse(403, refusal)
            except ToolError as refusal:
                await self._refuse(502 if refusal.brief == "unknown host" else 400, refusal)
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint, ToolError(f"this is not HTTP: {error}", "not HTTP"))

    async def _request(self) -> bool:
        """Whether another one may follow on the same connection."""
        async with asyncio.timeout(self._head_s):
            request = await self._wire.next()
        if not isinstance(request, h11.Request):
            return False
        line = request.target.decode("ascii", "replace")
        if request.method == b"CONNECT":
            host, port = split_port(line)
            if port is None:
                raise ToolError(f"CONNECT needs a host and a port, and got {line!r}.")
            await self._tunnel(host, port)
            return False
        if not (absolute := _ABSOLUTE.fullmatch(line)) or "@" in absolute[1]:
            raise ToolError("this is claw's proxy: it takes CONNECT, and requests for a whole http:// URL.")
        host, port = split_port(absolute[1])
        path = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
        await self._forward(request, host, port or 80, path.partition("#")[0].encode())
        return self._wire.http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}

    async def _refuse(self, status: int, refusal: ToolError) -> None:
        if isinstance(refusal, ToolDenied):
            self._tell(refusal.brief, f"a command was refused the network: {refusal}")
        if self._wire.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return  # the answer has begun already: all that is left is to break off
        body = f"claw: {refusal}\n".encode()
        reason = re.sub(r"[^ -~]", "?", f"claw: {refusal.brief}")[:120]  # all that some clients show
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        await self._wire.send(
            h11.Response(status_code=status, reason=reason, headers=[*headers, ("Connection", "close")])
        )
        await self._wire.send(h11.Data(data=body))
        await self._wire.send(h11.EndOfMessage())

    async def _open(self, host: str, port: int) -> tuple[Target, asyncio.StreamReader, asyncio.StreamWriter]:
        """*Errors*: ToolError; OSError is turned into the answer 502 and raised on."""
        target = self._gate.judge(host, port)
        addresses = await self._gate.addresses(target, self._resolver)
        try:
            return target, *(await self._dial(addresses, port, _CHUNK_BYTES))
        except OSError as error:
            await self._refuse(502, ToolError(f"{target} does not answer: {error}", f"{target} does not answer"))
            raise

    # ---- requests

    async def _forward(self, request: h11.Request, host: str, port: int, path: bytes) -> None:
        target, reader, writer = await self._open(host, port)
        upstream = Wire(h11.CLIENT, reader, writer, self._idle_s)
        authority = str(target) if port != 80 else str(target).removesuffix(":80")
        headers = [(b"Host", authority.encode()), *_end_to_end(request.headers), (b"Connection", b"close")]
        sending: asyncio.Task[None] | None = None
        try:
            await upstream.send(h11.Request(method=request.method, target=path, headers=headers))
            sending = asyncio.create_task(self._send_body(upstream))
            await self._send_response(upstream)
            if self._wire.http.their_state is h11.DONE:
                await sending
        except h11.RemoteProtocolError as error:
            await self._refuse(502, ToolError(f"{target} did not answer in HTTP: {error}", f"{target}: bad answer"))
            raise ConnectionAbortedError from None
        except OSError:
            await self._refuse(502, ToolError(f"{target} broke off", f"{target} broke off"))
            raise
        finally:
            if sending:
                sending.cancel()
                await asyncio.wait([sending])
            writer.transport.abort()

    async def _send_body(self, upstream: Wire) -> None:
        """A client that breaks off, or a host that listens no more, shows in the answer."""
        with contextlib.suppress(OSError, h11.ProtocolError):
            while isinstance(event := await self._wire.next(), h11.Data | h11.EndOfMessage):
                await upstream.send(h11.EndOfMessage() if isinstance(event, h11.EndOfMessage) else event)
                if isinstance(event, h11.EndOfMessage):
                    return
            upstream.writer.transport.abort()

    async def _send_response(self, upstream: Wire) -> None:
        while True:
            match await upstream.next():
                case h11.InformationalResponse():
                    continue
                case h11.Response(status_code=status, reason=reason, headers=headers):
                    plain = list(_end_to_end(headers, framing_of_ours=True))
                    await self._wire.send(h11.Response(status_code=status, reason=reason, headers=plain))
                case h11.Data(data=data):
                    await self._wire.send(h11.Data(data=data))
                case h11.EndOfMessage():
                    return await self._wire.send(h11.EndOfMessage())
                case _:
                    raise h11.RemoteProtocolError("no answer")

    # ---- tunnels

    async def _tunnel(self, host: str, port: int) -> None:
        target = self._gate.judge(host, port)
        if port == 80 and not target.own_port:
            raise ToolDenied("no tunnel to port 80: ask for the http:// URL itself.", f"{target}: no tunnel")
        target, reader, writer = await self._open(host, port)
        wire = self._wire
        try:
            await wire.send(h11.Response(status_code=200, reason=HTTPStatus.OK.phrase, headers=[]))
            early, _ = wire.http.trailing_data
            async with asyncio.timeout(self._idle_s) as idle:
                down = asyncio.create_task(_pump(reader, wire.writer, idle, self._idle_s))
                try:
                    try:
                        opening = await self._opening(target, bytes(early))
                    except ToolError as refusal:
                        self._tell(target.host, f"a command was refused the network: {refusal}")
                        await wire.write(_TLS_ACCESS_DENIED)
                        return
                    writer.write(opening)
                    await _pump(wire.reader, writer, idle, self._idle_s)
                    await down
                finally:
                    down.cancel()
                    await asyncio.wait([down])
        finally:
            writer.transport.abort()

    async def _opening(self, target: Target, data: bytes) -> bytes:
        """What the client says first, once it is clear that it means `target`.

        *Errors*: ToolDenied for TLS with another name. On a port that the user has not named it must be TLS.
        """
        async with asyncio.timeout(self._idle_s if target.own_port else self._head_s):
            while True:
                if data and data[0] != 22 and target.own_port and target.port != 443:
                    return data
                if data and (hello := read_client_hello(data)) is not None:
                    break
                piece = await self._wire.reader.read(_CHUNK_BYTES)
                if not piece:
                    raise ConnectionResetError("nothing was asked")
                data += piece
        if hello.encrypted:
            raise ToolDenied(
                f"a TLS connection to {target} hides the name it asks for (Encrypted Client Hello).", "hidden name"
            )
        named = canonical_host(hello.server_name) if hello.server_name else None
        if named != target.host and not (named is None and parse_ip(target.host)):
            raise ToolDenied(
                f"a tunnel to {target} was used for {named or 'a host that it does not name'}.", f"{named} by a tunnel"
            )
        return data


def _end_to_end(headers: Headers, *, framing_of_ours: bool = False) -> Iterable[tuple[bytes, bytes]]:
    """Without what belongs to the connection. One length is left: h11 went by the chunks where there were two."""
    headers = list(headers)
    named = {name.strip().lower() for key, value in headers if key == b"connection" for name in value.split(b",")}
    is_chunked = any(key == b"transfer-encoding" for key, _ in headers)
    for key, value in headers:
        if key in _HOP_BY_HOP or key in named or key.startswith(b"proxy-"):
            continue
        if (key == b"content-length" and is_chunked) or (key == b"transfer-encoding" and framing_of_ours):
            continue
        yield key, value


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle: asyncio.Timeout, idle_s: float
) -> None:
    """Until the end of `reader`, which is passed on. An error on either side closes both."""
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(_CHUNK_BYTES):
            if not idle.expired():
                idle.reschedule(loop.time() + idle_s)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
