"""The conversation, and what is added to the newest message of it.

The prefix (system prompt, tools) and everything already said stay as they are, object for object, so
that the provider sends the same bytes again and the host's cache holds. What changes from day to day
or from turn to turn rides on the newest message only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from claw.protocol.details import TodoItem
from claw.protocol.messages import Message

_MARKS = {"done": "x", "in_progress": ">", "pending": " "}


class Conversation:
    """The messages so far: append-only."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._messages = list(messages)

    @property
    def messages(self) -> Sequence[Message]:
        return self._messages

    def add(self, *messages: Message) -> None:
        self._messages.extend(messages)


def describe_todo(todo: Sequence[TodoItem]) -> str:
    """The plan as the model reads it, empty for no plan."""
    return "\n".join(f"[{_MARKS.get(item.status, ' ')}] {item.text}" for item in todo)


def describe_moment(date: str, git: str, todo: Sequence[TodoItem]) -> str:
    """The context of a new user message. `git` is one line, empty outside a repository."""
    lines = [f"Date: {date}"]
    if git:
        lines.append(f"Git: {git}")
    if todo:
        lines.append("Your todo list:\n" + describe_todo(todo))
    return "\n".join(lines)
