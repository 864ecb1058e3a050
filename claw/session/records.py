"""An event as one line of a log: as on the wire, but with large payloads kept as blobs.

A `text` or `image` part of more than `INLINE_LIMIT_CHARS` becomes, in the log only,

    {"type": "blob", "of": "text" | "image", "sha256": …, "chars": n}

and is put back on reading. This concerns the content of `user_message_added` and `tool_finished`; all
else stays in its line.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from claw.errors import SessionError
from claw.protocol.codec import decode_event, encode_event, escape_surrogates
from claw.protocol.events import Event, ToolFinished, UserMessageAdded
from claw.protocol.messages import Content, Part, Text
from claw.tooling.services import Blob

INLINE_LIMIT_CHARS = 16 * 1024

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_BLOB_MARK = b'"type":"blob"'  # within a string the quotes would be escaped, so this finds parts only


class PayloadStore(Protocol):
    """What the log needs of `FileBlobs`."""

    def put(self, data: bytes) -> Blob: ...

    def get(self, sha256: str) -> bytes | None: ...


def encode_record(event: Event, payloads: PayloadStore) -> bytes:
    """One line with its newline.

    Half a surrogate pair (the name of a file that is not UTF-8) has no place in UTF-8 and is written as
    its escape, `\\udc80`, in letters.
    """
    try:
        if not any(_is_large(part) for part in _content_of(event)):
            return encode_event(event) + b"\n"
        return _encoder.encode(_spill(event, payloads)) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(escape_surrogates(_spill(event, payloads))) + b"\n"


def decode_record(line: bytes, payloads: PayloadStore) -> Event:
    """A payload that is lost leaves a line of text in its place that says so.

    *Errors*: SessionError for a line that is no event.
    """
    try:
        return decode_event(_refill(line, payloads) if _BLOB_MARK in line else line)
    except (UnicodeError, RecursionError) as error:
        raise SessionError(f"not an event: {error}") from None


def _content_of(event: Event) -> Content:
    if isinstance(event, ToolFinished):
        return event.content
    return event.message.content if isinstance(event, UserMessageAdded) else ()


def _is_large(part: Part) -> bool:
    return len(part.text if isinstance(part, Text) else part.url) > INLINE_LIMIT_CHARS


def _spill(event: Event, payloads: PayloadStore) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(event)
    parts = [_spill_part(part, payloads) for part in _content_of(event)]
    if isinstance(event, ToolFinished):
        record["content"] = parts
    elif isinstance(event, UserMessageAdded):
        record["message"]["content"] = parts
    return record


def _spill_part(part: Part, payloads: PayloadStore) -> dict[str, Any]:
    if not _is_large(part):
        plain: dict[str, Any] = msgspec.to_builtins(part)
        return plain
    kind, payload = str(part.__struct_config__.tag), part.text if isinstance(part, Text) else part.url
    blob = payloads.put(payload.encode("utf-8", "backslashreplace"))
    return {"type": "blob", "of": kind, "sha256": blob.sha256, "chars": len(payload)}


def _refill(line: bytes, payloads: PayloadStore) -> bytes:
    """The line with its payloads back in place; as it was where it is no JSON (decoding then says so)."""
    try:
        record = _decoder.decode(line)
    except msgspec.MsgspecError:
        return line
    if not isinstance(record, dict):
        return line
    for holder in (record, record.get("message")):
        if isinstance(holder, dict) and isinstance(content := holder.get("content"), list):
            holder["content"] = [_refill_part(part, payloads) for part in content]
    return _encoder.encode(record)


def _refill_part(part: Any, payloads: PayloadStore) -> Any:
    if not isinstance(part, dict) or part.get("type") != "blob":
        return part
    sha256 = str(part.get("sha256"))
    data = payloads.get(sha256)
    text = None if data is None else data.decode("utf-8", "replace")
    if text is None:
        text = f"[{part.get('chars')} characters were here; the blob {sha256} that held them is missing or damaged]"
    elif (kind := part.get("of")) in ("image", "video"):
        return {"type": kind, "url": text}
    return {"type": "text", "text": text}
