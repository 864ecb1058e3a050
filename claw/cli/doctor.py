"""`claw doctor`: what claw finds here, and what a model host does with what claw needs of it."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from claw import __version__
from claw.config import DEFAULT_HOST, Config, load_config, resolve_settings
from claw.errors import ClawError, ExitCode, UsageError
from claw.paths import Home, find_home
from claw.printable import printable
from claw.providers.catalog import Endpoint, load_catalog
from claw.runtime.policy import make_policy
from claw.sandbox.select import Finding, NoSandbox, begin
from claw.session.store import SessionStore

HELP = "Show what claw finds here; with --host, examine a model host for a few cents."
DEFAULT_MAX_COST_USD = 0.25
_NARROW = 60  # columns for the findings; below that they are better left to the terminal


def doctor(
    host: Annotated[str | None, typer.Option(help="Examine this host, by name or URL.", metavar="NAME|URL")] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask there.", metavar="NAME")] = None,
    max_cost: Annotated[
        float, typer.Option(help="Stop before the examination costs more.", metavar="USD")
    ] = DEFAULT_MAX_COST_USD,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The body of the command. *Errors*: UsageError."""
    if not 0 < max_cost < float("inf"):
        raise UsageError(f"--max-cost {max_cost:g}: must be more than 0")
    if host is None:
        raise typer.Exit(_show_place(_look_around(os.environ, model), as_json=as_json))
    endpoint = _endpoint(load_config(find_home()), os.environ, host, model)
    raise typer.Exit(asyncio.run(_examine(endpoint, max_cost, as_json=as_json)))


class Found(NamedTuple):
    """One line of what is here. `problem` keeps a run from beginning."""

    name: str
    value: Any
    problem: str = ""


def _look_around(environ: Mapping[str, str], model: str | None) -> list[Found]:
    """Nothing is created and nobody is asked."""
    home = find_home(environ)
    try:
        config, config_error = load_config(home), ""
    except UsageError as error:
        config, config_error = Config(), str(error)
    state = "broken" if config_error else "read" if home.config_file.exists() else "not there, defaults are used"
    return [
        Found("claw", __version__),
        Found("python", f"{platform.python_version()} ({sys.executable})"),
        Found("platform", platform.platform()),
        Found("config", f"{home.config_file} ({state})", config_error),
        *(_folder(name, path, needed=name == "state") for name, path in home._asdict().items()),
        Found("git", shutil.which("git", path=environ.get("PATH")) or "not found: git features are off"),
        Found("ripgrep", _ripgrep(environ) or "not found: a slower search in Python is used"),
        Found("shell", shutil.which("bash", path=environ.get("PATH")) or "/bin/sh"),
        Found("terminal", _terminal(environ)),
        *_sandbox(config, environ, home),
        *_host(config, environ, model),
        _sessions(home),
    ]


def _folder(name: str, path: Path, *, needed: bool) -> Found:
    """A folder that is not there yet is judged by the nearest one above it."""
    nearest = next(each for each in (path, *path.parents) if each.exists())
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    state = "writable" if writable else "not writable"
    if nearest != path:
        state += ", not made yet"
    problem = f"{path} is not writable, and sessions are kept there" if needed and not writable else ""
    return Found(f"{name} folder", f"{path} ({state})", problem)


def _ripgrep(environ: Mapping[str, str]) -> str | None:
    """Where the search tools look too: beside this Python first."""
    beside = Path(sys.executable).with_name("rg")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("rg", path=environ.get("PATH"))


def _terminal(environ: Mapping[str, str]) -> str:
    if not sys.stdout.isatty():
        return "stdout is no terminal"
    columns, lines = shutil.get_terminal_size()
    return f"{environ.get('TERM') or 'TERM is not set'}, {columns}x{lines}"


def _host(config: Config, environ: Mapping[str, str], model: str | None) -> list[Found]:
    """The host and the model that a run would use. Of the key only the variable's name is told."""
    name = environ.get("CLAW_HOST") or config.host
    try:
        endpoint = _endpoint(config, environ, name, model)
    except ClawError as error:
        return [Found("host", name or DEFAULT_HOST), Found("key", "not usable", str(error))]
    where = endpoint.key_variable
    key = f"found in {where}" if endpoint.key else f"none in {where}; this host needs none"
    return [Found("host", f"{endpoint.host} ({endpoint.base_url})"), Found("model", endpoint.model), Found("key", key)]


def _endpoint(config: Config, environ: Mapping[str, str], host: str | None, model: str | None) -> Endpoint:
    """*Errors*: UsageError, MissingKey."""
    settings = resolve_settings({"host": host, "model": model}, environ, config)
    own = find_home(environ).config
    return load_catalog(settings.hosts, settings.models).resolve(settings.host, settings.model, environ, own)


