from __future__ import annotations

from pathlib import Path

import pytest

from claw.agent.structured import Structured, extract_json, load_schema
from claw.errors import UsageError
from tests.agent.bench import AgentBench
from tests.fakes.provider import say

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    "text", ['{"n": 1}', ' {"n": 1}\n', '```json\n{"n": 1}\n```', 'Here:\n```\n{"n": 1}\n```\nDone.']
)
def test_json_is_found(text: str) -> None:
    assert extract_json(text) == {"n": 1}


@pytest.mark.parametrize("text", ["", "n = 1", "{n: 1}", "```\n{}\n```\n```\n{}\n```", "NaN", '{"n": Infinity}'])
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(ValueError):
        extract_json(text)


async def test_a_wrong_answer_is_repaired_by_the_model(tmp_path: Path) -> None:
    structured = Structured(SCHEMA)
    finished = await AgentBench(tmp_path, [say('{"n": "1"}'), say('{"n": 1}')], [structured]).work("go")
    assert (finished.status, structured.value) == ("done", {"n": 1})


async def test_after_two_repairs_it_is_given_up(tmp_path: Path) -> None:
    structured = Structured(SCHEMA)
    finished = await AgentBench(tmp_path, [say("one")] * 5, [structured]).work("go")
    assert (finished.status, finished.n_turns, structured.value) == ("schema", 3, None)


def test_a_schema_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a JSON schema"):
        Structured({"type": "whatever"})
    (tmp_path / "schema.json").write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        load_schema(str(tmp_path / "schema.json"))
    with pytest.raises(UsageError, match="No such file"):
        load_schema(str(tmp_path / "absent.json"))
