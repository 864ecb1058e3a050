"""Pictures of a history that a host would refuse, replaced by a text that says what was there."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import msgspec

from claw.protocol.messages import (
    AssistantMessage,
    Content,
    Image,
    Message,
    Part,
    Text,
    ToolMessage,
    UserMessage,
    Video,
)
from claw.providers.dialect import Media

_DATA_URL = re.compile(r"data:image/([A-Za-z0-9.+-]+);base64,", re.ASCII)
_WEB_URL = re.compile(r"https?://[^\s/]\S*")
_MAGIC = {"png": rb"\x89PNG\r\n\x1a\n", "jpeg": rb"\xff\xd8\xff", "gif": rb"GIF8[79]a", "webp": rb"RIFF....WEBP"}
_SHOWN_CHARS = 80
_STEPS = 8


class PictureFilter:
    """Leaves in a growing history the pictures that a host takes.

    A picture stays if it is a `data:` URL of a type in `media.images` that begins as that type does, an id of the
    host's own files (`ms://…`) where it has such, or a web address where it fetches those. Of more than
    `media.max_images` the oldest go, an eighth of the limit at a time: each change costs the host's cache.
    What is replaced depends on the history alone, and stays replaced as it grows.
    """

    def __init__(self, media: Media) -> None:
        self._media = media
        self._n_step = max(1, media.max_images // _STEPS)
        self._seen: list[Message] = []
        self._valid: list[Message] = []
        self._out: list[Message] = []
        self._n_pictures = [0]  # in all messages so far, after each message
        self._n_dropped = 0

    def clean(self, messages: Sequence[Message], n_known: int) -> list[Message]:
        """`messages` as they may be sent; the first `n_known` are the very objects of the last call."""
        del self._seen[n_known:], self._valid[n_known:], self._out[n_known:], self._n_pictures[n_known + 1 :]
        for message in messages[n_known:]:
            valid = self._checked(message)
            self._seen.append(message)
            self._valid.append(valid)
            self._n_pictures.append(self._n_pictures[-1] + _count(valid))
        over = self._n_pictures[-1] - self._media.max_images
        n_dropped = -(-over // self._n_step) * self._n_step if over > 0 else 0
        if n_dropped != self._n_dropped:
            self._n_dropped = n_dropped
            self._out.clear()
        for i in range(len(self._out), len(self._valid)):
            self._out.append(self._without_oldest(self._valid[i], n_dropped - self._n_pictures[i]))
        return list(self._out)

    def _checked(self, message: Message) -> Message:
        if isinstance(message, AssistantMessage) or all(isinstance(part, Text) for part in message.content):
            return message
        content = tuple(part if isinstance(part, Text) else self._checked_part(part) for part in message.content)
        if all(new is old for new, old in zip(content, message.content, strict=True)):
            return message
        return _with_content(message, content)

    def _checked_part(self, part: Image | Video) -> Part:
        if isinstance(part, Video):
            taken = {"upload": "ms://", "data": "data:video/", "none": "\0"}[self._media.video]
            return part if part.url.startswith(taken) else Text("[video left out: this model host does not take it]")
        why = self._objection(part.url)
        return Text(f"[picture left out: {why}]") if why else part

    def _objection(self, url: str) -> str:
        """Why the host would refuse the picture; empty if it would not."""
        if not self._media.images:
            return "this model host takes no pictures"
        if url.startswith("ms://") and len(url) > len("ms://"):
            return "" if self._media.video == "upload" else "it is stored at another model host"
        if self._media.image_urls and _WEB_URL.fullmatch(url):
            return ""
        head = _DATA_URL.match(url)
        if not head:
            return f"not picture data, but {_shown(url)}"
        kind = "jpeg" if head[1].lower() == "jpg" else head[1].lower()
        if kind not in self._media.images:
            return f"image/{kind[:_SHOWN_CHARS]}, where this model host takes {', '.join(self._media.images)}"
        try:
            data = base64.b64decode(url[head.end() :], validate=True)
        except (binascii.Error, ValueError):
            return f"image/{kind} whose base64 is broken"
        if not data:
            return f"image/{kind} of 0 bytes"
        return "" if re.match(_MAGIC.get(kind, b""), data, re.DOTALL) else f"not image/{kind}, as it says it were"

    def _without_oldest(self, message: Message, n_dropped: int) -> Message:
        """`message` without its first so many pictures."""
        if isinstance(message, AssistantMessage) or n_dropped <= 0 or not _count(message):
            return message
        content = list(message.content)
        for i, part in enumerate(content):
            if isinstance(part, Image) and n_dropped > 0:
                content[i] = Text(f"[older picture left out: {_shown(part.url)}]")
                n_dropped -= 1
        return _with_content(message, tuple(content))


def _count(message: Message) -> int:
    if isinstance(message, AssistantMessage):
        return 0
    return sum(isinstance(part, Image) for part in message.content)


def _with_content(message: UserMessage | ToolMessage, content: Content) -> UserMessage | ToolMessage:
    return msgspec.structs.replace(message, content=content)


def _shown(url: str) -> str:
    """A URL in words: the type of what stands in it, or where it points."""
    if url.startswith("data:"):
        kind = url[len("data:") : _SHOWN_CHARS].partition(",")[0].partition(";")[0] or "data"
        return f"{kind}, {len(url)} characters"
    return url if len(url) <= _SHOWN_CHARS else f"{url[:_SHOWN_CHARS]}…"
