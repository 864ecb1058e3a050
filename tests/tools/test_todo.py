from __future__ import annotations

import msgspec
import pytest

from claw.protocol.details import TodoItem, TodoList
from claw.protocol.events import TodoChanged
from claw.tooling.base import Access, Effect, ToolResult
from claw.tooling.registry import ToolRegistry
from claw.tools.todo import Todo
from tests.tools.conftest import Bench

TODO = Todo()
STEPS = [
    {"text": "read the code", "status": "done"},
    {"text": "mend\nit", "status": "in_progress"},
    {"text": "test it"},
]


async def test_the_list_is_replaced_and_told(bench: Bench) -> None:
    items = (TodoItem("read the code", "done"), TodoItem("mend it", "in_progress"), TodoItem("test it", "pending"))
    assert await bench.run(TODO, items=STEPS) == ToolResult.of(
        "[x] read the code\n[>] mend it\n[ ] test it", "1 of 3 done", TodoList(items)
    )
    assert bench.workspace.todo == items
    assert await bench.text(TODO, items=[]) == "The list is empty."
    assert not bench.workspace.todo
    assert bench.events == [TodoChanged(items=items), TodoChanged(items=())]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"text": "a", "status": "in_progress"}] * 2, "2 steps are in_progress; one at most can be"),
        ([{"text": " \t"}], "a step has no text"),
    ],
)
async def test_a_bad_list_changes_nothing(bench: Bench, steps: list[dict[str, str]], message: str) -> None:
    await bench.run(TODO, items=STEPS)
    before = bench.workspace.todo
    assert message in await bench.error(TODO, items=steps)
    assert bench.workspace.todo == before
    assert len(bench.events) == 1


@pytest.mark.parametrize("item", [{"text": ""}, {"status": "done"}, {"text": "a", "status": "doing"}])
def test_what_the_schema_refuses(item: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"items": [item]}, TODO.params)


def test_access_summary_and_spec(bench: Bench) -> None:
    params = bench.params(TODO, items=STEPS)
    assert TODO.access(params, bench.workspace) == Access(Effect.NONE)
    assert TODO.summary(params) == "1 of 3 done: mend it"
    assert TODO.summary(bench.params(TODO, items=[])) == "0 of 0 done"
    (spec,) = ToolRegistry([TODO]).specs()
    items = spec.parameters["properties"]["items"]  # type: ignore[index]
    assert items["items"]["properties"]["status"]["type"] == "string"
