"""Each host of `hosts.toml`: where requests go, as whom, and every byte that they carry.

The bodies stand in `snapshots/HOST.json`; `CLAW_UPDATE_SNAPSHOTS=1 pytest tests/providers/test_hosts.py` writes
them anew, for a person to read the difference.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import claw
from claw.errors import MissingKey
from claw.providers.catalog import load_catalog
from claw.providers.openai_chat import OpenAIChat
from claw.providers.retry import Retry
from tests.fakes.model_server import ModelServer, Request, say
from tests.providers.conftest import reply_of
from tests.providers.history import HISTORY, PREFIX, SCHEMA

SNAPSHOTS = Path(__file__).with_name("snapshots")
UPDATE = bool(os.environ.get("CLAW_UPDATE_SNAPSHOTS"))


@dataclass(frozen=True)
class Expected:
    """What a host is told, as its documents have it. `extra` are the fields that not every host gets."""

    url: str
    wire_model: str
    key_variable: str
    key_required: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    instant: dict[str, Any] = field(default_factory=dict)
    holds_to_schema: bool = False


ON, OFF = {"type": "enabled"}, {"type": "disabled"}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
MOONSHOT_ON = {"thinking": ON, "max_completion_tokens": 32768}
MOONSHOT_OFF = {"thinking": OFF, "max_completion_tokens": 32768}
TEMPLATE_ON = {"chat_template_kwargs": {"thinking": True}, "max_tokens": 32768}
TEMPLATE_OFF = {"chat_template_kwargs": {"thinking": False}, "max_tokens": 32768}
OLLAMA_ON = {"reasoning_effort": "high", "max_tokens": 32768}
OLLAMA_OFF = {"reasoning_effort": "none", "max_tokens": 32768}
SELF_HOSTED_ON = {**TEMPLATE_ON, "temperature": 1.0, "top_p": 0.95}
SELF_HOSTED_OFF = {**TEMPLATE_OFF, "temperature": 0.6, "top_p": 0.95}

HOSTS = {
    "moonshot": Expected(
        "https://api.moonshot.ai/v1", "kimi-k2.6", "MOONSHOT_API_KEY", extra=MOONSHOT_ON, instant=MOONSHOT_OFF
    ),
    "moonshot-cn": Expected(
        "https://api.moonshot.cn/v1", "kimi-k2.6", "MOONSHOT_CN_API_KEY", extra=MOONSHOT_ON, instant=MOONSHOT_OFF
    ),
    "cloudflare": Expected(
        "https://api.cloudflare.com/client/v4/accounts/acc-1/ai/v1",
        "@cf/moonshotai/kimi-k2.6",
        "CLOUDFLARE_API_TOKEN",
        headers={"x-session-affinity": "20261123-s"},
        extra={**TEMPLATE_ON, "response_format": FORMAT},
        instant={**TEMPLATE_OFF, "response_format": FORMAT},
        holds_to_schema=True,
    ),
    "fireworks": Expected(
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/kimi-k2p6",
        "FIREWORKS_API_KEY",
        headers={"x-session-affinity": "20261123-s"},
        extra={"thinking": ON, "max_tokens": 32768, "prompt_cache_key": "20261123-s", "response_format": FORMAT},
        instant={"thinking": OFF, "max_tokens": 32768, "prompt_cache_key": "20261123-s", "response_format": FORMAT},
        holds_to_schema=True,
    ),
    "baseten": Expected(
        "https://inference.baseten.co/v1",
        "moonshotai/Kimi-K2.6",
        "BASETEN_API_KEY",
        extra=TEMPLATE_ON,
        instant=TEMPLATE_OFF,
    ),
    "ollama": Expected(
        "http://localhost:11434/v1", "kimi-k2.6:cloud", "CLAW_API_KEY", False, extra=OLLAMA_ON, instant=OLLAMA_OFF
    ),
    "ollama-cloud": Expected(
        "https://ollama.com/v1", "kimi-k2.6:cloud", "OLLAMA_API_KEY", extra=OLLAMA_ON, instant=OLLAMA_OFF
    ),
    "vllm": Expected(
        "http://localhost:8000/v1",
        "moonshotai/Kimi-K2.6",
        "VLLM_API_KEY",
        False,
        extra=SELF_HOSTED_ON,
        instant=SELF_HOSTED_OFF,
    ),
    "sglang": Expected(
        "http://localhost:30000/v1",
        "moonshotai/Kimi-K2.6",
        "SGLANG_API_KEY",
        False,
        extra=SELF_HOSTED_ON,
        instant=SELF_HOSTED_OFF,
    ),
}
ACCOUNT = {"CLOUDFLARE_ACCOUNT_ID": "acc-1"}
IN_EVERY_BODY = {"model", "messages", "tools", "stream", "stream_options"}


def test_every_host_is_here() -> None:
    assert load_catalog().hosts.keys() == {"generic", *HOSTS}


@pytest.mark.parametrize("host", HOSTS)
def test_where_it_is_and_whose_key_it_gets(host: str) -> None:
    expected, catalog = HOSTS[host], load_catalog()
    endpoint = catalog.resolve(host, None, {**ACCOUNT, expected.key_variable: "sk-1"})
    assert (endpoint.host, endpoint.base_url, endpoint.model) == (host, expected.url, "kimi-k2.6")
    assert (endpoint.wire_model, endpoint.key_variable) == (expected.wire_model, expected.key_variable)
    assert endpoint.context_window == 262_144
    if expected.key_required:
        with pytest.raises(MissingKey, match=f"no key for {host}: set {expected.key_variable}"):
            catalog.resolve(host, None, ACCOUNT)
    else:
        assert catalog.resolve(host, None, {}).key is None


async def _request(host: str, *, thinking: bool) -> Request:
    """What arrives at a server in the place of `host`, which only differs in its address."""
    expected = HOSTS[host]
    path = load_catalog().hosts[host].base_url.partition("://")[2].partition("/")[2]
    with ModelServer([say("ok")]) as server:
        root = server.url.removesuffix("/v1")
        catalog = load_catalog({host: {"base_url": f"{root}/{path}"}})
        endpoint = catalog.resolve(host, None, {**ACCOUNT, expected.key_variable: "sk-secret"})
        provider = OpenAIChat(endpoint, thinking=thinking, retry=Retry(attempts=1))
        try:
            assert (provider.holds_to_schema, provider.model) == (expected.holds_to_schema, "kimi-k2.6")
            await reply_of(provider.open(PREFIX, session="20261123-s", schema=SCHEMA), HISTORY)
        finally:
            await provider.close()
        return server.requests[0]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("thinking", [True, False], ids=["thinking", "instant"])
async def test_what_it_is_sent_beside_the_messages(host: str, thinking: bool) -> None:
    expected = HOSTS[host]
    request = await _request(host, thinking=thinking)
    assert (request.method, request.target) == ("POST", f"{urlsplit(expected.url).path}/chat/completions")
    own = {name: value for name, value in request.headers.items() if name.startswith("x-")}
    assert own == expected.headers
    assert request.headers["authorization"] == "Bearer sk-secret"
    assert request.headers["user-agent"] == f"claw/{claw.__version__}"
    assert request.headers["content-type"] == "application/json"
    assert request.body["model"] == expected.wire_model
    extra = {name: value for name, value in request.body.items() if name not in IN_EVERY_BODY}
    assert extra == (expected.extra if thinking else expected.instant)


@pytest.mark.parametrize("host", HOSTS)
async def test_the_whole_body(host: str) -> None:
    body = (await _request(host, thinking=True)).body
    snapshot = SNAPSHOTS / f"{host}.json"
    if UPDATE:
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert body == json.loads(snapshot.read_text("utf-8"))


REASONING = {
    "moonshot": ["reasoning_content"],
    "moonshot-cn": ["reasoning_content"],
    "cloudflare": ["reasoning"],
    "fireworks": ["reasoning_content"],
    "baseten": ["reasoning"],
    "ollama": ["reasoning"],
    "ollama-cloud": ["reasoning"],
    "vllm": ["reasoning_content", "reasoning"],
    "sglang": ["reasoning_content"],
}


@pytest.mark.parametrize("host", HOSTS)
async def test_how_it_gets_reasoning_and_ids_back(host: str) -> None:
    messages = (await _request(host, thinking=True)).messages
    one, two = (message for message in messages if "tool_calls" in message)
    assert {key: value for key, value in one.items() if "reasoning" in key} == dict.fromkeys(
        REASONING[host], "Two folders to look at."
    )
    assert {key: value for key, value in two.items() if "reasoning" in key} == dict.fromkeys(REASONING[host], "")
    ids = [call["id"] for message in (one, two) for call in message["tool_calls"]]
    answered = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    if host in ("vllm", "sglang"):
        assert ids == ["functions.ls:0", "functions.ls:1", "functions.ls:2"]
        assert answered == ["functions.ls:1", "functions.ls:0", "functions.ls:2"]
    else:
        assert ids == ["call_a", "call_b", "call_a"]
        assert answered == ["call_b", "call_a", "call_a"]
