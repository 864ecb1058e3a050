"""A recorded conversation: what the model said, and what it had been told since it spoke last.

    {"type": "cassette", "version": 1, "claw": …, "host": …, "model": …, …}
    {"type": "turn", "chat": 0, "expect": […], "reply": {…}, "finish_reason": …, "usage": …, …}
    …

The file is JSON lines, meant to be kept in a repository and read by people. `expect` is normalised (see
`normalise`), and in `reply` and `prompt` the working folder is a placeholder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from claw import __version__
from claw.errors import SessionError, UsageError
from claw.protocol.messages import (
    AssistantMessage,
    Content,
    Message,
    Text,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from claw.providers.base import Provider, Reply
from claw.providers.normalise import Normaliser

VERSION = 1


class Header(Struct, tag_field="type", tag="cassette", kw_only=True):
    """First record. The fields of the provider that was recorded, for the one that plays it back."""

    version: int
    claw: str = ""
    host: str = ""
    model: str = ""
    context_window: int = 262_144
    price_known: bool = False
    holds_to_schema: bool = False


class Said(Struct, frozen=True, tag="user"):
    """What the user, or claw, said: without the context that claw adds (date, git state)."""

    text: str


class Returned(Struct, frozen=True, tag="tool"):
    """What a tool returned."""

    name: str
    content: str
    is_error: bool = False


News = Said | Returned


class TurnRecord(Struct, tag_field="type", tag="turn", kw_only=True):
    """One reply. `chat` counts the conversations opened on the provider, `prompt` is the user's text that
    the recording begins with, word for word.
    """

    chat: int = 0
    prompt: str | None = None
    expect: tuple[News, ...]
    reply: AssistantMessage
    finish_reason: str
    usage: Usage | None = None
    cost_usd: float | None = None
    model: str = ""


_encoder = msgspec.json.Encoder()
_header_decoder = msgspec.json.Decoder(Header)
_turn_decoder = msgspec.json.Decoder(TurnRecord)


class CassetteWriter:
    """Writes turn by turn, so that a run that is killed leaves what it had.

    *Errors*: UsageError for a place that cannot be written, or that holds something else than a cassette;
    SessionError if the disk refuses later.
    """

    def __init__(self, path: Path, provider: Provider) -> None:
        self._path = path
        _refuse_to_overwrite(path)
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"cannot record to {path}: {error.strerror}") from None
        self._write(
            Header(
                version=VERSION,
                claw=__version__,
                host=provider.host,
                model=provider.model,
                context_window=provider.context_window,
                price_known=provider.price_known,
                holds_to_schema=provider.holds_to_schema,
            )
        )

    def add(self, turn: TurnRecord) -> None:
        self._write(turn)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, record: Struct) -> None:
        try:
            rest = memoryview(_encoder.encode(record) + b"\n")
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise SessionError(f"cannot write {self._path}: {error.strerror}") from None


def read_cassette(path: Path) -> tuple[Header, list[TurnRecord]]:
    """*Errors*: UsageError, with the line, for a file that is no cassette, a broken one or one of a newer claw.

    A last line that is torn belongs to a recording that was killed, and is left out.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the recording {path}: {error.strerror}") from None
    first, *lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    try:
        header = _header_decoder.decode(first)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise UsageError(f"{path} is no recording of claw; make one with `claw exec --record FILE`") from None
    if header.version != VERSION:
        raise UsageError(f"{path} has version {header.version}; this claw reads version {VERSION}")
    turns = []
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        try:
            turns.append(_turn_decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            if number == len(lines) + 1:  # no newline follows it
                continue
            raise UsageError(f"{path}, line {number}: broken recording: {error}") from None
    return header, turns


def news_of(messages: Sequence[Message], normaliser: Normaliser) -> tuple[News, ...]:
    """What the model is told for the first time: all that follows its own last message."""
    return tuple(_as_news(message, normaliser.normalise) for message in newest(messages))


def newest(messages: Sequence[Message]) -> list[UserMessage | ToolMessage]:
    news: list[UserMessage | ToolMessage] = []
    for message in reversed(messages):
        if isinstance(message, AssistantMessage):
            break
        news.append(message)
    return news[::-1]


def _as_news(message: UserMessage | ToolMessage, normalise: Callable[[str], str]) -> News:
    text = normalise(describe(message.content))
    return Said(text) if isinstance(message, UserMessage) else Returned(message.name, text, message.is_error)


def describe(content: Content) -> str:
    """Content as text that UTF-8 can hold. A picture or video is named by the hash of its data."""
    text = "\n".join(
        part.text if isinstance(part, Text) else f"({part.__struct_config__.tag} sha256:{_digest(part.url)})"
        for part in content
    )
    return text.encode("utf-8", "backslashreplace").decode()


def to_record(
    chat: int, messages: Sequence[Message], reply: Reply, normaliser: Normaliser, *, is_first: bool
) -> TurnRecord:
    """One reply with what led to it. `is_first` of the whole recording: it keeps the prompt word for word."""
    said = [describe(message.content) for message in newest(messages) if isinstance(message, UserMessage)]
    return TurnRecord(
        chat=chat,
        prompt=normaliser.take_cwd_out(said[0]) if is_first and said else None,
        expect=news_of(messages, normaliser),
        reply=_map_message(reply.message, normaliser.take_cwd_out, normaliser.take_cwd_out_of_json),
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        cost_usd=reply.cost_usd,
        model=reply.model,
    )


def to_reply(turn: TurnRecord, normaliser: Normaliser) -> Reply:
    """The recorded reply, as if the model had given it for this working folder."""
    message = _map_message(turn.reply, normaliser.put_cwd_in, normaliser.put_cwd_into_json)
    return Reply(message, turn.finish_reason, turn.usage, turn.cost_usd, turn.model)


def _map_message(
    message: AssistantMessage, text: Callable[[str], str], arguments: Callable[[str], str]
) -> AssistantMessage:
    return msgspec.structs.replace(
        message,
        content=text(message.content),
        reasoning=None if message.reasoning is None else text(message.reasoning),
        tool_calls=tuple(ToolCall(call.id, call.name, arguments(call.arguments)) for call in message.tool_calls),
    )


def _refuse_to_overwrite(path: Path) -> None:
    """A recording may be made again; any other file is likely a slip of the hand."""
    try:
        if not path.exists():
            return
        if not path.is_file():
            raise UsageError(f"cannot record to {path}: it is no regular file")
        with path.open("rb") as file:
            first = file.readline(1 << 16)
        if first:
            _header_decoder.decode(first)
    except OSError as error:
        raise UsageError(f"cannot record to {path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise UsageError(f"{path} exists and is no recording; name another file to record to") from None


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:16]
