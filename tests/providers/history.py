"""One conversation with everything in it that hosts differ about."""

from __future__ import annotations

from claw.protocol.messages import (
    AssistantMessage,
    Image,
    Message,
    Prefix,
    Text,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
    as_content,
)

PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PREFIX = Prefix("You are claw.", (ToolSpec("ls", "List a folder.", {"type": "object", "properties": {}}),))
SCHEMA = {"type": "object", "properties": {"files": {"type": "integer"}}, "required": ["files"]}

HISTORY: tuple[Message, ...] = (
    UserMessage(as_content("How many files?"), "branch main"),
    # Under foreign ids, and answered out of order.
    AssistantMessage(
        "",
        "Two folders to look at.",
        (ToolCall("call_a", "ls", '{"path":"a"}'), ToolCall("call_b", "ls", '{"path":"b"}')),
        reasoning_key="reasoning",
    ),
    ToolMessage("call_b", "ls", as_content("one")),
    ToolMessage("call_a", "ls", as_content("two\nthree")),
    # Without reasoning, and under an id that was there before.
    AssistantMessage("And one more.", None, (ToolCall("call_a", "ls", '{"path":"c"}'),)),
    ToolMessage("call_a", "ls", as_content("")),
    AssistantMessage("Three.", ""),
    UserMessage((Text("And in this picture?"), Image(PNG))),
)
