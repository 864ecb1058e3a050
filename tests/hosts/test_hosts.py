"""A run of 30 turns on each host, which enforces its rules; and what happens when claw does not keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from claw.errors import UsageError
from tests.hosts.bench import drive
from tests.hosts.conversation import N_TURNS, final_answer
from tests.hosts.enforcing_server import EnforcingHost
from tests.hosts.pictures import data_url, png
from tests.hosts.rules import RULES, HostRules


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
async def test_a_run_of_thirty_turns(rules: HostRules, tmp_path: Path) -> None:
    ended = await drive(rules, tmp_path)
    run, host = ended.run, ended.host
    assert (run.status, run.error) == ("done", None)
    assert run.structured == final_answer()
    assert run.n_turns == host.n_requests == N_TURNS
    assert _complaints(host) == []
    assert run.usage.cached > run.usage.input // 2
    assert run.usage.cached == host.n_cached_tokens
    assert len(host.affinities) == 1
    assert ended.slept_s == []


INSTANT = [name for name, rules in RULES.items() if rules.thinking_switch]


@pytest.mark.parametrize("name", INSTANT)
async def test_the_same_without_thinking(name: str, tmp_path: Path) -> None:
    """The host would send reasoning, and look for it in the history, if it were not switched off."""
    ended = await drive(RULES[name], tmp_path, thinking=False)
    assert (ended.run.status, ended.run.error) == ("done", None)
    assert _complaints(ended.host) == []
    assert ended.host.n_thoughts == 0


class Broken(NamedTuple):
    """A quirk of a host that is no longer kept. `said` is in the run's error or result, `complaint` at the host."""

    host: str
    table: Mapping[str, Any]
    status: str
    said: str
    complaint: str = ""
    thinking: bool = True


def dialect(**fields: Any) -> dict[str, Any]:
    return {"dialect": fields}


MISSING = (
    "400: invalid_request_error: thinking is enabled but reasoning_content is missing in assistant tool call message"
)
TEMPERATURE = "400: invalid_request_error: invalid temperature: only 1 is allowed for this model"
FORGOT, FOREIGN = "my reasoning is gone", "stumbles over the foreign id"
BROKE_OFF = "broke a tool call off"
DEGENERATES = "degenerates"
BROKEN = [
    *(
        broken
        for name in ("moonshot", "moonshot-cn")
        for broken in (
            Broken(name, dialect(reasoning="none"), "error", f"{MISSING} at index 2"),
            Broken(name, dialect(reasoning="reasoning"), "error", f"{MISSING} at index 2"),
            Broken(name, dialect(sampling_thinking={"temperature": 0.7}), "error", TEMPERATURE),
            Broken(name, dialect(sampling_thinking={"temperature": 1.0}), "error", TEMPERATURE),
            Broken(name, dialect(sampling_instant={"top_p": 0.9}), "error", "invalid top_p", "", False),
            Broken(name, dialect(max_tokens_field="max_tokens"), "error", "no usable reply", "cut at 16 tokens"),
            Broken(name, dialect(json_schema=True), "error", "json_schema is not supported"),
            Broken(name, dialect(thinking="none"), "error", MISSING, "", False),
            Broken(name, {"models": {"kimi-k2.6": "kimi-k2"}}, "error", "Not found the model kimi-k2 or"),
        )
    ),
    Broken("cloudflare", dialect(reasoning="none"), "schema", FORGOT, FORGOT),
    Broken("cloudflare", dialect(reasoning="reasoning"), "schema", FORGOT, FORGOT),
    Broken("cloudflare", {"models": {"kimi-k2.6": "kimi-k2.6"}}, "error", "Not found the model kimi-k2.6"),
    Broken("fireworks", dialect(reasoning="none"), "schema", FORGOT, FORGOT),
    Broken("fireworks", {"models": {"kimi-k2.6": "kimi-k2.6"}}, "error", "Not found the model kimi-k2.6"),
    Broken("baseten", dialect(reasoning="none"), "schema", FORGOT, FORGOT),
    Broken("baseten", {"models": {"kimi-k2.6": "kimi-k2.6"}}, "error", "Not found the model kimi-k2.6"),
    *(
        broken
        for name in ("ollama", "ollama-cloud")
        for broken in (
            Broken(name, dialect(reasoning="none"), "schema", FORGOT, FORGOT),
            Broken(name, dialect(reasoning="reasoning_content"), "schema", FORGOT, FORGOT),
            Broken(name, dialect(max_tokens_field="max_completion_tokens"), "error", "no usable reply", "cut at 16"),
            Broken(name, {"models": {"kimi-k2.6": "kimi-k2.6"}}, "error", "Not found the model kimi-k2.6"),
        )
    ),
    *(
        broken
        for name in ("vllm", "sglang")
        for broken in (
            Broken(name, dialect(reasoning="none"), "schema", FORGOT, FORGOT),
            Broken(name, dialect(canonical_call_ids=False), "retry_later", BROKE_OFF, FOREIGN),
            Broken(name, dialect(sampling_thinking={"temperature": 0.0}), "schema", "does not fit", DEGENERATES),
            Broken(name, dialect(sampling_thinking={"top_p": 1.0}), "schema", "does not fit", DEGENERATES),
            Broken(name, dialect(json_schema=True), "schema", "does not fit", "left no room for a call"),
        )
    ),
    Broken("vllm", dialect(reasoning="reasoning_content"), "schema", FORGOT, FORGOT),
    Broken("sglang", dialect(reasoning="reasoning"), "schema", FORGOT, FORGOT),
]


