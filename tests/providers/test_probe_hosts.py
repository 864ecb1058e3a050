"""The probe against the rules of each known host, spoken to as claw's own tables say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from claw.providers.probe import ProbeReport, examine
from claw.providers.probe_host import Probe
from claw.providers.retry import Retry
from tests.fakes.answers import Answer, status
from tests.fakes.model_server import ModelServer, Request
from tests.hosts.bench import endpoint_of
from tests.hosts.checks import Refused, check, thinks
from tests.hosts.rules import RULES, HostRules
from tests.providers.conforming_host import ConformingHost


@dataclass
class RuledHost(ConformingHost):
    """The conforming model behind the rules of one host. `refusals` are the requests that broke one."""

    rules: HostRules = RULES["moonshot"]
    refusals: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, rules: HostRules) -> RuledHost:
        quirks = {
            "canonical only": rules.canonical_ids,
            "no json_schema": rules.schemas in ("ignored", "refused"),
            "other limit": "max_tokens" in rules.limit_fields,
        }
        kept = frozenset(name for name, holds in quirks.items() if holds)
        return cls(kept, rules.reasoning_out, rules.key, rules.model, rules=rules)

    def _answer(self, request: Request) -> Answer:
        if request.method == "POST":
            try:
                check(self.rules, request)
            except Refused as refused:
                self.refusals.append(refused.message)
                return status(refused.status, refused.error_type, refused.message)
        return super()._answer(request)

    def _thinks(self, body: dict[str, Any]) -> bool:
        return thinks(self.rules, body)


async def examined(rules: HostRules, dialect: dict[str, Any] | None = None) -> tuple[ProbeReport, RuledHost]:
    """`dialect` is laid over the host's own table."""
    host = RuledHost.of(rules)
    with ModelServer(host) as server:
        endpoint = endpoint_of(server, rules, {"dialect": dialect} if dialect else None)
        retry = Retry(attempts=1, base_s=0.0)
        probe = Probe(endpoint, max_cost_usd=1.0, retry=retry, settle_s=0.0, dice=random.Random(3))
        try:
            return await examine(probe), host
        finally:
            await probe.close()


def faults(report: ProbeReport) -> dict[str, str]:
    return {each.check: each.finding for each in report.checks if each.status != "ok"}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
async def test_claw_speaks_the_dialect_of_each_host(rules: HostRules) -> None:
    report, host = await examined(rules)
    assert faults(report) == {}
    # Broken on purpose: the echo left out, and a schema where the host takes none.
    assert len(host.refusals) == rules.refuses_missing_reasoning + (rules.schemas == "refused")


@pytest.mark.parametrize(
    ("name", "dialect", "expected"),
    [
        ("moonshot", {"reasoning": "none"}, {"echo rule": "is missing in assistant tool call", "tool run": "missing"}),
        ("moonshot", {"sampling_instant": {"temperature": 0.6}}, {"model": "invalid temperature"}),
        ("moonshot", {"json_schema": True}, {"json_schema": "set json_schema = false"}),
        ("moonshot", {"max_tokens_field": "max_tokens"}, {"max tokens": "set max_tokens_field"}),
        ("vllm", {"canonical_call_ids": False}, {"call ids": "set canonical_call_ids = true"}),
        ("vllm", {"reasoning": "reasoning_content"}, {"reasoning key": "the trace comes as reasoning, but"}),
        ("sglang", {"thinking": "none"}, {"thinking off": "--thinking off has no effect"}),
        ("ollama", {"thinking": "moonshot"}, {"thinking off": "--thinking off has no effect"}),
        ("fireworks", {"reasoning": "reasoning"}, {"reasoning key": "set reasoning = 'reasoning_content'"}),
    ],
)
async def test_a_wrong_table_is_found(name: str, dialect: dict[str, Any], expected: dict[str, str]) -> None:
    report, _ = await examined(RULES[name], dialect)
    found = faults(report)
    assert {check: part for check, part in expected.items() if part not in found.get(check, "")} == {}
