"""The conformance probe: a good host passes every check, and each planted fault is found by name."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from claw.providers.catalog import Endpoint
from claw.providers.dialect import Dialect, Media
from claw.providers.pricing import Price
from claw.providers.probe import CHECKS, Finding, ProbeReport, examine
from claw.providers.probe_host import Probe
from claw.providers.retry import Retry
from claw.providers.secret import Secret
from tests.fakes.model_server import ModelServer
from tests.providers.conforming_host import KEY, ConformingHost

GOOD = Dialect(
    reasoning="reasoning_content",
    thinking="moonshot",
    max_tokens_field="max_completion_tokens",
    json_schema=True,
    media=Media(images=("png", "jpeg")),
)


async def examined(
    *quirks: str,
    key_name: str = "reasoning_content",
    max_cost_usd: float = 0.25,
    key: str = KEY,
    on_finding: Any = None,
    price: Price | None = Price(0.95, 0.16, 4.0),  # noqa: B008
    **dialect: Any,
) -> tuple[ProbeReport, ConformingHost]:
    host = ConformingHost(frozenset(quirks), key_name)
    with ModelServer(host) as server:
        endpoint = Endpoint(
            host="good",
            base_url=server.url,
            model="kimi-k2.6",
            key=Secret(key),
            key_variable="GOOD_API_KEY",
            context_window=262_144,
            price=price,
            dialect=Dialect(**{name: getattr(GOOD, name) for name in Dialect.__struct_fields__} | dialect),
        )
        retry = Retry(attempts=2, base_s=0.0, retry_after_cap_s=0.0)
        probe = Probe(endpoint, max_cost_usd=max_cost_usd, retry=retry, settle_s=0.0, dice=random.Random(7))
        try:
            return await examine(probe, on_finding), host
        finally:
            await probe.close()


def of(report: ProbeReport, *statuses: str) -> dict[str, str]:
    return {each.check: each.finding for each in report.checks if each.status in statuses}


async def test_a_good_host_passes_every_check() -> None:
    rows: list[Finding] = []
    report, host = await examined("echo required", on_finding=rows.append)
    assert of(report, "fault", "unknown", "skipped") == {}
    assert (report.status, report.exit_code, report.n_estimated) == ("ok", 0, 0)
    assert rows == report.checks
    assert [row.check for row in rows] == [check.name for check in CHECKS]
    findings = of(report, "ok")
    assert findings["key"] == "the key in GOOD_API_KEY is accepted"
    assert findings["model"] == "listed, served, a window of 262,144 tokens"
    assert "usage in a chunk of its own" in findings["streaming"]
    assert findings["reasoning key"] == "the trace comes as reasoning_content"
    assert "required, and sent as reasoning_content; without it: " in findings["echo rule"]
    assert "is missing in assistant tool call message at index 1" in findings["echo rule"]
    assert findings["call ids"] == "form functions.NAME:INDEX; an id of another form does no harm"
    assert findings["schema accuracy"] == "20/20 calls fit their schema"
    assert findings["rate limits"] == "no 429 was met; the host tells x-ratelimit-limit-requests: 60"
    assert report.usage.output == 16 * host.n_requests - 16  # all but the one that was refused
    assert report.cost_usd == pytest.approx(sum(row.cost_usd or 0 for row in rows))
    assert 0 < (report.cost_usd or 0) < 0.05


async def test_a_host_that_asks_for_no_echo() -> None:
    report, _ = await examined()
    assert of(report, "ok")["echo rule"] == (
        "accepted without the trace; sent as reasoning_content it is read (93 tokens)"
    )


FAULTS: list[tuple[tuple[str, ...], dict[str, Any], dict[str, str]]] = [
    (("web page",), {}, {"reachable": "web page: the URL should end in /v1"}),
    (("small window",), {}, {"model": 'set context_window = 32768 in [models."kimi-k2.6"]'}),
    (("one piece",), {}, {"streaming": "in one piece"}),
    (("held back",), {}, {"streaming": "all at once"}),
    (("no end",), {}, {"streaming": "without a finish reason and without [DONE]"}),
    (("no usage",), {}, {"streaming": "no usage is reported"}),
    (("no trace",), {}, {"reasoning key": "and no trace came"}),
    (("think tags",), {}, {"reasoning key": "--reasoning-parser kimi_k2"}),
    ((), {"key_name": "reasoning"}, {"reasoning key": "set reasoning = 'reasoning'", "echo rule": "is dropped"}),
    (("echo refused",), {}, {"echo rule": "as claw sends it is refused", "tool run": "missing", "call ids": "missing"}),
    (("always thinks",), {}, {"thinking off": "--thinking off has no effect"}),
    (("deaf",), {}, {"tool run": "does not use the tool's result"}),
    (("one at a time",), {}, {"parallel calls": "one at a time"}),
    (("same id",), {}, {"parallel calls": "2 calls came with 1 different id(s)"}),
    (("call as text",), {}, {"parallel calls": "--tool-call-parser kimi_k2", "call ids": "calls come as text"}),
    (("canonical only",), {}, {"call ids": "set canonical_call_ids = true"}),
    (("sloppy",), {}, {"schema accuracy": "18/20 calls fit their schema; set_volume: $.percent"}),
    (("no cache",), {}, {"cache": "paid in full"}),
    (("blind",), {}, {"image": "the model said 'violet'"}),
    (("no json_schema",), {}, {"json_schema": "set json_schema = false"}),
    (("no limit",), {}, {"max tokens": "neither max_completion_tokens nor max_tokens"}),
    (("other limit",), {}, {"max tokens": "set max_tokens_field = 'max_tokens'"}),
]


@pytest.mark.parametrize(("quirks", "given", "expected"), FAULTS, ids=[f"{row[0]}{row[1] or ''}" for row in FAULTS])
async def test_a_planted_fault_is_found(
    quirks: tuple[str, ...], given: dict[str, Any], expected: dict[str, str]
) -> None:
    report, _ = await examined(*quirks, **given)
    faults = of(report, "fault")
    assert list(faults) == list(expected)
    assert [part for check, part in expected.items() if part not in faults[check]] == []
    assert (report.status, report.exit_code) == ("faults", 1)
    assert of(report, "skipped") == {}


async def test_what_claw_provides_for_is_no_fault() -> None:
    quirks = ("canonical only", "no json_schema", "blind", "no models")
    report, _ = await examined(
        *quirks,
        key_name="reasoning",
        reasoning="as_received",
        canonical_call_ids=True,
        json_schema=False,
        media=Media(),
    )
    assert of(report, "fault", "unknown", "skipped") == {}
    findings = of(report, "ok")
    assert "others do harm" in findings["call ids"]
    assert "claw does not count on it" in findings["json_schema"]
    assert "as claw's table says" in findings["image"]
    assert "sent as reasoning it is read" in findings["echo rule"]
    assert findings["model"] == "served; the host lists no models"


async def test_a_wrong_key_ends_the_examination_and_is_not_shown() -> None:
    report, host = await examined(key="sk-secret-and-wrong")
    assert [(each.check, each.status) for each in report.checks[:3]] == [
        ("reachable", "ok"), ("key", "fault"), ("model", "skipped"),
    ]  # fmt: skip
    assert "invalid_authentication_error" in report.checks[1].finding
    assert "secret" not in str(report)
    assert (report.exit_code, host.n_requests) == (1, 1)


async def test_an_empty_account_ends_it_too() -> None:
    report, host = await examined("quota")
    assert len(of(report, "fault")) == 1
    assert "no balance" in str(of(report, "fault"))
    assert host.n_requests == 4


async def test_an_account_that_runs_empty_among_concurrent_requests() -> None:
    report, _ = await examined("quota later")
    assert list(of(report, "fault")) == ["schema accuracy"]
    assert "no balance" in of(report, "fault")["schema accuracy"]
    assert list(of(report, "skipped")) == ["cache", "image", "json_schema", "max tokens", "rate limits"]


async def test_an_unknown_model_is_named_with_its_neighbours() -> None:
    report, _ = await examined("wrong model")
    assert "'kimi-k2.6' is not among the 1 that the host lists, such as kimi-k9" in of(report, "fault")["model"]
    assert len(of(report, "fault")) > 5  # each for itself


async def test_no_host_there() -> None:
    with ModelServer() as server:
        url = server.url
    endpoint = Endpoint(host="gone", base_url=url, model="m")
    probe = Probe(endpoint, max_cost_usd=1.0, retry=Retry(attempts=1))
    report = await examine(probe)
    await probe.close()
    assert (report.status, report.exit_code) == ("unreachable", 75)
    assert "cannot reach gone" in report.checks[0].finding
    assert {each.status for each in report.checks[1:]} == {"skipped"}


@pytest.mark.parametrize("price", [Price(0.95, 0.16, 4.0), None])
async def test_the_limit_is_kept(price: Price | None) -> None:
    report, _ = await examined(max_cost_usd=0.012, price=price)
    skipped = of(report, "skipped")
    assert "raise --max-cost" in next(iter(skipped.values()))
    assert ("taken as $1" in next(iter(skipped.values()))) == (price is None)
    assert (report.status, report.exit_code) == ("incomplete", 1)
    assert (report.cost_usd is None) == (price is None)
    assert (report.usage.input + 4 * report.usage.output) / 1e6 <= 0.012


async def test_a_429_that_passes_is_told() -> None:
    report, _ = await examined("busy")
    assert of(report, "fault", "unknown", "skipped") == {}
    assert of(report, "ok")["rate limits"].startswith(
        "1 request(s) met a 429, the first: too many requests or tokens, Retry-After 0: good"
    )


async def test_a_host_that_is_down_in_between() -> None:
    """Whatever a check meets, the next one is asked all the same."""
    host = ConformingHost()

    @dataclasses.dataclass
    class Failing:
        code: int = 503

        def __call__(self, request: Any) -> Any:
            from tests.fakes.answers import broken, status

            if "tools" in (request.body if request.method == "POST" else {}):
                return status(self.code, "", "\x1b[2Jgone")
            if b"one to forty" in request.raw:
                return broken(40)
            return host(request)

    with ModelServer(Failing()) as server:
        endpoint = Endpoint(
            host="good", base_url=server.url, model="kimi-k2.6", key=Secret(KEY), dialect=GOOD, context_window=9
        )
        probe = Probe(endpoint, max_cost_usd=1.0, retry=Retry(attempts=2, base_s=0.0), settle_s=0.0)
        report = await examine(probe)
        await probe.close()
    unknown = of(report, "unknown")
    assert list(unknown) == [
        "streaming", "reasoning key", "echo rule", "tool run", "parallel calls", "call ids", "schema accuracy"
    ]  # fmt: skip
    assert "\\x1b[2Jgone" in unknown["reasoning key"]
    assert "\x1b" not in str(report.checks)
    assert "0/0 calls fit their schema; 20 without an answer" in unknown["schema accuracy"]
    assert len(of(report, "ok")) == len(CHECKS) - len(unknown)
