"""What a confined command costs more than a bare one: `python -m benchmarks.sandbox`.

Every round runs one command on each back-end in turn, so that all of them see the same machine. Added times are
differences to the bare command of the same round. Ends with 1 if a budget is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from claw.sandbox import select
from claw.sandbox.base import Confinement, Policy
from claw.sandbox.environment import folder_variables
from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommands

COMMAND = ":"
P50_MS, P95_MS, FIRST_MS = 5.0, 10.0, 60.0
# One command each time is what the spawner is there to avoid; its row is for comparison.
JUDGED = ("bubblewrap", "landlock")


def make_policy(base: Path) -> Policy:
    """A workspace as they are: a repository with hooks, and some keys at home."""
    workspace, home = base / "workspace", base / "home"
    for folder in (
        workspace / ".git/hooks",
        workspace / ".vscode",
        home / ".ssh",
        base / "tmp",
        base / "cache",
        base / "spill",
    ):
        folder.mkdir(parents=True)
    for number in range(15):
        (workspace / f".git/hooks/{number}.sample").write_text("#!/bin/sh\n")
    (workspace / ".git/config").write_text("[core]\n")
    (home / ".netrc").write_text("secret")
    return Policy((workspace,), base / "tmp", base / "cache", hidden=(home / ".ssh", home / ".netrc", home / ".aws"))


def open_back_end(name: str, policy: Policy, base: Path) -> tuple[Confinement | None, float, str]:
    """The back-end, the milliseconds until it was ready, or why it is not."""
    if name == "none":
        return Plain(), 0.0, ""
    environ = {**os.environ, select.WITHOUT: ",".join(other for other in select.BACK_ENDS if other != name)}
    started = time.perf_counter()
    try:
        found = select.begin(policy, wanted="on", environ=environ).finish(
            quarantine=base / "taken", on_restored=lambda event: None, home=base / "home"
        )
    except select.NoSandbox as error:
        return None, 0.0, str(error)
    return found, (time.perf_counter() - started) * 1000, ""


async def one(commands: ShellCommands, cwd: Path) -> float:
    started = time.perf_counter()
    command = await commands.start(COMMAND, cwd=cwd)
    if await command.wait() != 0:
        raise SystemExit(f"the command failed: {command.output.text(1000)}")
    return (time.perf_counter() - started) * 1000


async def fifty(commands: ShellCommands, cwd: Path) -> tuple[float, float]:
    """Milliseconds for fifty at once, and the longest time that the loop was held up by them."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.001), now

    watching = asyncio.create_task(watch())
    started = time.perf_counter()
    await asyncio.gather(*(one(commands, cwd) for _ in range(50)))
    took = time.perf_counter() - started
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    return took * 1000, longest * 1000


async def measure(n_rounds: int, base: Path) -> dict[str, dict[str, float]]:
    policy = make_policy(base)
    cwd = policy.writable[0]
    results: dict[str, dict[str, float]] = {}
    running: dict[str, ShellCommands] = {}
    for name in ("none", "bubblewrap", "landlock", "bubblewrap-once"):
        confinement, ready_ms, reason = open_back_end(name, policy, base)
        if confinement is None:
            print(f"{name} is not measured: {reason}", file=sys.stderr)
            continue
        added = folder_variables(policy.tmp, policy.cache)
        running[name] = ShellCommands(os.environ, base / "spill", confinement, added=added)
        results[name] = {"first": ready_ms + await one(running[name], cwd)}
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(n_rounds):
        for name, commands in running.items():
            times[name].append(await one(commands, cwd))
    for name, commands in running.items():
        added_ms = [confined - bare for confined, bare in zip(times[name], times["none"], strict=True)]
        took, lag = await fifty(commands, cwd)
        results[name] |= {
            "p50": statistics.median(times[name]),
            "ratio": statistics.median(times[name]) / statistics.median(times["none"]),
            "added_p50": statistics.median(added_ms),
            "added_p95": sorted(added_ms)[int(len(added_ms) * 0.95)],
            "fifty": took,
            "lag": lag,
        }
    for commands in running.values():
        await commands.close()
    return results


def missed(results: dict[str, dict[str, float]]) -> list[str]:
    """The budgets that do not hold. Fifty at once may hold the loop up no longer than bare commands do, or 50 ms."""
    budgets = {"added_p50": P50_MS, "added_p95": P95_MS, "first": FIRST_MS, "lag": max(50.0, results["none"]["lag"])}
    return [
        f"{name}: {what} is {results[name][what]:.1f} ms, and may be {limit:.0f}"
        for name in JUDGED
        if name in results
        for what, limit in budgets.items()
        if results[name][what] > limit
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # Not below /tmp: confined commands see another one.
    with tempfile.TemporaryDirectory(prefix="claw-benchmark-", dir="/var/tmp") as folder:
        results = asyncio.run(measure(options.rounds, Path(folder).resolve()))
    if options.json:
        print(json.dumps(results))
    else:
        heads = ("first", "p50", "ratio", "added_p50", "added_p95", "fifty", "lag")
        print(f"{'ms':<16}" + "".join(f"{head:>11}" for head in heads))
        for name, row in results.items():
            print(f"{name:<16}" + "".join(f"{row[head]:>11.2f}" for head in heads))
    for line in (complaints := missed(results)):
        print(line, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
