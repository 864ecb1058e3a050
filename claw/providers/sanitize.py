"""Makes a history fit to be sent: some hosts refuse a whole conversation for one odd message in it.

What is repaired, and nothing else:

- an assistant message that says nothing and calls nothing is left out;
- each call has exactly one result, right behind the message that calls: a missing one is made up, one
  without a call, or a second one, is left out;
- arguments that are no JSON object become `{}`: the result already tells the model what was wrong;
- a tool's name that no host takes, since the model made it up, is spelled with `_` for what is odd in it;
- user messages in a row become one, and a blank one is left out;
- pictures that the host would refuse become a text (see `pictures`).

Messages that need no repair stay the very objects that they were.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress, count
from operator import is_not

import msgspec

from claw.protocol.messages import (
    AssistantMessage,
    Message,
    Part,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
    as_content,
)
from claw.providers.dialect import Media
from claw.providers.pictures import PictureFilter

MISSING_RESULT = "interrupted, effects unknown: verify before repeating"
_ODD_IN_NAME = re.compile(r"[^A-Za-z0-9_.$-]")
_NAME_LIMIT_CHARS = 64


def sanitize(messages: Sequence[Message], media: Media | None = None) -> list[Message]:
    """`messages` as they may be sent."""
    return Sanitizer(media).clean(messages)


def n_same(old: Sequence[Message], new: Sequence[Message]) -> int:
    """How many messages at the beginning of both are the same. *Cost*: 10 µs for 2,000 where `new` only grew.

    Comparing lists tries identity before equality, so only what was rebuilt is compared by its content.
    """
    n_both = min(len(old), len(new))
    if old[:n_both] == new[:n_both]:
        return n_both
    return next(compress(count(), map(is_not, old, new)), n_both)


class Sanitizer:
    """`sanitize` for a history that grows: looks only at what is new since the last call.

    Each kept assistant message begins a block, which ends before the next one. A block's repairs depend
    on nothing outside it, so all but the last stay as they are. Pictures are held against `media`, or left
    as they are without one.
    """

    def __init__(self, media: Media | None = None) -> None:
        self._pictures = PictureFilter(media) if media else None
        self._filtered: list[Message] = []
        self._seen: list[Message] = []
        self._clean: list[Message] = []
        self._blocks: list[tuple[int, int]] = []  # where each block begins, in `_seen` and in `_clean`
        self._arguments = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def clean(self, messages: Sequence[Message]) -> list[Message]:
        """The repaired history. The list is the caller's; its unchanged messages are the same objects each time."""
        messages = list(messages)
        n_known = n_same(self._seen, messages)
        if n_known == len(self._seen) == len(messages):
            return list(self._filtered)
        while self._blocks and self._blocks[-1][0] >= n_known:
            self._blocks.pop()
        start, n_clean = self._blocks[-1] if self._blocks else (0, 0)
        del self._seen[start:], self._clean[n_clean:]
        self._seen += messages[start:]
        waiting: dict[str, list[ToolCall]] = {}
        for position in range(start, len(self._seen)):
            match self._seen[position]:
                case AssistantMessage() as message:
                    self._close(waiting)
                    if message.tool_calls or message.content.strip():
                        if not self._blocks or self._blocks[-1][0] < position:
                            self._blocks.append((position, len(self._clean)))
                        self._clean.append(self._repaired(message))
                        for call in message.tool_calls:
                            waiting.setdefault(call.id, []).append(call)
                case ToolMessage() as result:
                    if calls := waiting.get(result.tool_call_id):
                        calls.pop(0)
                        self._clean.append(result)
                case UserMessage() as message:
                    self._close(waiting)
                    self._add_user(message)
        self._close(waiting)
        self._filtered = self._pictures.clean(self._clean, n_clean) if self._pictures else self._clean
        return list(self._filtered)

    def _repaired(self, message: AssistantMessage) -> AssistantMessage:
        calls = tuple(map(self._repaired_call, message.tool_calls))
        if all(new is old for new, old in zip(calls, message.tool_calls, strict=True)):
            return message
        return msgspec.structs.replace(message, tool_calls=calls)

    def _repaired_call(self, call: ToolCall) -> ToolCall:
        name = _ODD_IN_NAME.sub("_", call.name[:_NAME_LIMIT_CHARS]) or "unnamed"
        arguments = call.arguments if self._is_object(call.arguments) else "{}"
        if name == call.name and arguments == call.arguments:
            return call
        return ToolCall(call.id, name, arguments)

    def _is_object(self, arguments: str) -> bool:
        try:
            self._arguments.decode(arguments)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        return True

    def _close(self, waiting: dict[str, list[ToolCall]]) -> None:
        """No more results will come for these calls."""
        for calls in waiting.values():
            for call in calls:
                self._clean.append(ToolMessage(call.id, call.name, as_content(MISSING_RESULT), is_error=True))
        waiting.clear()

    def _add_user(self, message: UserMessage) -> None:
        if not message.context.strip() and not any(_says_something(part) for part in message.content):
            return
        last = self._clean[-1] if self._clean else None
        if isinstance(last, UserMessage):
            context = "\n\n".join(text for text in (last.context, message.context) if text)
            self._clean[-1] = UserMessage(last.content + message.content, context)
        else:
            self._clean.append(message)


def _says_something(part: Part) -> bool:
    return not isinstance(part, Text) or bool(part.text.strip())
