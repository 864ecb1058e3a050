from __future__ import annotations

import ipaddress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.errors import ToolDenied, ToolError, UsageError
from claw.network.gate import NetworkGate, is_public
from tests.network.servers import FakeResolver

TEXT = """
0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255
192.0.0.8 192.168.1.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
192.88.99.1 168.63.129.16 :: ::1 fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 2001::1 100::1 5f00::1
3fff::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1::1
"""
PRIVATE = TEXT.split()
PUBLIC = ["1.1.1.1", "8.8.8.8", "151.101.0.223", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1",
          "64:ff9b::8.8.8.8", "2002:808:808::1"]  # fmt: skip


@pytest.mark.parametrize("text", PRIVATE)
def test_private(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_the_standard_library_calls_private(address: ipaddress.IPv4Address) -> None:
    address = getattr(address, "ipv4_mapped", None) or address
    if is_public(address) and address not in ipaddress.ip_network("64:ff9b::/96"):
        names = ("private", "loopback", "link_local", "multicast", "reserved", "unspecified")
        assert [name for name in names if getattr(address, f"is_{name}")] == []


@pytest.mark.parametrize(
    ("pattern", "host", "port", "fits"),
    [
        ("pypi.org", "pypi.org", 443, True),
        ("PyPI.org.", "pypi.org", 80, True),
        ("pypi.org", "pypi.org", 8080, False),
        ("pypi.org", "evil-pypi.org", 443, False),
        ("pypi.org", "pypi.org.evil.example", 443, False),
        ("pypi.org", "files.pypi.org", 443, False),
        ("*.pypi.org", "files.pypi.org", 443, True),
        ("*.pypi.org", "a.b.pypi.org", 443, True),
        ("*.pypi.org", "pypi.org", 443, False),
        ("*.pypi.org", "evilpypi.org", 443, False),
        ("pypi.org:8443", "pypi.org", 8443, True),
        ("pypi.org:8443", "pypi.org", 443, False),
        ("*.bücher.example", "a.xn--bcher-kva.example", 443, True),
        ("0x7f.1", "127.0.0.1", 80, True),
        ("[::1]:8000", "::1", 8000, True),
    ],
)
def test_patterns(pattern: str, host: str, port: int, fits: bool) -> None:
    assert NetworkGate("hosts", [pattern]).allows(host, port) is fits


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "*.",
        "*.com",
        "*.1.2.3.4",
        "a.*.b",
        "*pypi.org",
        "https://pypi.org",
        "pypi.org/x",
        "a b",
        "x:0",
        "user@x",
    ],
)
def test_bad_patterns_are_named(pattern: str) -> None:
    with pytest.raises(UsageError, match="not a host pattern"):
        NetworkGate("hosts", [pattern])


def test_a_bad_mode() -> None:
    with pytest.raises(UsageError, match="allowed are off, on, hosts"):
        NetworkGate("maybe")


def test_modes() -> None:
    assert not NetworkGate("off", ["pypi.org"]).allows("pypi.org", 443)
    assert NetworkGate("on").allows("anything.example", 25)
    with pytest.raises(ToolDenied, match=r"--allow-host evil\.example:8080"):
        NetworkGate("hosts", ["pypi.org"]).judge("evil.example", 8080)


async def addresses(gate: NetworkGate, host: str, *found: str, port: int = 443) -> list[str]:
    resolver = FakeResolver({host: [list(found)]})
    return [str(address) for address in await gate.addresses(gate.target(host, port), resolver)]


async def test_a_name_must_not_lead_inside() -> None:
    gate = NetworkGate("hosts", ["*.example.com"])
    assert await addresses(gate, "a.example.com", "1.1.1.1", "127.0.0.1", "10.0.0.1", "::ffff:8.8.8.8") == [
        "1.1.1.1",
        "8.8.8.8",
    ]
    for inside in PRIVATE:
        with pytest.raises(ToolDenied, match="no address of the public Internet"):
            await addresses(gate, "a.example.com", inside)
    with pytest.raises(ToolError, match="has no address"):
        await addresses(gate, "a.example.com")


async def test_what_the_user_has_named() -> None:
    gate = NetworkGate("hosts", ["nexus.corp", "localhost:8000", "192.168.7.7", "meta.example", "169.254.1.1"])
    assert await addresses(gate, "nexus.corp", "10.0.0.7", "fd00::7") == ["10.0.0.7", "fd00::7"]
    for inside in ("127.0.0.1", "169.254.169.254", "0.0.0.0", "fe80::1"):  # a name does not vouch for these
        with pytest.raises(ToolDenied):
            await addresses(gate, "nexus.corp", inside)
    assert await addresses(gate, "localhost", "::1", "127.0.0.1", port=8000) == ["::1", "127.0.0.1"]
    with pytest.raises(ToolDenied):
        await addresses(gate, "localhost", "127.0.0.1", port=80)
    with pytest.raises(ToolDenied):
        await addresses(gate, "localhost", "10.0.0.1", port=8000)
    assert await addresses(gate, "192.168.7.7") == ["192.168.7.7"]
    assert await addresses(gate, "meta.example", "169.254.1.1", "169.254.169.254") == ["169.254.1.1"]


async def test_an_address_is_not_resolved() -> None:
    resolver = FakeResolver({})
    gate = NetworkGate("on")
    assert [str(a) for a in await gate.addresses(gate.target("1.1.1.1", 443), resolver)] == ["1.1.1.1"]
    assert resolver.asked == []
    with pytest.raises(ToolDenied, match=r"--allow-host 127\.0\.0\.1:8000"):
        await gate.addresses(gate.target("127.0.0.1", 8000), resolver)
