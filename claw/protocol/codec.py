"""Events and ops as lines of JSON: `{"type": …, "session": …, "seq": n, "ts": …, …}`.

The version stands in `SessionStarted.protocol`. Within one version events and fields are only added,
so a reader passes over what it does not know: an unknown field is dropped, an unknown event becomes
`UnknownEvent` and keeps its line. A log of a higher version may be read for show, never written to.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claw.errors import SessionError, UsageError
from claw.protocol.events import AnyEvent, Event, UnknownEvent
from claw.protocol.ops import AnyOp, Op

PROTOCOL_VERSION = 1

_encoder = msgspec.json.Encoder()
_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(AnyEvent)
_op_decoder: msgspec.json.Decoder[AnyOp] = msgspec.json.Decoder(AnyOp)


class _Head(msgspec.Struct):
    type: str
    session: str = ""
    seq: int = -1
    ts: float = 0.0


_head_decoder = msgspec.json.Decoder(_Head)
KNOWN_EVENTS = frozenset(kind.__struct_config__.tag for kind in AnyEvent.__args__)


def encode_event(event: Event) -> bytes:
    """One line without its newline; never contains a raw newline.

    Half a surrogate pair (the name of a file that is not UTF-8) has no place in UTF-8 and is written as
    its escape, `\\udc80`, in letters.
    """
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError:
        return _encoder.encode(escape_surrogates(msgspec.to_builtins(event)))


def escape_surrogates(value: Any) -> Any:
    """`value`, made of JSON's own types, with lone surrogates spelled out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {escape_surrogates(key): escape_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [escape_surrogates(item) for item in value]
    return value


def decode_event(line: bytes) -> Event:
    """*Errors*: SessionError for a line that is no event of this version."""
    try:
        return _event_decoder.decode(line)
    except msgspec.MsgspecError as error:
        return _decode_unknown(line, error)


def _decode_unknown(line: bytes, error: msgspec.MsgspecError) -> UnknownEvent:
    try:
        head = _head_decoder.decode(line)
    except msgspec.MsgspecError:
        raise SessionError(f"not an event: {error}") from None
    if head.type in KNOWN_EVENTS:
        raise SessionError(f"broken {head.type} event: {error}")
    return UnknownEvent(session=head.session, seq=head.seq, ts=head.ts, raw=bytes(line))


def encode_op(op: Op) -> bytes:
    return _encoder.encode(op)


def decode_op(line: bytes) -> AnyOp:
    """`content` may be a plain string too.

    *Errors*: UsageError that names what is allowed.
    """
    try:
        return _op_decoder.decode(line)
    except msgspec.MsgspecError as error:
        try:
            op = msgspec.json.decode(line)
            wrapped: AnyOp = msgspec.convert({**op, "content": [{"type": "text", "text": str(op["content"])}]}, AnyOp)
            return wrapped
        except (msgspec.MsgspecError, TypeError, KeyError):
            kinds = ", ".join(sorted(str(kind.__struct_config__.tag) for kind in AnyOp.__args__))
            raise UsageError(f"not an op: {error}; allowed types: {kinds}") from None
