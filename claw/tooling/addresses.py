"""Hosts and URLs in one spelling each, so that what a rule judges is what is reached."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote

from msgspec import Struct

from claw.errors import ToolError

URL_LIMIT_CHARS = 8_192
DEFAULT_PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST_LIMIT_CHARS = 253
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_URL = re.compile(r"(?i)(https?)://([^/?#]*)([^#]*)(?:#.*)?")
_KEPT_IN_TARGET = "/%:=&?~+!$,;'()*@[]|"


class Url(Struct, frozen=True):
    """An http or https address. `host` is canonical, `target` is path and query, escaped, never empty."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """As a `Host` header has it: the port stands there unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_url(text: str) -> Url:
    """The address, without its fragment.

    *Errors*: ToolError for everything that two readers could read in two ways: white space and control
    characters, backslashes before the path, user names, hosts that are none.
    """
    text = text.strip()
    if len(text) > URL_LIMIT_CHARS:
        raise ToolError(f"a URL of {len(text)} characters; {URL_LIMIT_CHARS} are allowed.", "URL too long")
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ToolError(f"not a URL: {text!r} holds white space or invisible characters.", "bad URL")
    parts = _URL.fullmatch(text)
    if not parts or "\\" in parts[2]:
        raise ToolError(f"not a URL: {text!r}. Give one that begins with https:// or http://.", "bad URL")
    scheme, authority, target = parts[1].lower(), parts[2], parts[3]
    if "@" in authority:
        raise ToolError("a URL with a user name or password in it is not fetched. Leave it out.", "URL with user name")
    host, port = split_port(authority)
    path = quote(target, safe=_KEPT_IN_TARGET)
    return Url(scheme, host, port or DEFAULT_PORTS[scheme], path if path.startswith("/") else f"/{path}")


def split_port(authority: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]:port` → the canonical host, and the port where there is one.

    *Errors*: ToolError.
    """
    host, port = authority, ""
    if authority.count(":") == 1 or authority.startswith("["):
        found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?", authority)
        if not found:
            raise ToolError(f"not a host and port: {authority[:300]!r}.", "bad host")
        host, port = found[1], found[2] or ""
    number = int(port) if port else None
    if number is not None and not 0 < number < 65_536:
        raise ToolError(f"not a port: {port}; ports go from 1 to 65535.", "bad port")
    return canonical_host(host), number


def canonical_host(text: str) -> str:
    """A name in lower-case ASCII without a dot at its end, or an IP address in its usual form.

    Every spelling that some resolver takes for an address (`0x7f.1`, `2130706433`, `::ffff:127.0.0.1`) is one.

    *Errors*: ToolError for what is neither.
    """
    if len(text) > 4 * _HOST_LIMIT_CHARS:
        raise ToolError(f"not a host: {text[:100]!r}…", "bad host")
    name = text
    if not name.isascii():
        import idna  # httpx2 brings it, and hardly any name needs it

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except UnicodeError as error:
            raise ToolError(f"not a host: {text!r}: {error}", "bad host") from None
    name = name.lower()
    address = parse_ip(name)
    if address is not None:
        return str(address)
    name = name.removesuffix(".")
    if len(name) > _HOST_LIMIT_CHARS or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ToolError(f"not a host: {text!r}.", "bad host")
    return name


def parse_ip(text: str) -> Address | None:
    """The address that `text` means, an IPv4 address in IPv6 clothes as what it is; None for a name.

    *Errors*: ToolError for what looks like an address and is none, or names an interface (`fe80::1%eth0`).
    """
    text = text.lower()
    try:
        if ":" in text:
            if text.startswith("[") and text.endswith("]"):
                text = text[1:-1]
            if "%" in text:
                raise ValueError("an address with a zone")
            address = ipaddress.IPv6Address(text)
            return address.ipv4_mapped or address
        parts = text.removesuffix(".").split(".")
        return ipaddress.IPv4Address(_ipv4_value(parts)) if _NUMBER.fullmatch(parts[-1]) else None
    except ValueError:
        raise ToolError(f"not a host: {text[:300]!r} looks like an IP address and is none.", "bad host") from None


def _ipv4_value(parts: list[str]) -> int:
    """*Source*: inet_aton(3): one to four numbers, octal after 0, hexadecimal after 0x, the last fills the rest."""
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts) or max(map(len, parts)) > 40:
        raise ValueError
    *first, last = [_number(part) for part in parts]
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(parts)):
        raise ValueError
    return sum(number << (24 - 8 * i) for i, number in enumerate(first)) + last


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text, 16)
    return int(text, 8) if text.startswith("0") and len(text) > 1 else int(text)
