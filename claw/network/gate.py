"""Which hosts may be reached: the user's patterns for names, and no way into private networks by any name."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from msgspec import Struct

from claw.errors import ToolDenied, ToolError, UsageError
from claw.network.base import Resolver
from claw.tooling.addresses import Address, parse_ip, split_port

MODES = ("off", "on", "hosts")
DEFAULT_PORTS = (80, 443)

# *Source*: the IANA special-purpose registries. Listed here, since `ipaddress` has judged some of them
# differently from release to release.
_NOT_PUBLIC_V4 = tuple(map(ipaddress.IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",  # Azure's own service for its machines
)))  # fmt: skip
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")))
_6TO4 = ipaddress.IPv6Network("2002::/16")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# Where a company keeps its servers: reached by a name that the user has named.
_PRIVATE_USE = tuple(map(ipaddress.ip_network, (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7",
)))  # fmt: skip
_LOOPBACK = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128")))


class Pattern(Struct, frozen=True):
    """`pypi.org`, `*.pypi.org` (what lies below it, not itself), each with `:port` for another than 80 and 443."""

    host: str
    port: int | None = None
    below: bool = False

    @classmethod
    def read(cls, text: str) -> Pattern:
        """*Errors*: UsageError with an example."""
        below = text.startswith("*.")
        try:
            host, port = split_port(text[2:] if below else text)
            is_address = parse_ip(host) is not None
        except ToolError as error:
            raise UsageError(f"not a host pattern: {text!r}: {error} Examples: pypi.org, *.pypi.org:8443") from None
        if below and ("." not in host or is_address):
            raise UsageError(f"not a host pattern: {text!r}: a star stands before a domain, such as *.pypi.org")
        return cls(host, port, below)

    def matches(self, host: str, port: int) -> bool:
        fits = host.endswith("." + self.host) if self.below else host == self.host
        return fits and (port in DEFAULT_PORTS if self.port is None else port == self.port)


class Target(Struct, frozen=True):
    """A host that may be reached as far as its name goes.

    `named` means that a pattern is this very name; `own_port` that it gives this port too.
    """

    host: str
    port: int
    named: bool = False
    own_port: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class NetworkGate:
    """Judges names, and then the addresses that they turn out to have.

    `mode` is the network of commands: `off`, `on`, or `hosts`, those that match a pattern. What the
    patterns name counts in every mode, for the addresses of `web_fetch` too.
    """

    def __init__(self, mode: str, hosts: Iterable[str] = ()) -> None:
        if mode not in MODES:
            raise UsageError(f"network {mode!r}: allowed are {', '.join(MODES)}")
        self.mode = mode
        self.patterns = tuple(Pattern.read(text) for text in hosts)

    def target(self, host: str, port: int) -> Target:
        """*Shapes*: `host` is canonical."""
        found = [pattern for pattern in self.patterns if not pattern.below and pattern.matches(host, port)]
        own_port = any(p.port == port and p.matches(host, port) for p in self.patterns)
        return Target(host, port, bool(found), own_port)

    def allows(self, host: str, port: int) -> bool:
        """Whether the name may be reached without asking. *Shapes*: `host` is canonical."""
        if self.mode == "hosts":
            return any(pattern.matches(host, port) for pattern in self.patterns)
        return self.mode == "on"

    def judge(self, host: str, port: int) -> Target:
        """*Shapes*: `host` is canonical. *Errors*: ToolDenied that names the rule to add."""
        target = self.target(host, port)
        if not self.allows(host, port):
            raise ToolDenied(f"the network rules do not allow {target}. {_how_to_allow(target)}", f"{target} refused")
        return target

    async def addresses(self, target: Target, resolver: Resolver) -> Sequence[Address]:
        """The addresses of `target` that may be reached. Connect to these, and never resolve the name again.

        *Errors*: ToolDenied if all of them are private; ToolError if there are none.
        """
        literal = parse_ip(target.host)
        found = [literal] if literal else [_plain(address) for address in await resolver.resolve(target.host)]
        reachable = [address for address in found if self._may_reach(address, target)]
        if not found:
            raise ToolError(f"{target.host} has no address.", "unknown host")
        if not reachable:
            listed = ", ".join(dict.fromkeys(map(str, found)))
            what = target.host if literal else f"{target.host} ({listed})"
            by_name = target if literal or _is_in(found[0], _PRIVATE_USE) else Target(str(found[0]), target.port)
            raise ToolDenied(
                f"{what} is no address of the public Internet: claw does not go into private networks or to this "
                f"machine unless the user names it. {_how_to_allow(by_name)}",
                f"{target.host} is private",
            )
        return reachable

    def _may_reach(self, address: Address, target: Target) -> bool:
        """Public, or named itself; a private-use address also by a host that is named itself."""
        if is_public(address) or self.target(str(address), target.port).named:
            return True
        if target.host == "localhost" and target.named:
            return _is_in(address, _LOOPBACK)
        return target.named and _is_in(address, _PRIVATE_USE)


def is_public(address: Address) -> bool:
    """Whether an address is a place on the Internet, by what it embeds too."""
    address = _plain(address)
    if isinstance(address, ipaddress.IPv4Address):
        return not _is_in(address, _NOT_PUBLIC_V4)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if address in _6TO4:
        return is_public(ipaddress.IPv4Address(int(address) >> 80 & 0xFFFF_FFFF))
    return address in _PUBLIC_V6 and not _is_in(address, _NOT_PUBLIC_V6)


def _plain(address: Address) -> Address:
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


def _is_in(address: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _how_to_allow(target: Target) -> str:
    pattern = target.host if target.port in DEFAULT_PORTS else str(target)
    return (
        f'The user can allow it with `--allow-host {pattern}`, or with hosts = ["{pattern}"] under [sandbox] in '
        "the configuration."
    )
