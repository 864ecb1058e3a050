"""What goes over the wire: against Moonshot's own client, and byte-stable from turn to turn."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from claw.protocol.messages import (
    AssistantMessage,
    Content,
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
from claw.providers.catalog import Endpoint
from claw.providers.secret import Secret
from claw.providers.wire import RequestEncoder
from tests.fakes.model_server import ModelServer, say
from tests.providers.conftest import HELLO, Connect, reply_of

FILE = Path(__file__).parents[2].parent / "shared/fixtures/kimi_request_wire/requests.json"
CASES: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
CALL = ToolCall("functions.ls:0", "ls", '{"path":"."}')
ENDPOINT = Endpoint(host="test", base_url="http://127.0.0.1/v1", model="m")


def _content(wire: Any) -> Content:
    if isinstance(wire, str):
        return as_content(wire)
    return tuple(Text(part["text"]) if part["type"] == "text" else Image(part["image_url"]["url"]) for part in wire)


def _message(wire: dict[str, Any]) -> Message:
    calls = [ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in wire.get("tool_calls", ())]
    match wire["role"]:
        case "user":
            return UserMessage(_content(wire["content"]))
        case "tool":
            return ToolMessage(wire["tool_call_id"], "any", _content(wire["content"]))
        case _:
            return AssistantMessage(wire.get("content", ""), wire.get("reasoning_content"), tuple(calls))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.skipif(not CASES, reason=f"the fixtures are absent: {FILE}")
@pytest.mark.parametrize("name", CASES)
async def test_agrees_with_moonshots_own_client(name: str, connect: Connect) -> None:
    expected = CASES[name]
    wires = expected["messages"]
    system = wires[0]["content"] if wires[0]["role"] == "system" else ""
    tools = tuple(ToolSpec(**tool["function"]) for tool in expected["tools"])
    with ModelServer([say("ok")]) as server:
        async with connect(server.url, Prefix(system, tools), thinking=False) as chat:
            await reply_of(chat, [_message(wire) for wire in wires if wire["role"] != "system"])
        body = server.requests[0].body
    assert body["messages"] == _without_nulls(wires)
    assert body.get("tools", []) == _without_nulls(expected["tools"])


async def test_without_a_key_no_authorization_goes_out(connect: Connect) -> None:
    with ModelServer([say("ok")]) as server:
        async with connect(server.url) as chat:
            await reply_of(chat)
        assert "authorization" not in server.requests[0].headers


async def test_what_a_reply_needs_comes_back_with_the_next_request(connect: Connect) -> None:
    history: list[Message] = [
        UserMessage(as_content("go"), "branch main"),
        AssistantMessage("  \n", None, (CALL,)),
        ToolMessage(CALL.id, "ls", as_content("a")),
        AssistantMessage("", "", (CALL,)),
        ToolMessage(CALL.id, "ls", as_content("  ")),
        AssistantMessage("Done.", None),
        UserMessage((Text("look"), Image("ms://1"), Text(" ")), "todo"),
    ]
    with ModelServer([say("ok"), say("ok")]) as server:
        for thinking in (True, False):
            async with connect(server.url, Prefix(""), thinking=thinking) as chat:
                await reply_of(chat, history)
        with_thinking, without = (request.messages for request in server.requests)
    function = {"type": "function", "id": CALL.id, "function": {"name": "ls", "arguments": '{"path":"."}'}}
    assert with_thinking == [
        {"role": "user", "content": "go\n\n<context>\nbranch main\n</context>"},
        {"role": "assistant", "reasoning_content": "", "tool_calls": [function]},
        {"role": "tool", "content": "a", "tool_call_id": CALL.id},
        {"role": "assistant", "reasoning_content": "", "tool_calls": [function]},
        {"role": "tool", "content": "(no output)", "tool_call_id": CALL.id},
        {"role": "assistant", "content": "Done."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "ms://1"}},
                {"type": "text", "text": "<context>\ntodo\n</context>"},
            ],
        },
    ]
    assert "reasoning_content" not in without[1]
    assert without[3] == with_thinking[3]


async def test_the_bytes_before_the_newest_message_never_change(connect: Connect) -> None:
    history: list[Message] = list(HELLO)
    tools = (ToolSpec("ls", "List.", {"type": "object", "properties": {}, "required": []}),)
    with ModelServer(lambda _request: say("ok", reasoning="thought")) as server:
        async with connect(server.url, Prefix("You are claw.", tools)) as chat:
            for turn in range(4):
                reply = await reply_of(chat, history)
                call = ToolCall(f"functions.ls:{turn}", "ls", '{"a": "ü"}')
                history += [AssistantMessage(reply.message.content, reply.message.reasoning, (call,))]
                history += [ToolMessage(call.id, "ls", as_content(f"file {turn}"))]
            await reply_of(chat, [*history, UserMessage(as_content("and?"))])
        raws = [request.raw for request in server.requests]
    for before, after in pairwise(raws):
        shared = before.index(b'],"tools":')
        assert after[:shared] == before[:shared]
        assert after[shared:].startswith(b",{")
        assert after[after.index(b'],"tools":') :] == before[shared:]


def test_a_changed_history_is_encoded_anew_from_the_first_difference() -> None:
    def encode_afresh(messages: list[Message]) -> bytes:
        return RequestEncoder(ENDPOINT, Prefix("S"), thinking=True).encode(messages)

    encoder = RequestEncoder(ENDPOINT, Prefix("S"), thinking=True)
    one, two, three = (UserMessage(as_content(text)) for text in ("one", "two", "three"))
    for history in ([one, two, three], [one, three], [one], [], [two, two], [two, two, one], [one, two]):
        assert encoder.encode(list(history)) == encode_afresh(list(history))


def test_no_system_prompt_leaves_valid_json() -> None:
    encoder = RequestEncoder(ENDPOINT, Prefix(""), thinking=True)
    assert json.loads(encoder.encode([]))["messages"] == []
    assert json.loads(encoder.encode(list(HELLO)))["messages"] == [{"role": "user", "content": "hello"}]


def test_builtin_tools_have_only_a_name() -> None:
    body = json.loads(RequestEncoder(ENDPOINT, Prefix("", (ToolSpec("$web_search"),)), thinking=True).encode([]))
    assert body["tools"] == [{"type": "builtin_function", "function": {"name": "$web_search"}}]


def test_half_a_surrogate_pair_does_not_stop_a_session() -> None:
    encoder = RequestEncoder(ENDPOINT, Prefix("S"), thinking=True)
    body = json.loads(encoder.encode([UserMessage(as_content("a\udcffb\ud83e"))]))
    assert body["messages"][1]["content"] == "a\ufffdb\ufffd"


def test_secret_shows_itself_nowhere() -> None:
    endpoint = Endpoint(host="h", base_url="https://h/v1", model="m", key=Secret("sk-123456"))
    assert "123456" not in f"{endpoint} {endpoint!r} {endpoint.key} {endpoint.key!r} {endpoint.key!s:>9}"
    assert endpoint.key is not None
    assert endpoint.key.hide("bad key sk-123456!") == "bad key …!"
