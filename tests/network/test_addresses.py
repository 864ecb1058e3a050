"""Hosts and URLs in every spelling, held against the system's own reading of them."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claw.errors import ToolError
from claw.tooling.addresses import canonical_host, parse_ip, parse_url, split_port

NUMBERS = st.one_of(
    st.integers(0, 300), st.integers(0, 2**33), st.sampled_from([0, 1, 127, 255, 256, 0x7F000001, 2**32 - 1, 2**32])
)
SPELLED = st.builds(
    lambda number, form: form % number, NUMBERS, st.sampled_from(["%d", "0%o", "0x%x", "0X%X", "00%o", "%03d", "%s."])
)


@given(st.lists(SPELLED, min_size=1, max_size=5).map(".".join))
@example("127.1")
@example("0x7f.1")
@example("017700000001")
@example("2130706433")
@example("08.1.1.1")
def test_ipv4_is_read_as_the_system_reads_it(text: str) -> None:
    """Where inet_aton sees an address, so do we, and the same one; what it refuses is never a name for us."""
    try:
        expected = ipaddress.IPv4Address(socket.inet_aton(text.removesuffix(".")))
    except OSError:
        with pytest.raises(ToolError):
            canonical_host(text)
    else:
        assert parse_ip(text) == expected
        assert canonical_host(text) == str(expected)


@given(st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address), st.booleans(), st.booleans())
def test_ipv6_is_read_in_long_and_short(address: ipaddress.IPv6Address, long: bool, brackets: bool) -> None:
    text = (address.exploded if long else address.compressed).upper()
    assert canonical_host(f"[{text}]" if brackets else text) == str(address.ipv4_mapped or address)


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address))
def test_ipv4_in_ipv6_clothes_is_ipv4(address: ipaddress.IPv4Address) -> None:
    assert canonical_host(f"::ffff:{address}") == str(address)
    assert canonical_host(f"[::FFFF:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}]") == str(address)
    assert canonical_host("".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in str(address))) == str(address)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ。com", "example.com"),
        ("ⓔxample.com", "example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("①②⑦.1", "127.0.0.1"),
    ],
)
def test_names_have_one_spelling(text: str, host: str) -> None:
    assert canonical_host(text) == host


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", ".a", "a b", "a\0b", "a/b", "a@b", "a%2eb", "%31", "-a", "a-", "x" * 64, "a." * 127 + "ab",
     "x" * 5000, "1.2.3.4.5", "256.1.1.1", "foo.0x", "foo.1", "1_0.1.1.1", "[::1", "::1]", "[]",
     "fe80::1%eth0", "[::1%25lo]",
     "1.2.3.4..", "a\u202eb.com", "\u200b.com", "exa\u00admple.com\n"],
)  # fmt: skip
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ToolError):
        canonical_host(text)


@given(st.text(max_size=60))
def test_what_is_taken_is_harmless_and_stays(text: str) -> None:
    try:
        host = canonical_host(text)
    except ToolError:
        return
    assert set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.:")
    assert canonical_host(host) == host


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTP://ExAmple.com:80?q=ü#part", "http://example.com/?q=%C3%BC"),
        ("https://example.com:443/a%20b", "https://example.com/a%20b"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
        ("https://[::ffff:127.0.0.1]/", "https://127.0.0.1/"),
        ("http://0x7f.1:/", "http://127.0.0.1/"),
        (" https://пример.рф/путь ", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"),
    ],
)
def test_urls_have_one_spelling(text: str, url: str) -> None:
    assert str(parse_url(text)) == url
    assert str(parse_url(url)) == url


@pytest.mark.parametrize(
    "text",
    ["", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "http:/example.com", "http:///x",
     "http://good.example\\@evil.example/", "http://user@example.com/", "http://user:key@example.com/", "http://@x/",
     "http://exa mple.com/", "http://example.com/a b", "http://example.com/\r\nX: y", "http://example.com:0/",
     "http://example.com:65536/", "http://example.com:8a/", "http://a:1:2/", "http://[::1/", "data:text/html,hi",
     "http://example.com/" + "x" * 9000, "http://%65xample.com/", "http://a,b/", "javascript:alert(1)", "http://\u202egro/"],
)  # fmt: skip
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ToolError):
        parse_url(text)


@given(st.text(st.sampled_from("ahtps:/\\@?#.[]%0:1x\u3002 \n"), max_size=24).map("http://".__add__))
def test_other_readers_see_the_same_host(text: str) -> None:
    """What is handed on is understood alike by the standard library."""
    try:
        url = parse_url(text)
    except ToolError:
        return
    other = urlsplit(str(url))
    assert (other.hostname, other.port or 80, other.username) == (url.host, url.port, None)


def test_ports() -> None:
    assert split_port("example.com") == ("example.com", None)
    assert split_port("EXAMPLE.com:8443") == ("example.com", 8443)
    assert split_port("::1") == ("::1", None)
    assert split_port("[::1]:1") == ("::1", 1)
