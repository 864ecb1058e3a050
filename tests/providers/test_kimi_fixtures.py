"""Kimi K2's raw tool-call text, against cases from two servers' own tests and from a public benchmark."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from claw.protocol.messages import ToolCall, ToolSpec
from claw.providers.kimi_tokens import ThinkSplitter, ToolTextSplitter, parse, render_calls

FIXTURES = Path(__file__).parents[2].parent / "shared/fixtures"
SIZES = (1, 2, 3, 5, 8)
ANY_MARKER = re.compile(r"<\|tool_|</?think>")


def _load(name: str) -> list[dict[str, Any]]:
    path = FIXTURES / name / "cases.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


FORMAT_CASES = _load("kimi_k2_tool_format")
CALL_CASES = _load("bfcl_tool_calls")
needs_format_cases = pytest.mark.skipif(not FORMAT_CASES, reason=f"the fixtures are absent: {FIXTURES}")
needs_call_cases = pytest.mark.skipif(not CALL_CASES, reason=f"the fixtures are absent: {FIXTURES}")


def _tools(case: dict[str, Any]) -> list[ToolSpec]:
    functions = [tool["function"] for tool in case.get("tools") or ()]
    return [ToolSpec(one["name"], one.get("description", ""), one.get("parameters", {})) for one in functions]


def _cuts(case: dict[str, Any]) -> Iterator[list[str]]:
    """The case as it says, and in pieces of every size."""
    text = case["text"] if "text" in case else "".join(case["deltas"])
    yield case.get("deltas") or [text]
    for size in {*SIZES, *case.get("chunk_sizes", ())}:
        yield [text[i : i + size] for i in range(0, len(text), size)]


def _split(
    pieces: Sequence[str], tools: Sequence[ToolSpec], thinking: bool | str
) -> tuple[str, str, tuple[ToolCall, ...]]:
    """Reasoning, content and calls."""
    think, splitter = ThinkSplitter(opened=isinstance(thinking, str)), ToolTextSplitter(tools)
    reasoning = content = ""
    for piece in pieces:
        thought, text = think.feed(piece) if thinking else ("", piece)
        reasoning += thought
        content += splitter.feed(text)
    thought, text = think.finish()
    content += splitter.feed(text)
    rest, calls = splitter.finish()
    return reasoning + thought, content + rest, calls


def _assert_text(expected: dict[str, Any], name: str, got: str) -> None:
    assert got == expected.get(name, got)
    for part in expected.get(f"{name}_contains", ()):
        assert part in got
    for part in expected.get(f"{name}_lacks", ()):
        assert part not in got
    assert not ANY_MARKER.search(got)


@needs_format_cases
@pytest.mark.parametrize("case", FORMAT_CASES, ids=lambda case: case["id"])
def test_tool_format(case: dict[str, Any]) -> None:
    expected = case["expected"]
    for pieces in _cuts(case):
        reasoning, content, calls = _split(pieces, _tools(case), case.get("reasoning", False))
        _assert_text(expected, "content", content)
        _assert_text(expected, "reasoning", reasoning)
        for i, (call, wanted) in enumerate(zip(calls, expected["calls"], strict=True)):
            assert call.name == wanted["name"]
            assert call.id == wanted.get("id", call.id)
            assert i == wanted.get("index", i)
            assert call.arguments == wanted.get("arguments_raw", call.arguments)
            if "arguments" in wanted:
                assert json.loads(call.arguments) == wanted["arguments"]
        assert len({call.id for call in calls}) == len(calls)


@needs_call_cases
@pytest.mark.parametrize("case", CALL_CASES, ids=lambda case: case["id"])
def test_calls_survive_the_round_trip(case: dict[str, Any]) -> None:
    wanted = [(call["id"], call["name"], call["arguments"]) for call in case["calls"]]
    raw = case["raw"]
    content, calls = parse(raw, _tools(case))
    assert content == ""
    assert [(call.id, call.name, json.loads(call.arguments)) for call in calls] == wanted
    compact = [ToolCall(*call[:2], json.dumps(call[2], ensure_ascii=False)) for call in wanted]
    assert render_calls(calls) == raw
    assert _without_blanks_in_json(render_calls(compact)) == _without_blanks_in_json(raw)

    dice = random.Random(case["id"])
    for _ in range(20):
        ends = sorted(dice.sample(range(1, len(raw)), min(len(raw) - 1, dice.randint(1, 40))))
        pieces = [raw[a:b] for a, b in zip([0, *ends], [*ends, len(raw)], strict=True)]
        assert _split(pieces, (), False) == ("", "", calls)

    schemas = {tool.name: tool.parameters for tool in _tools(case)}
    for call in calls if case["schema_valid"] else ():
        jsonschema.validate(json.loads(call.arguments), schemas[call.name])


def _without_blanks_in_json(raw: str) -> str:
    return re.sub(
        r"(?<=argument_begin\|>).*?(?=<\|tool_call_end)",
        lambda found: json.dumps(json.loads(found[0])),
        raw,
        flags=re.DOTALL,
    )


@needs_format_cases
@needs_call_cases
def test_all_cases_are_there() -> None:
    assert (len(FORMAT_CASES), len(CALL_CASES)) == (46, 80)