def _sandbox(config: Config, environ: Mapping[str, str], home: Home) -> list[Found]:
    """The back-end that a run in this folder would have, by the test that it would make."""
    with tempfile.TemporaryDirectory(prefix="claw-doctor-") as scratch:
        place = home._replace(cache=Path(scratch).resolve())
        try:
            settings = resolve_settings({}, environ, config)
            beginning = begin(make_policy(settings, environ, place), wanted=settings.sandbox, environ=environ)
            confinement = beginning.finish(quarantine=place.cache, on_restored=lambda event: None)
        except NoSandbox as error:
            return [Found("sandbox", "none", str(error)), Found("sandbox not used", _reasons(error.findings))]
        except ClawError as error:
            return [Found("sandbox", "not known", str(error))]
        asyncio.run(confinement.close())
    found = [Found("sandbox", f"{confinement.name}, network {settings.network}")]
    if unused := _reasons(beginning.findings):
        found.append(Found("sandbox not used", unused))
    return [*found, Found("sandbox gaps", confinement.gaps)]


def _reasons(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(f"{finding.name}: {finding.reason}" for finding in findings if finding.reason)


def _sessions(home: Home) -> Found:
    try:
        return Found("sessions", len(SessionStore(home).list()))
    except ClawError as error:
        return Found("sessions", "not readable", str(error))


def _show_place(found: list[Found], *, as_json: bool) -> int:
    problems = [each.problem for each in found if each.problem]
    if as_json:
        values = {each.name.replace(" ", "_"): each.value for each in found}
        print(json.dumps({**values, "ready": not problems, "problems": problems}))
    else:
        width = max(len(each.name) for each in found) + 2
        for each in found:
            lines = each.value if isinstance(each.value, tuple) else (each.value,)
            for name, line in zip((each.name, *[""] * len(lines)), lines, strict=False):
                print(f"{name.ljust(width)}{printable(str(line))}")
        print("\nA run could begin." if not problems else "\nA run could not begin:")
        for problem in problems:
            print(f"  {printable(problem)}")
    return ExitCode.USAGE if problems else ExitCode.DONE


async def _examine(endpoint: Endpoint, max_cost_usd: float, *, as_json: bool) -> int:
    """Rows are printed as they are found: some checks take a while."""
    from claw.providers.probe import CHECKS, examine
    from claw.providers.probe import Finding as Seen
    from claw.providers.probe_host import Probe

    widths = (max(len(check.name) for check in CHECKS), 7, 7, 7, 8)
    indent = sum(widths) + 2 * len(widths)
    margin = "\n" + " " * indent
    room = shutil.get_terminal_size().columns - indent if sys.stdout.isatty() else 0

    def row(*cells: str) -> str:
        *columns, finding = cells
        start = "  ".join(cell.ljust(width) for cell, width in zip(columns, widths, strict=True))
        lines = textwrap.wrap(printable(finding), room) if room >= _NARROW else [printable(finding)]
        return f"{start}  {margin.join(lines)}".rstrip()

    def show(finding: Seen) -> None:
        tokens = str(finding.usage.total) if finding.usage.total else ""
        cost = "" if not finding.usage.total else _dollars(finding.cost_usd)
        print(row(finding.check, finding.status, str(finding.duration_ms), tokens, cost, finding.finding), flush=True)

    if not as_json:
        print(printable(f"{endpoint.wire_model or endpoint.model} on {endpoint.host} ({endpoint.base_url})\n"))
        print(row("CHECK", "STATUS", "MS", "TOKENS", "COST", "FINDING"), flush=True)
    probe = Probe(endpoint, max_cost_usd=max_cost_usd)
    try:
        report = await examine(probe, None if as_json else show)
    finally:
        await probe.close()
    if as_json:
        print(json.dumps(msgspec.to_builtins(report)))
        return report.exit_code
    counts = {status: sum(each.status == status for each in report.checks) for status in ("ok", "fault")}
    rest = len(report.checks) - sum(counts.values())
    print(
        f"\n{counts['ok']} ok, {counts['fault']} faults, {rest} not found out; "
        f"{report.usage.input:,} tokens in ({report.usage.cached:,} cached), {report.usage.output:,} out, "
        f"cost {_dollars(report.cost_usd)}"
        + (f"; {report.n_estimated} requests are estimates" if report.n_estimated else "")
    )
    return report.exit_code


def _dollars(cost_usd: float | None) -> str:
    return "unknown" if cost_usd is None else f"${cost_usd:.4f}"
