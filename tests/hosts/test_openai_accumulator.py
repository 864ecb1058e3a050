"""The `openai` SDK's own accumulator and claw's read the same message out of every recorded stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claw.errors import ProviderError
from claw.protocol.messages import Prefix, ToolCall, UserMessage, as_content
from claw.providers.base import Reply
from claw.providers.catalog import Endpoint
from claw.providers.openai_chat import OpenAIChat
from claw.providers.retry import Retry
from tests.fakes.model_server import ModelServer, raw
from tests.hosts.test_streams_cut import CASES, fixtures

RECORDED = [case for case in CASES if case["kind"] == "recorded"]
pytestmark = fixtures


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["id"])
async def test_both_read_the_same(case: dict[str, Any]) -> None:
    openai = pytest.importorskip("openai", reason="the openai SDK is not installed")
    with ModelServer([raw(_without_annotations(case["body"])), raw(case["body"].encode())]) as server:
        if case["expected"]["error"]:
            with pytest.raises(openai.APIError) as theirs:
                await _read_with_sdk(openai, server.url)
            with pytest.raises(ProviderError) as ours:
                await _read_with_claw(server.url)
            assert theirs.value.message[:60] in str(ours.value)
            return
        completion = await _read_with_sdk(openai, server.url)
        reply = await _read_with_claw(server.url)
    (choice,) = completion.choices
    message = choice.message
    assert reply.message.content == (message.content or "")
    assert reply.message.tool_calls == tuple(
        ToolCall(call.id, call.function.name, call.function.arguments or "") for call in message.tool_calls or ()
    )
    assert (reply.finish_reason or None) == choice.finish_reason
    extra = message.model_extra or {}
    assert (reply.message.reasoning or "") == (extra.get("reasoning_content") or extra.get("reasoning") or "")
    if completion.usage:  # the SDK forgets it where a chunk without usage follows
        assert reply.usage is not None
        assert reply.usage.input == completion.usage.prompt_tokens
        assert reply.usage.output == completion.usage.completion_tokens


def _without_annotations(body: str) -> bytes:
    """The SDK's accumulator fails on a list whose members have no index; there are such in `annotations`."""
    lines = []
    for line in body.splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            for choice in event.get("choices") or ():
                choice.get("delta", {}).pop("annotations", None)
            line = "data: " + json.dumps(event)
        lines.append(line + "\n")
    return "".join(lines).encode()


async def _read_with_sdk(openai: Any, url: str) -> Any:
    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    try:
        opened = client.chat.completions.stream(model="kimi-k2.6", messages=[{"role": "user", "content": "hello"}])
        async with opened as stream:
            async for _ in stream:
                pass
            return await stream.get_final_completion()
    finally:
        await client.close()


async def _read_with_claw(url: str) -> Reply:
    endpoint = Endpoint(host="test", base_url=url, model="kimi-k2.6")
    provider = OpenAIChat(endpoint, thinking=True, retry=Retry(attempts=1))
    try:
        chat = provider.open(Prefix("You are claw."))
        items = [item async for item in chat.ask((UserMessage(as_content("hello")),))]
    finally:
        await provider.close()
    assert isinstance(items[-1], Reply)
    return items[-1]
