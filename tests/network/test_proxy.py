"""The proxy with real sockets on both sides: what it lets through, and what it does not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from claw.errors import UsageError
from claw.network.base import connect
from claw.network.gate import NetworkGate
from claw.network.proxy import Proxy, ProxyLimits
from claw.tooling.addresses import Address
from tests.network.servers import FakeResolver, Server, answer, serving


@dataclass
class Bench:
    """A proxy that allows `good.example`, `cdn.example` and `raw.example:2222`, which all lie at the server."""

    socket: Path
    server: Server
    resolver: FakeResolver
    told: list[str] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(self.socket)
        self.writers.append(writer)
        return reader, writer

    async def say(self, data: bytes | str) -> bytes:
        """Everything that the proxy answers until it closes."""
        reader, writer = await self.open()
        writer.write(data.encode() if isinstance(data, str) else data)
        said = b""
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):  # it closed while there was more to read for it
                while piece := await reader.read(65536):
                    said += piece
        writer.close()
        return said

    async def tunnel(self, host: str, port: int = 443) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.open()
        writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            return await reader.readuntil(b"\r\n\r\n"), reader, writer


HOSTS = (
    "good.example",
    "cdn.example",
    "raw.example:2222",
    "odd.example",
    "gone.example",
    "127.0.0.1",
    "127.0.0.1:2222",
)


@asynccontextmanager
async def proxying(
    folder: Path, server: Server, limits: ProxyLimits | None = None, hosts: Sequence[str] = HOSTS
) -> AsyncIterator[Bench]:
    where = {name: [["127.0.0.1"]] for name in ("good.example", "cdn.example", "raw.example", "evil.example")}
    resolver = FakeResolver({**where, "odd.example": [["169.254.169.254", "::1"]]})
    bench = Bench(folder / "p" / "s", server, resolver)

    async def dial(
        addresses: Sequence[Address], port: int, limit_bytes: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert {str(address) for address in addresses} == {"127.0.0.1"}
        return await connect(addresses, server.port, limit_bytes)

    proxy = Proxy(NetworkGate("hosts", hosts), bench.told.append, resolver=resolver, dial=dial, limits=limits)
    await proxy.start(bench.socket)
    try:
        yield bench
    finally:
        await proxy.close()
        for writer in bench.writers:
            writer.transport.abort()
        await asyncio.sleep(0)
        assert not bench.socket.exists()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(answer("hello")) as server, proxying(tmp_path, server) as bench:
        yield bench


async def test_a_request(bench: Bench) -> None:
    said = await bench.say(
        "POST http://Good.Example/path?q=1#x HTTP/1.1\r\nHost: evil.example\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
        "Proxy-Authorization: Basic c2VjcmV0\r\nX-Kept: 1\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b"\r\n\r\nhello")
    assert bench.server.requests == [
        b"POST /path?q=1 HTTP/1.1\r\nHost: good.example\r\nx-kept: 1\r\ncontent-length: 4\r\n"
        b"Connection: close\r\n\r\nbody"
    ]
    assert bench.told == []


async def test_every_request_of_a_connection_is_judged(bench: Bench) -> None:
    get = "GET http://{}/ HTTP/1.1\r\nHost: good.example\r\n\r\n"
    reader, writer = await bench.open()
    for _ in range(2):
        writer.write(get.format("good.example").encode())
        assert await reader.readuntil(b"hello")
    writer.write(get.format("evil.example").encode())
    refusal = await reader.read()
    assert refusal.startswith(b"HTTP/1.1 403 claw: evil.example:80 refused\r\n")
    assert b"`--allow-host evil.example`" in refusal
    writer.close()
    assert len(bench.server.requests) == 2
    assert bench.resolver.asked == ["good.example", "good.example"]  # a refused name is not even looked up
    assert len(bench.told) == 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET http://evil.example/ HTTP/1.1\r\nHost: good.example", 403),
        ("GET http://odd.example/ HTTP/1.1\r\nHost: odd.example", 403),
        ("GET http://good.example:22/ HTTP/1.1\r\nHost: x", 403),
        ("GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x", 403),
        ("GET http://2852039166/latest HTTP/1.1\r\nHost: x", 403),
        ("GET http://[::ffff:169.254.169.254]/ HTTP/1.1\r\nHost: x", 403),
        ("GET http://good.example@evil.example/ HTTP/1.1\r\nHost: x", 400),
        ("GET http://good.example\\.evil.example/ HTTP/1.1\r\nHost: x", 400),
        ("GET https://good.example/ HTTP/1.1\r\nHost: x", 400),
        ("GET / HTTP/1.1\r\nHost: good.example", 400),
        ("GET http://gone.example/ HTTP/1.1\r\nHost: x", 502),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: good.example:443", 403),
        ("CONNECT good.example:22 HTTP/1.1\r\nHost: x", 403),
        ("CONNECT good.example:80 HTTP/1.1\r\nHost: x", 403),
        ("CONNECT odd.example:443 HTTP/1.1\r\nHost: x", 403),
        ("CONNECT good.example HTTP/1.1\r\nHost: x", 400),
        ("CONNECT :443 HTTP/1.1\r\nHost: x", 400),
        ("CONNECT [::1:443 HTTP/1.1\r\nHost: x", 400),
        ("nonsense", 400),
        ("GET http://good.example/ HTTP/1.1\r\nHost: x\r\nX: " + "y" * 300_000, 431),
        ("GET http://good.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2", 400),
    ],
)
async def test_what_is_refused(bench: Bench, head: str, status: int) -> None:
    said = await bench.say(head + "\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert bench.server.requests == []
    assert bool(bench.told) is (status == 403)


async def test_a_body_in_chunks_and_an_answer_without_length(tmp_path: Path) -> None:
    bare = b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\nto the end"
    async with serving(bare) as server, proxying(tmp_path, server) as bench:
        said = await bench.say(
            "PUT http://good.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )
        assert b"X-Hop" not in said
        assert b"transfer-encoding: chunked" in said.lower()
        assert b"to the end" in said
        (request,) = server.requests
        assert b"content-length" not in request.lower()
        assert request.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("bad", [b"no http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b""])
async def test_a_host_that_speaks_no_http(tmp_path: Path, bad: bytes) -> None:
    async with serving(bad) as server, proxying(tmp_path, server) as bench:
        assert (await bench.say("GET http://good.example/ HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 502 ")


async def test_a_large_answer_is_not_held_in_memory(tmp_path: Path) -> None:
    body = bytes(8 << 20)
    async with serving(answer(body)) as server, proxying(tmp_path, server) as bench:
        said = await bench.say("GET http://good.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert said.endswith(body)


# ---- tunnels


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("good.example", "cdn.example", "raw.example").configure_cert(context)
    return context


async def over_tls(bench: Bench, authority: trustme.CA, connect_to: str, name: str | None, port: int = 443) -> bytes:
    """What the server answers inside a tunnel to `connect_to` when TLS asks for `name`."""
    head, reader, writer = await bench.tunnel(connect_to, port)
    assert head.startswith(b"HTTP/1.1 200 ")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)

    async def until(step: Callable[[], bytes | int | None]) -> bytes | int | None:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                done = ssl.SSLWantReadError
            writer.write(outgoing.read())
            if done is not ssl.SSLWantReadError:
                return done
            async with asyncio.timeout(10):
                data = await reader.read(65536)
            incoming.write(data) if data else incoming.write_eof()

    try:
        await until(tls.do_handshake)
        await until(lambda: tls.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        said = await until(lambda: tls.read(65536))
    finally:
        writer.close()
    assert isinstance(said, bytes)
    return said


@pytest.mark.parametrize(("host", "port"), [("good.example", 443), ("raw.example", 2222)])
async def test_a_tunnel(tmp_path: Path, authority: trustme.CA, host: str, port: int) -> None:
    async with serving(answer("inside"), tls=server_tls(authority)) as server, proxying(tmp_path, server) as bench:
        assert (await over_tls(bench, authority, host, host, port)).endswith(b"inside")
        assert bench.told == []


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [("good.example", "evil.example", 443), ("good.example", "cdn.example", 443), ("good.example", None, 443),
     ("raw.example", "evil.example", 2222)],
)  # fmt: skip
async def test_a_tunnel_is_only_for_its_own_name(
    tmp_path: Path, authority: trustme.CA, host: str, name: str | None, port: int
) -> None:
    async with serving(answer("inside"), tls=server_tls(authority)) as server, proxying(tmp_path, server) as bench:
        with pytest.raises(ssl.SSLError):
            await over_tls(bench, authority, host, name, port)
        assert server.requests == []
        assert len(bench.told) == 1
        assert "was used for" in bench.told[0]


async def test_a_tunnel_carries_tls_alone(bench: Bench) -> None:
    _, reader, writer = await bench.tunnel("good.example")
    writer.write(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert await reader.read() == bytes((21, 3, 3, 0, 2, 2, 49))
    writer.close()
    assert bench.server.requests == []


async def test_a_port_that_the_user_named_carries_anything(bench: Bench) -> None:
    _, reader, writer = await bench.tunnel("raw.example", 2222)
    writer.write(b"GET / HTTP/1.1\r\nHost: y\r\n\r\n")
    assert await reader.readuntil(b"hello")
    writer.close()


# ---- staying alive


async def test_the_socket_is_private(bench: Bench) -> None:
    assert stat.S_IMODE(bench.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(bench.socket.parent.stat().st_mode) == 0o700


async def test_a_slow_head_is_not_waited_for(tmp_path: Path) -> None:
    async with serving(answer("x")) as server, proxying(tmp_path, server, ProxyLimits(head_s=0.2)) as bench:
        assert await bench.say("GET http://good.example/ HTTP/1.1\r\nHost: ") == b""
        _, reader, writer = await bench.tunnel("good.example")
        assert await reader.read() == b""
        writer.close()


async def test_an_idle_tunnel_is_closed(tmp_path: Path) -> None:
    async with serving(answer("x")) as server, proxying(tmp_path, server, ProxyLimits(idle_s=0.2)) as bench:
        _, reader, writer = await bench.tunnel("raw.example", 2222)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_connections_are_counted(tmp_path: Path) -> None:
    async with serving(answer("x")) as server, proxying(tmp_path, server, ProxyLimits(connections=2)) as bench:
        held = [await bench.open() for _ in range(2)]
        await asyncio.sleep(0.05)
        assert (await bench.say("GET http://good.example/ HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        for _, writer in held:
            writer.close()
        await asyncio.sleep(0.05)
        assert b"200 OK" in await bench.say("GET http://good.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


async def test_closing_ends_what_is_open(tmp_path: Path) -> None:
    async with serving(answer("x")) as server:
        async with proxying(tmp_path, server) as bench:
            _, reader, writer = await bench.tunnel("raw.example", 2222)
        assert await reader.read() == b""
        writer.close()


async def test_a_path_that_is_long_for_a_socket(tmp_path: Path) -> None:
    proxy = Proxy(NetworkGate("hosts"))
    socket = tmp_path / ("x" * 120) / "s"
    await proxy.start(socket)
    assert stat.S_ISSOCK(socket.stat().st_mode)
    await proxy.close()
    assert not socket.exists()


async def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    proxy = Proxy(NetworkGate("hosts"))
    with pytest.raises(UsageError, match="cannot listen at"):
        await proxy.start(tmp_path / "file" / "s")
    await proxy.close()
