"""A conformance probe: what of claw's needs a host meets, found out for a few cents.

Each check is a function of a `Probe`, and fails alone; only a host that is not there, a key that is
refused and an empty account end the examination.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from claw.errors import ExitCode, ProviderError, QuotaExceeded, TemporaryError
from claw.printable import one_line
from claw.protocol.messages import Usage
from claw.providers import probe_checks, probe_forms, probe_schemas, probe_tools
from claw.providers.pricing import cost_usd
from claw.providers.probe_host import Probe
from claw.providers.probe_purse import ASSUMED_PRICE, MoneySpent
from claw.providers.probe_verdict import Hopeless, Status, Verdict, fault, unknown

FINDING_LIMIT_CHARS = 500


class Check(NamedTuple):
    name: str
    run: Callable[[Probe], Awaitable[Verdict]]


CHECKS = (
    Check("reachable", probe_checks.reachable),
    Check("key", probe_checks.key),
    Check("model", probe_checks.model),
    Check("streaming", probe_checks.streaming),
    Check("reasoning key", probe_tools.reasoning),
    Check("echo rule", probe_tools.echo),
    Check("thinking off", probe_tools.thinking_off),
    Check("tool run", probe_tools.tool_run),
    Check("parallel calls", probe_tools.parallel),
    Check("call ids", probe_tools.call_ids),
    Check("schema accuracy", probe_schemas.schemas),
    Check("cache", probe_checks.cache),
    Check("image", probe_forms.image),
    Check("json_schema", probe_forms.json_schema),
    Check("max tokens", probe_checks.max_tokens),
    Check("rate limits", probe_checks.rate_limits),
)


class Finding(Struct, frozen=True):
    """One row of the table. `cost_usd` is None where the price is not known."""

    check: str
    status: Status
    finding: str
    duration_ms: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = None


class ProbeReport(Struct, frozen=True):
    """`status` is `ok`, `faults`, `incomplete` (no fault, but not all was found out) or `unreachable`.

    `n_estimated` requests came back without usage.
    """

    host: str
    base_url: str
    model: str
    status: str
    checks: list[Finding]
    usage: Usage
    cost_usd: float | None
    n_estimated: int

    @property
    def exit_code(self) -> ExitCode:
        if self.status == "unreachable":
            return ExitCode.RETRY_LATER
        return ExitCode.DONE if self.status == "ok" else ExitCode.ERROR


async def examine(
    probe: Probe, on_finding: Callable[[Finding], None] | None = None, checks: Sequence[Check] = CHECKS
) -> ProbeReport:
    """Run `checks` in their order. `on_finding` gets each row as soon as it is known."""
    findings: list[Finding] = []
    skip_because = ""
    unreachable = False
    for check in checks:
        started, before = time.monotonic(), probe.purse.usage
        if skip_because:
            verdict = Verdict("skipped", skip_because)
        else:
            try:
                verdict = await _verdict(probe, check)
            except Hopeless as error:
                verdict = fault(error.finding)
                unreachable = error.unreachable
                skip_because = f"not asked: {check.name} failed"
        usage = _difference(probe.purse.usage, before)
        finding = Finding(
            check.name,
            verdict.status,
            _shown(probe, verdict.finding),
            round((time.monotonic() - started) * 1000),
            usage,
            cost_usd(usage, probe.endpoint.price),
        )
        findings.append(finding)
        if on_finding:
            on_finding(finding)
    statuses = {finding.status for finding in findings}
    status = "faults" if "fault" in statuses else "ok" if statuses <= {"ok"} else "incomplete"
    return ProbeReport(
        probe.endpoint.host,
        probe.endpoint.base_url,
        probe.wire_model,
        "unreachable" if unreachable else status,
        findings,
        probe.purse.usage,
        cost_usd(probe.purse.usage, probe.endpoint.price),
        probe.purse.n_estimated,
    )


async def _verdict(probe: Probe, check: Check) -> Verdict:
    """*Errors*: Hopeless."""
    try:
        return await check.run(probe)
    except MoneySpent:
        limit = f"${probe.purse.limit_usd:g}"
        if probe.endpoint.price is None:
            limit += f", taken as ${ASSUMED_PRICE.input:g} and ${ASSUMED_PRICE.output:g} a million tokens in and out,"
        return Verdict("skipped", f"the next request could cost more than is left of {limit}; raise --max-cost")
    except QuotaExceeded as error:
        raise Hopeless(str(error)) from None
    except TemporaryError as error:
        return unknown(str(error))
    except ProviderError as error:
        return fault(str(error))


def _shown(probe: Probe, finding: str) -> str:
    """Hosts repeat keys, and models say anything."""
    key = probe.endpoint.key
    return one_line(key.hide(finding) if key else finding, FINDING_LIMIT_CHARS)


def _difference(after: Usage, before: Usage) -> Usage:
    return Usage(
        after.input - before.input,
        after.cached - before.cached,
        after.output - before.output,
        after.reasoning - before.reasoning,
    )
