"""The fetcher against real servers: where it may not go, and what it cannot be made to swallow."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time

import pytest
import trustme

from claw.errors import ToolDenied, ToolError
from claw.network.fetch import Fetcher, FetchLimits
from claw.network.gate import NetworkGate
from claw.tooling.services import Page
from tests.network.servers import FakeResolver, answer, redirect, serving


def fetcher(
    *ports: int, names: tuple[str, ...] = ("site.example",), allowed: tuple[str, ...] = (), **limits: float
) -> Fetcher:
    """With loopback named for these ports, and the names lying there."""
    gate = NetworkGate("off", [f"127.0.0.1:{port}" for port in ports])
    resolver = FakeResolver({name: [["127.0.0.1"]] for name in names})
    return Fetcher(
        gate,
        lambda url: any(f"//{host}" in url for host in allowed),
        resolver=resolver,
        limits=FetchLimits(**{"total_s": 10.0, **limits}),  # type: ignore[arg-type]
    )


async def refusal(web: Fetcher, url: str, kind: type[ToolError] = ToolError) -> str:
    with pytest.raises(kind) as caught:
        await web.fetch(url)
    return str(caught.value)


async def test_a_page() -> None:
    async with serving(answer("hällo")) as server:
        url = f"http://site.example:{server.port}/a?b=c"
        assert await fetcher(server.port).fetch(url + "#part") == Page(url, 200, "text/plain", "hällo", 6)
        (request,) = server.requests
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert sorted(line.partition(":")[0].lower() for line in lines[1:] if line) == [
        "accept", "accept-encoding", "connection", "host", "user-agent"
    ]  # fmt: skip
    assert f"Host: site.example:{server.port}" in lines


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://localhost/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://0/",
     "http://[::ffff:169.254.169.254]/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1:8080/",
     "https://192.168.0.1/", "http://[64:ff9b::7f00:1]/", "http://inside.example/"],
)  # fmt: skip
async def test_private_places_are_denied(url: str) -> None:
    resolver = FakeResolver({"inside.example": [["10.0.0.1", "::1"]], "localhost": [["127.0.0.1"]]})
    assert "--allow-host" in await refusal(Fetcher(NetworkGate("on"), resolver=resolver), url, ToolDenied)


async def test_ports_of_other_services_are_denied() -> None:
    assert "port 25" in await refusal(Fetcher(NetworkGate("on")), "http://1.1.1.1:25/", ToolDenied)


async def test_redirects() -> None:
    async with serving(redirect("/b"), redirect("../c?d#e", "308 Permanent Redirect"), answer("there")) as server:
        page = await fetcher(server.port).fetch(f"http://site.example:{server.port}/a")
        assert (page.url, page.text) == (f"http://site.example:{server.port}/c?d", "there")
        assert not any(b"referer" in request.lower() for request in server.requests)


async def test_redirects_end() -> None:
    async with serving(redirect("/again")) as server:
        assert "more than 5 times" in await refusal(fetcher(server.port), f"http://site.example:{server.port}/")
        assert len(server.requests) == 6


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://user:x@site.example/", "http://[::1", "gopher://x/"]
)
async def test_a_redirect_to_what_is_no_page(location: str) -> None:
    async with serving(redirect(location)) as server:
        assert "cannot be fetched" in await refusal(fetcher(server.port), f"http://site.example:{server.port}/")


async def test_a_redirect_to_another_host_is_told_not_followed() -> None:
    async with serving(redirect("http://other.example/x")) as server:
        said = await refusal(
            fetcher(server.port, names=("site.example", "other.example")), f"http://site.example:{server.port}/"
        )
        assert "http://other.example/x" in said


async def test_a_redirect_to_another_host_that_is_allowed() -> None:
    async with serving(answer("there")) as other, serving(redirect(f"http://other.example:{other.port}/x")) as server:
        web = fetcher(server.port, other.port, names=("site.example", "other.example"), allowed=("other.example",))
        assert (await web.fetch(f"http://site.example:{server.port}/")).text == "there"


@pytest.mark.parametrize("inside", ["http://169.254.169.254/latest/", "http://inside.example/", "http://[::1]:6379/"])
async def test_a_redirect_into_a_private_place_is_denied(inside: str) -> None:
    async with serving(redirect(inside)) as server:
        web = fetcher(server.port, names=("site.example", "inside.example"), allowed=("169.", "inside.", "[::1]"))
        assert "no address of the public Internet" in await refusal(
            web, f"http://site.example:{server.port}/", ToolDenied
        )


async def test_a_name_that_changes_its_address_gains_nothing() -> None:
    """The name is asked for once; what was judged is what is reached."""
    async with serving(answer("seen")) as server:
        gate = NetworkGate("off", [f"127.0.0.1:{server.port}"])
        resolver = FakeResolver({"turning.example": [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]]})
        assert (await Fetcher(gate, resolver=resolver).fetch(f"http://turning.example:{server.port}/")).text == "seen"
        assert resolver.asked == ["turning.example"]
        await refusal(Fetcher(gate, resolver=resolver), f"http://turning.example:{server.port}/", ToolDenied)
        assert len(server.requests) == 1


async def test_the_next_address_is_tried() -> None:
    async with serving(answer("up")) as server:
        gate = NetworkGate("off", [f"[::1]:{server.port}", f"127.0.0.1:{server.port}"])
        resolver = FakeResolver({"two.example": [["::1", "127.0.0.1"]]})
        assert (await Fetcher(gate, resolver=resolver).fetch(f"http://two.example:{server.port}/")).text == "up"


async def test_nobody_listens() -> None:
    async with serving(answer("x")) as server:
        pass
    assert "cannot be reached" in await refusal(fetcher(server.port), f"http://site.example:{server.port}/")


# ---- TLS


async def test_certificates_are_held_to_the_name() -> None:
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("site.example").configure_cert(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    resolver = FakeResolver({"site.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]})
    async with serving(answer("secret"), tls=theirs) as server:
        gate = NetworkGate("off", [f"127.0.0.1:{server.port}"])
        web = Fetcher(gate, resolver=resolver, ssl_context=ours)
        assert (await web.fetch(f"https://site.example:{server.port}/")).text == "secret"
        assert "cannot be reached" in await refusal(web, f"https://other.example:{server.port}/")
        assert "cannot be reached" in await refusal(web, f"https://127.0.0.1:{server.port}/")
        strangers = Fetcher(gate, resolver=resolver)
        assert "cannot be reached" in await refusal(strangers, f"https://site.example:{server.port}/")
        assert len(server.requests) == 1


async def test_a_redirect_must_not_leave_tls() -> None:
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    async with serving(redirect("http://127.0.0.1/"), tls=theirs) as server:
        web = Fetcher(NetworkGate("off", [f"127.0.0.1:{server.port}"]), ssl_context=ours)
        assert "from https to http://127.0.0.1/" in await refusal(web, f"https://127.0.0.1:{server.port}/")


# ---- what is too much


async def test_a_page_that_is_too_long_is_cut() -> None:
    async with serving(answer(b"x" * 3_000_000)) as server:
        page = await fetcher(server.port, size_bytes=1_000_000).fetch(f"http://site.example:{server.port}/")
        assert (len(page.text), page.cut) == (1_000_000, True)


async def test_a_bomb_is_cut() -> None:
    bomb = gzip.compress(bytes(b"a" * 200_000_000), 9)
    async with serving(answer(bomb, "Content-Encoding: gzip")) as server:
        page = await fetcher(server.port).fetch(f"http://site.example:{server.port}/")
        assert (len(page.text), page.cut) == (5 * 1024 * 1024, True)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "x" * 200])
async def test_other_packings_are_refused(encoding: str) -> None:
    async with serving(answer(gzip.compress(gzip.compress(b"a")), f"Content-Encoding: {encoding}")) as server:
        assert "not asked for" in await refusal(fetcher(server.port), f"http://site.example:{server.port}/")


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", b"garbage\r\n\r\n", b"",
     b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
     b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000 + b"\r\n\r\n"],
    ids=["cut short", "no http", "nothing", "not gzip", "huge head"],
)  # fmt: skip
async def test_broken_answers(raw: bytes) -> None:
    async with serving(raw) as server:
        server.answers[0] = raw
        said = await refusal(fetcher(server.port, idle_s=0.5), f"http://site.example:{server.port}/")
        assert "could not be read" in said


@pytest.mark.parametrize("pause_s", [0.05, 60.0])
async def test_a_server_that_dawdles(pause_s: float) -> None:
    async with serving(answer("x" * 1000), pause_s=pause_s) as server:
        started = time.monotonic()
        said = await refusal(fetcher(server.port, total_s=0.5, idle_s=0.4), f"http://site.example:{server.port}/")
        assert time.monotonic() - started < 2
        assert "took more than 0.5 s" in said or "could not be read" in said


async def test_it_can_be_interrupted() -> None:
    async with serving(answer("x" * 1000), pause_s=1) as server:
        task = asyncio.create_task(fetcher(server.port).fetch(f"http://site.example:{server.port}/"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_page_is_a_page() -> None:
    async with serving(answer("no such thing", status="404 Not Found")) as server:
        page = await fetcher(server.port).fetch(f"http://site.example:{server.port}/")
        assert (page.status, page.text) == (404, "no such thing")


async def test_the_environments_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer("direct")) as server, serving(answer("by a proxy")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await fetcher(server.port).fetch(f"http://site.example:{server.port}/")).text == "direct"
