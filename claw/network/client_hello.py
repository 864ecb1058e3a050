"""The first message of a TLS client, as far as it tells which host is meant.

*Source*: RFC 8446 §4.1.2 and §5.1, RFC 6066 §3, RFC 9849 for the encrypted form.
"""

from __future__ import annotations

from msgspec import Struct

from claw.errors import ToolError

LIMIT_BYTES = 16 * 1024
_RECORDS_LIMIT = 8
_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_ENCRYPTED_CLIENT_HELLO = 0xFE0D
_RECORD_LIMIT_BYTES = 16_384


class ClientHello(Struct, frozen=True):
    """`server_name` is as the client wrote it. `encrypted` means that another, hidden name may count instead."""

    server_name: str | None = None
    encrypted: bool = False


def read_client_hello(data: bytes) -> ClientHello | None:
    """None while more bytes are needed. *Errors*: ToolError for what is no ClientHello, or one that is too long."""
    message, rest, n_records = b"", data, 0
    while rest:
        n_records += 1
        if rest[0] != _HANDSHAKE_RECORD or (len(rest) > 1 and rest[1] != 3):
            raise ToolError("this is not the beginning of a TLS connection", "not TLS")
        size = int.from_bytes(rest[3:5], "big")
        if len(rest) >= 5 and not 0 < size <= _RECORD_LIMIT_BYTES:
            raise ToolError("a TLS record of an impossible size", "not TLS")
        message += rest[5 : 5 + size] if len(rest) >= 5 else b""
        if message and message[0] != _CLIENT_HELLO:
            raise ToolError("this is not the beginning of a TLS connection", "not TLS")
        if len(message) >= 4 and len(message) >= (end := 4 + int.from_bytes(message[1:4], "big")):
            return _read_body(message[4:end])
        if len(rest) < 5 + size:
            break
        rest = rest[5 + size :]
    if len(data) > LIMIT_BYTES or n_records > _RECORDS_LIMIT:
        raise ToolError("a ClientHello that is too long, or in too many pieces", "not TLS")
    return None


def _read_body(body: bytes) -> ClientHello:
    fields = _Fields(body)
    fields.take(2 + 32)  # version, random
    fields.vector(1)  # session
    fields.vector(2)  # ciphers
    fields.vector(1)  # compression
    if not fields.left:
        return ClientHello()
    extensions = _Fields(fields.vector(2))
    found: dict[int, bytes] = {}
    while extensions.left:
        kind, value = extensions.number(2), extensions.vector(2)
        if kind in found:
            raise ToolError("a ClientHello with an extension twice", "not TLS")
        found[kind] = value
    name = _server_name(found[_SERVER_NAME]) if _SERVER_NAME in found else None
    return ClientHello(name, _ENCRYPTED_CLIENT_HELLO in found)


def _server_name(value: bytes) -> str:
    """The only name of the list: a server that takes another than the first must not be fooled."""
    names = _Fields(_Fields(value).vector(2))
    kind, name = names.number(1), names.vector(2)
    if kind or names.left:
        raise ToolError("a ClientHello with several server names", "not TLS")
    try:
        return name.decode("ascii")
    except UnicodeDecodeError:
        raise ToolError("a ClientHello whose server name is not ASCII", "not TLS") from None


class _Fields:
    """Big-endian numbers and vectors with their length before them. *Errors*: ToolError where the bytes end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, n_bytes: int) -> bytes:
        if n_bytes > self.left:
            raise ToolError("a ClientHello that ends too early", "not TLS")
        self._at += n_bytes
        return self._data[self._at - n_bytes : self._at]

    def number(self, n_bytes: int) -> int:
        return int.from_bytes(self.take(n_bytes), "big")

    def vector(self, n_length_bytes: int) -> bytes:
        return self.take(self.number(n_length_bytes))
