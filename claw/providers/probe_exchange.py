"""One answered request, with what the assembled reply no longer shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from claw.protocol.messages import AssistantMessage, Usage

REASONING_KEYS = ("reasoning_content", "reasoning", "reasoning_details")


@dataclass
class Exchange:
    """One request that was answered. `read_ms`: when each network read that brought words came.
    `raw_text`: the words before anything was read out of them, such as calls that leaked into the text.

    `usage_place` is empty where the host reported no usage. `complete`: it gave a finish reason or `[DONE]`.
    """

    headers: Mapping[str, str]
    first_byte_ms: float = 0.0
    read_ms: list[float] = field(default_factory=list)
    n_text_deltas: int = 0
    reasoning_keys: tuple[str, ...] = ()
    raw_ids: list[Any] = field(default_factory=list)
    raw_text: str = ""
    usage_place: str = ""
    complete: bool = False
    finish_reason: str = ""
    model: str = ""
    usage: Usage | None = None
    message: AssistantMessage = field(default_factory=AssistantMessage)

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json"

    def note(self, event: bytes) -> bool:
        """What the assembled reply no longer shows. Returns whether the event held words of the answer."""
        try:
            parsed = msgspec.json.decode(event)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        if not isinstance(parsed, dict):
            return False
        choices = [each for each in _list(parsed.get("choices")) if isinstance(each, dict)]
        if isinstance(parsed.get("usage"), dict):
            self.usage_place = "beside the last choice" if choices else "in a chunk of its own"
        has_words = False
        for choice in choices:
            if isinstance(choice.get("usage"), dict):
                self.usage_place = "in choices[0]"
            delta = choice.get("delta") or choice.get("message")
            if not isinstance(delta, dict):
                continue
            seen = (key for key in REASONING_KEYS if delta.get(key) is not None and key not in self.reasoning_keys)
            self.reasoning_keys += tuple(seen)
            if content := delta.get("content"):
                self.n_text_deltas += 1
                self.raw_text += content if isinstance(content, str) else ""
                has_words = True
            for call in _list(delta.get("tool_calls")):
                if isinstance(call, dict) and call.get("id") is not None:
                    self.raw_ids.append(call["id"])
        return has_words


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
