"""Events and ops as lines of JSON: `{"type": …, "session": …, "seq": n, "ts": …, …}`.

The version stands in `SessionStarted.protocol`. Within one version events and fields are only added,
so a reader passes over what it does not know: an unknown field is dropped, an unknown event becomes
`UnknownEvent` and keeps its line. A log of a higher version may be read for show, never written to.
"""

from __future__ import annotations

import msgspec

from claw.errors import SessionError, UsageError
from claw.protocol.events import AnyEvent, Event, UnknownEvent
from claw.protocol.ops import AnyOp, Op

PROTOCOL_VERSION = 1

_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(AnyEvent)
_op_decoder = msgspec.json.Decoder(AnyOp)


class _Head(msgspec.Struct):
    type: str
    session: str = ""
    seq: int = -1
    ts: float = 0.0


_head_decoder = msgspec.json.Decoder(_Head)
KNOWN_EVENTS = frozenset(kind.__struct_config__.tag for kind in AnyEvent.__args__)


def encode_event(event: Event) -> bytes:
    """One line without its newline; never contains a raw newline."""
    return _encoder.encode(event)


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
    """*Errors*: UsageError that names what is allowed."""
    try:
        return _op_decoder.decode(line)
    except msgspec.MsgspecError as error:
        kinds = ", ".join(sorted(str(kind.__struct_config__.tag) for kind in AnyOp.__args__))
        raise UsageError(f"not an op: {error}; allowed types: {kinds}") from None
