"""`todo`: the plan that the person can watch."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from claw.errors import ToolError
from claw.protocol.details import TodoItem, TodoList
from claw.protocol.events import TodoChanged
from claw.tooling.base import Tool, ToolContext, ToolResult

_MARKS = {"pending": "[ ]", "in_progress": "[>]", "done": "[x]"}


class Step(Struct, frozen=True):
    text: Annotated[str, Meta(description="What is to be done, in one line.", min_length=1, max_length=500)]
    status: Annotated[
        Literal["pending", "in_progress", "done"], Meta(description="One step at most is in_progress.")
    ] = "pending"


class TodoParams(Struct, frozen=True):
    items: Annotated[
        list[Step], Meta(description="The whole list: it replaces the one before. Empty clears it.", max_length=100)
    ]


class Todo(Tool[TodoParams]):
    name = "todo"
    params = TodoParams

    def summary(self, params: TodoParams) -> str:
        current = next((step.text for step in params.items if step.status == "in_progress"), "")
        return f"{_progress(params)}{': ' if current else ''}{' '.join(current.split())}"

    async def run(self, params: TodoParams, context: ToolContext) -> ToolResult:
        if not all(step.text.strip() for step in params.items):
            raise ToolError("a step has no text. The list is as it was before.", "empty step")
        if (n_current := sum(step.status == "in_progress" for step in params.items)) > 1:
            raise ToolError(
                f"{n_current} steps are in_progress; one at most can be. The list is as it was before.",
                "several in progress",
            )
        items = tuple(TodoItem(" ".join(step.text.split()), step.status) for step in params.items)
        context.workspace.todo = items
        context.emit(TodoChanged(items=items))
        text = "\n".join(f"{_MARKS[item.status]} {item.text}" for item in items) or "The list is empty."
        return ToolResult.of(text, _progress(params), TodoList(items))


def _progress(params: TodoParams) -> str:
    n_done = sum(step.status == "done" for step in params.items)
    return f"{n_done} of {len(params.items)} done"
