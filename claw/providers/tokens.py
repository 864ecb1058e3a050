"""How many tokens a text comes to, about: for hosts that report no usage.

No tokenizer is loaded. Text is cut the way byte-pair tokenizers cut it before they merge, and each piece is
counted by what such a piece usually comes to: a word with the space before it is one token, three digits are
one, an indent is one, two Chinese characters are a little more than one.

*Error*: meant for budgets and for costs that are marked as estimated, not for bills. Prose, code and Chinese
come out at 3.5, 4.1 and 1.5 characters a token, which is what hosts report for replies whose text is all that
they bill. Random letters, rare languages and pictures may be off by a factor of two, and what a host bills
beyond the text that it sends (hidden reasoning, its own system prompt) is not seen at all.

*Cost*: half a microsecond for each token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from claw.protocol.messages import (
    AssistantMessage,
    Content,
    Image,
    Message,
    Part,
    Prefix,
    Text,
    ToolMessage,
    Usage,
    UserMessage,
    Video,
)
from claw.providers.sanitize import n_same

MESSAGE_TOKENS = 4  # role and the marks around a message
CALL_TOKENS = 8  # marks and id of a call
PICTURE_TOKENS = (64, 4096)  # the least and the most
UNKNOWN_PICTURE_TOKENS = 1024
VIDEO_TOKENS = 8192  # nothing in a message tells how long it is
_PIXELS_A_TOKEN = 28 * 28
_BASE64_A_TOKEN = 400

# Piece → characters that its first token holds, characters of each further one.
_SIZES = {"word": (10, 6), "upper": (4, 3), "digits": (3, 3), "mark": (2, 2), "breaks": (16, 16), "letters": (4, 3)}
_PIECE = re.compile(
    r"(?P<word>[A-Z]?[a-z]+)|(?P<upper>[A-Z]+)|(?P<digits>[0-9]+)|(?P<breaks>[ \t]*[\n\r][\s]*|\s{2,})|(?P<blank>\s)"
    r"|(?P<mark>[!-/:-@\[-`{-~]+)|(?P<han>[\u2e80-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
    r"|(?P<syllables>[\u3040-\u30ff\uac00-\ud7af]+)|(?P<letters>[\u00c0-\u052f]+)|(?P<other>.)",
    re.DOTALL,
)


def estimate_tokens(text: str) -> int:
    """Never less for a longer text that begins the same, never more than its bytes in UTF-8."""
    n_tokens = 0.0
    for piece in _PIECE.finditer(text):
        kind, length = piece.lastgroup, piece.end() - piece.start()
        if kind == "blank":
            continue  # it is part of the word that follows
        if kind == "han":
            n_tokens += 0.65 * length
        elif kind == "syllables":
            n_tokens += 0.8 * length
        elif kind == "other":
            n_tokens += 2 if piece[0] > "\uffff" else 1  # an emoji is seldom one token
        else:
            first, further = _SIZES[str(kind)]
            n_tokens += 1 if length <= first else 1 + -(-(length - first) // further)
    return -int(-n_tokens // 1)


def estimate_picture_tokens(url: str) -> int:
    """By its size in pixels where that is easily read (PNG), else by its size in bytes.

    *Source*: Kimi's picture encoder makes one token of 28 by 28 pixels.
    """
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma:
        return UNKNOWN_PICTURE_TOKENS
    least, most = PICTURE_TOKENS
    n_pixels = _png_pixels(data[:64]) if head.startswith("data:image/png") else 0
    n_tokens = n_pixels // _PIXELS_A_TOKEN if n_pixels else len(data) // _BASE64_A_TOKEN
    return min(max(n_tokens, least), most)


class UsageEstimator:
    """Estimates the usage of each request of one conversation. *Cost* of a turn: what is new in it."""

    def __init__(self, prefix: Prefix) -> None:
        tools = msgspec.json.encode(prefix.tools).decode("utf-8", "replace") if prefix.tools else ""
        self._n_prefix = MESSAGE_TOKENS + estimate_tokens(prefix.system) + estimate_tokens(tools)
        self._counted: list[Message] = []
        self._sums: list[int] = [self._n_prefix]  # before each message, and at the end

    def usage(self, messages: Sequence[Message], reply: AssistantMessage) -> Usage:
        """What the request with `messages` and the answer `reply` used.

        Messages that are the very objects of the last call are not counted again. All input counts as
        fresh, since nobody said what was cached: the cost that follows is an upper bound in that respect.
        """
        n_kept = n_same(self._counted, messages)
        del self._counted[n_kept:], self._sums[n_kept + 1 :]
        for message in messages[n_kept:]:
            self._sums.append(self._sums[-1] + sum(_tokens_of(message)) + MESSAGE_TOKENS)
            self._counted.append(message)
        reasoning, rest = _tokens_of(reply)
        return Usage(input=self._sums[-1], output=reasoning + rest, reasoning=reasoning)


def estimate_usage(prefix: Prefix, messages: Sequence[Message], reply: AssistantMessage) -> Usage:
    """One request on its own; for a whole conversation see `UsageEstimator`."""
    return UsageEstimator(prefix).usage(messages, reply)


def _tokens_of(message: Message) -> tuple[int, int]:
    """Of its reasoning, and of all else."""
    match message:
        case UserMessage():
            return 0, _content_tokens(message.content) + estimate_tokens(message.context)
        case ToolMessage():
            return 0, _content_tokens(message.content)
        case AssistantMessage():
            calls = sum(
                CALL_TOKENS + estimate_tokens(call.name) + estimate_tokens(call.arguments)
                for call in message.tool_calls
            )
            return estimate_tokens(message.reasoning or ""), estimate_tokens(message.content) + calls


def _content_tokens(content: Content) -> int:
    return sum(_part_tokens(part) for part in content)


def _part_tokens(part: Part) -> int:
    match part:
        case Text(text):
            return estimate_tokens(text)
        case Image(url):
            return estimate_picture_tokens(url)
        case Video():
            return VIDEO_TOKENS


def _png_pixels(start: str) -> int:
    """Width by height out of the first bytes of a PNG in base64; 0 for what is none."""
    import base64
    import binascii

    try:
        data = base64.b64decode(start[:32])
    except (binascii.Error, ValueError):
        return 0
    if len(data) < 24 or data[12:16] != b"IHDR":
        return 0
    return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
