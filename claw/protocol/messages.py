"""The conversation as claw keeps it: values, with no host's wire format in them.

*Source*: the roles and fields of the OpenAI chat-completions format, plus Kimi's `reasoning_content`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Text(Struct, frozen=True, tag="text"):
    """A piece of text in a user message or a tool result."""

    text: str


class Image(Struct, frozen=True, tag="image"):
    """A picture. `url` is a `data:` URL, or an id that the host gave out (`ms://…`)."""

    url: str


class Video(Struct, frozen=True, tag="video"):
    """A film. `url` is an id that the host gave out (`ms://…`), or a `data:` URL."""

    url: str


Part = Text | Image | Video
Content = tuple[Part, ...]


class ToolCall(Struct, frozen=True):
    """The model's wish to run a tool. `arguments` is the JSON text exactly as it was received."""

    id: str
    name: str
    arguments: str


class UserMessage(Struct, frozen=True, tag_field="role", tag="user"):
    """What a person, or claw on its own behalf, says to the model.

    `context` is what claw adds to the newest message (date, git state, todo): it follows the text on
    the wire and is never part of what the person is shown as having said.
    """

    content: Content
    context: str = ""

    @property
    def text(self) -> str:
        return text_of(self.content)


class AssistantMessage(Struct, frozen=True, tag_field="role", tag="assistant"):
    """One reply of the model.

    `reasoning` is None when the host sent none; an empty string means "reasoned, and it was empty",
    and is echoed as such. `reasoning_key` is the name under which the host sent it, where that was not
    `reasoning_content`. `interrupted` marks a reply that was cut off: it has no calls.
    """

    content: str = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    interrupted: bool = False
    reasoning_key: str = ""


class ToolMessage(Struct, frozen=True, tag_field="role", tag="tool"):
    """The result of one call, as the model reads it."""

    tool_call_id: str
    name: str
    content: Content
    is_error: bool = False

    @property
    def text(self) -> str:
        return text_of(self.content)


Message = UserMessage | AssistantMessage | ToolMessage


class ToolSpec(Struct, frozen=True):
    """A tool as the model is told of it. `parameters` is a JSON schema of type object.

    A name that starts with `$` is one of the host's own tools and has neither text nor parameters.
    """

    name: str
    description: str = ""
    parameters: dict[str, object] = {}


class Prefix(Struct, frozen=True):
    """What stands before the first message of every request: the same bytes for a whole session."""

    system: str
    tools: tuple[ToolSpec, ...] = ()


class Usage(Struct, frozen=True):
    """Tokens of one or more requests. *Units*: tokens.

    `input` counts all tokens of the request, `cached` those of them that the host had in its cache;
    `output` counts all tokens of the reply, `reasoning` those of them that were thinking.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )

    @property
    def total(self) -> int:
        return self.input + self.output


def text_of(content: Sequence[Part]) -> str:
    """The text of all parts, joined by newlines; pictures and videos are left out."""
    return "\n".join(part.text for part in content if isinstance(part, Text))


def as_content(text: str) -> Content:
    """Content that is one piece of text."""
    return (Text(text),)
