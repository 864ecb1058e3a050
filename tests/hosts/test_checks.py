"""The enforcing host itself: each rule refuses what breaks it, in the host's words, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from claw.tooling.registry import ToolRegistry
from claw.tools import all_tools
from tests.fakes.model_server import Request
from tests.hosts.checks import Refused, Wire, check
from tests.hosts.pictures import data_url, png
from tests.hosts.rules import RULES, HostRules

Spoil = Callable[[Wire], Any]


def good(rules: HostRules) -> Wire:
    """A request that every host takes: a call, its result, a picture, tools."""
    call = {"type": "function", "id": "functions.ls:0", "function": {"name": "ls", "arguments": "{}"}}
    assistant = {"role": "assistant", "reasoning_content": "", "reasoning": "", "tool_calls": [call]}
    picture = {"type": "image_url", "image_url": {"url": data_url(png())}}
    return {
        "model": rules.model,
        "messages": [
            {"role": "system", "content": "You are claw."},
            {"role": "user", "content": [{"type": "text", "text": "Look."}, picture]},
            assistant,
            {"role": "tool", "tool_call_id": "functions.ls:0", "content": '[{"name": "a"}]'},
        ],
        "tools": [tool({"path": {"type": "string"}})],
        "stream": True,
    }


def tool(properties: Wire) -> Wire:
    parameters = {"type": "object", "properties": properties, "required": []}
    return {"type": "function", "function": {"name": "ls", "description": "List.", "parameters": parameters}}


def sent(rules: HostRules, body: Wire) -> Request:
    headers = {"authorization": f"Bearer {rules.key}"}
    return Request("POST", f"{rules.path}/chat/completions", headers, 0, 0.0, json.dumps(body).encode())


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_a_good_request_is_taken(rules: HostRules) -> None:
    check(rules, sent(rules, good(rules)))


def set_content(index: int, content: Any) -> Spoil:
    return lambda body: body["messages"][index].update(content=content)


def set_picture(url: str) -> Spoil:
    return lambda body: body["messages"][1]["content"][1].update(image_url={"url": url})


SPOILED: dict[str, tuple[Spoil, str]] = {
    "no reasoning": (
        lambda body: body["messages"][2].pop("reasoning_content"),
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
    ),
    "reasoning is null": (
        lambda body: body["messages"][2].update(reasoning_content=None),
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
    ),
    "temperature": (lambda body: body.update(temperature=1), "invalid temperature: only 1 is allowed for this model"),
    "top_p": (lambda body: body.update(top_p=0.5), "invalid top_p: only 0.95 is allowed for this model"),
    "n": (lambda body: body.update(n=2), "invalid n: only 1 is allowed for this model"),
    "no type": (lambda body: body.update(tools=[tool({"path": {"description": "a"}})]), "type is not defined"),
    "no type within": (
        lambda body: body.update(tools=[tool({"a": {"type": "array", "items": {"enum": ["b"]}}})]),
        "ls.parameters.a.items: type is not defined",
    ),
    "$ref": (lambda body: body.update(tools=[tool({"path": {"$ref": "#/$defs/Path"}})]), "$ref is not supported"),
    "blank beside calls": (set_content(2, " \n"), "text content is empty"),
    "blank result": (set_content(3, ""), "text content is empty"),
    "no parts": (set_content(1, []), "text content is empty"),
    "blank part": (set_content(1, [{"type": "text", "text": ""}]), "text content is empty"),
    "empty turn": (
        lambda body: body["messages"].append({"role": "assistant", "content": ""}),
        "text content is empty",
    ),
    "parts as a string": (set_content(3, '[{"type": "text", "text": "a"}]'), "sent as a JSON string"),
    "forced call": (
        lambda body: body.update(tool_choice="required"),
        "tool_choice 'required' is incompatible with thinking enabled",
    ),
    "schema": (
        lambda body: body.update(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}),
        "json_schema is not supported",
    ),
    "no result": (lambda body: body["messages"].pop(), "did not have response messages: functions.ls:0"),
    "no call": (lambda body: body["messages"].pop(2), "tool_call_id functions.ls:0 is not found"),
    "two results": (
        lambda body: body["messages"].append(body["messages"][3]),
        "tool_call_id functions.ls:0 is not found",
    ),
    "two users": (
        lambda body: body["messages"].insert(1, {"role": "user", "content": "Hello."}),
        "two user messages in a row",
    ),
    "public picture": (set_picture("https://example.org/a.png"), "unsupported image url"),
    "picture of another type": (set_picture(data_url(b"BM12", "bmp")), "unsupported image format"),
    "no picture": (set_picture(data_url(b"text")), "unsupported image format"),
    "model": (lambda body: body.update(model="kimi-k2"), "Not found the model kimi-k2"),
}


@pytest.mark.parametrize("name", ["moonshot", "moonshot-cn"])
@pytest.mark.parametrize(("spoil", "words"), SPOILED.values(), ids=SPOILED)
def test_what_moonshot_refuses(name: str, spoil: Spoil, words: str) -> None:
    rules = RULES[name]
    body = good(rules)
    spoil(body)
    with pytest.raises(Refused) as refused:
        check(rules, sent(rules, body))
    assert words in refused.value.message
    assert refused.value.status == (404 if "model" in body and body["model"] != rules.model else 400)


def test_without_thinking_no_reasoning_is_missed() -> None:
    rules = RULES["moonshot"]
    body = good(rules) | {"thinking": {"type": "disabled"}, "tool_choice": "required"}
    del body["messages"][2]["reasoning_content"]
    check(rules, sent(rules, body))


@pytest.mark.parametrize("other", [other for other in RULES if RULES[other].key])
@pytest.mark.parametrize("name", [name for name in RULES if RULES[name].key])
def test_a_key_is_of_one_host(name: str, other: str) -> None:
    rules = RULES[name]
    request = sent(rules, good(rules))
    request.headers["authorization"] = f"Bearer {RULES[other].key}"
    if name == other:
        check(rules, request)
        return
    with pytest.raises(Refused, match="Invalid Authentication"):
        check(rules, request)


def test_claws_own_tools_are_taken() -> None:
    rules = RULES["moonshot"]
    body = good(rules)
    body["tools"] = [
        {"type": "function", "function": {"name": spec.name, "parameters": spec.parameters}}
        for spec in ToolRegistry(all_tools()).specs()
    ]
    check(rules, sent(rules, body))