def _name(broken: Broken) -> str:
    fields = broken.table.get("dialect", broken.table)
    return f"{broken.host}-{'-'.join(map(str, fields))}-{'-'.join(map(str, fields.values()))}"


@pytest.mark.parametrize("broken", BROKEN, ids=_name)
async def test_a_quirk_that_is_not_kept_is_found(broken: Broken, tmp_path: Path) -> None:
    ended = await drive(RULES[broken.host], tmp_path, table=broken.table, thinking=broken.thinking)
    assert ended.run.status == broken.status
    assert ended.run.structured is None
    assert broken.said in f"{ended.run.error}\n{ended.run.result}"
    complaints = _complaints(ended.host)
    assert complaints
    assert any((broken.complaint or broken.said.rpartition(": ")[2]) in complaint for complaint in complaints)


@pytest.mark.parametrize("name", ["cloudflare", "fireworks"])
async def test_without_affinity_nothing_is_cached(name: str, tmp_path: Path) -> None:
    """The run succeeds, at six times the price."""
    usual = await drive(RULES[name], tmp_path)
    astray = await drive(RULES[name], tmp_path, table=dialect(affinity_header=""))
    assert (usual.run.status, astray.run.status) == ("done", "done")
    assert astray.run.usage.cached == 0
    if usual.run.cost_usd and astray.run.cost_usd:
        assert astray.run.cost_usd > 2 * usual.run.cost_usd


@pytest.mark.parametrize("name", [name for name, rules in RULES.items() if rules.thinking_switch != ""])
async def test_thinking_that_cannot_be_switched_off_goes_on(name: str, tmp_path: Path) -> None:
    ended = await drive(RULES[name], tmp_path, table=dialect(thinking="none"), thinking=False)
    assert ended.host.n_thoughts > 0


@pytest.mark.parametrize("name", ["cloudflare", "fireworks"])
async def test_a_native_schema_is_asked_for_in_words_where_the_host_is_not_trusted(name: str, tmp_path: Path) -> None:
    ended = await drive(RULES[name], tmp_path, table=dialect(json_schema=False))
    assert (ended.run.status, ended.run.structured) == ("done", final_answer())
    assert "response_format" not in ended.server.bodies[0]
    native = await drive(RULES[name], tmp_path)
    assert not native.run.result.startswith("Here it is")
    assert "response_format" in native.server.bodies[0]


async def test_more_pictures_than_baseten_takes(tmp_path: Path) -> None:
    pictures = [data_url(png((number, 0, 0))) for number in range(120)]
    rules = RULES["baseten"]
    ended = await drive(rules, tmp_path, pictures=pictures)
    assert (ended.run.status, ended.run.error) == ("done", None)
    assert all(_n_pictures(body) <= rules.max_images for body in ended.server.bodies)
    careless = await drive(rules, tmp_path, pictures=pictures, table=dialect(media={"max_images": 1000}))
    assert careless.run.status == "error"
    assert "At most 96 image(s) may be provided in one prompt" in str(careless.run.error)


PICTURES = {
    "public": "https://example.org/picture.png",
    "svg": data_url(b"<svg/>", "svg+xml"),
    "empty": "data:image/png;base64,",
    "not-base64": "data:image/png;base64,%%%",
    "not-a-png": data_url(b"GIF89a"),
    "bmp": data_url(b"BM1234", "bmp"),
}


@pytest.mark.parametrize("url", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("name", ["moonshot", "ollama"])
async def test_a_picture_that_the_host_refuses_does_not_wedge_the_session(name: str, url: str, tmp_path: Path) -> None:
    ended = await drive(RULES[name], tmp_path, pictures=[url, data_url(png())])
    assert (ended.run.status, ended.run.error) == ("done", None)


async def test_another_account(tmp_path: Path) -> None:
    stranger = replace(RULES["cloudflare"], environ={"CLOUDFLARE_ACCOUNT_ID": "f" * 32})
    ended = await drive(stranger, tmp_path)
    assert ended.run.status == "error"
    assert f"not found: /client/v4/accounts/{'f' * 32}/ai/v1/chat/completions" in str(ended.run.error)
    with pytest.raises(UsageError, match="CLOUDFLARE_ACCOUNT_ID"):
        await drive(replace(stranger, environ={}), tmp_path)


@pytest.mark.parametrize(("name", "other"), [("moonshot", "moonshot-cn"), ("moonshot-cn", "moonshot")])
async def test_the_key_of_the_other_region(name: str, other: str, tmp_path: Path) -> None:
    ended = await drive(RULES[name], tmp_path, key=RULES[other].key)
    assert ended.run.status == "error"
    assert "answered 401: invalid_authentication_error: Invalid Authentication" in str(ended.run.error)
    assert "must be one of this very host" in str(ended.run.error)
    assert RULES[other].key not in str(ended.run.error)


def _complaints(host: EnforcingHost) -> list[str]:
    return [*host.refusals, *host.degraded, *host.model.complaints]


def _n_pictures(body: dict[str, Any]) -> int:
    parts = [
        part for message in body["messages"] if isinstance(message.get("content"), list) for part in message["content"]
    ]
    return sum(part["type"] == "image_url" for part in parts)
