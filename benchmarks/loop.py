"""How much claw adds to a run: start, time per turn, growth, memory.

    python benchmarks/loop.py [--turns 1000] [--runs 3] [--json]

A loopback server answers at once with one `echo` call a turn, so what is left between the last byte of
reply k and the first byte of request k + 1 is claw's own time plus the shell's. The shell alone is
measured in the same run and subtracted; starts are measured in turn with what they are compared to,
since a shared machine drifts. `sandboxed_over_bare` compares turns with commands confined and with
`--sandbox off`, measured in turn. Each figure stands beside its budget; the exit code is 1 if one is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import itertools

from benchmarks.answering_server import AnsweringServer

CLAW = [sys.executable, "-P", "-m", "claw"]
SCRIPT = [str(Path(sys.executable).with_name("claw"))]

# Figure → its budget.
BUDGETS = {
    "turn_over_shell_ms": 15.0,
    "last_50_over_first_50": 1.2,
    "peak_memory_mb": 90.0,
    "start_over_imports": 2.5,
    "version_over_pass": 4.0,
    "sandboxed_over_bare": 1.3,
}


def echo_then_done(n_turns: int) -> Callable[[int], dict[str, object]]:
    def answer(k: int) -> dict[str, object]:
        if k >= n_turns:
            return {"content": "done"}
        arguments = json.dumps({"command": f"echo step-{k}"})
        function = {"name": "bash", "arguments": arguments}
        return {"tool_calls": [{"index": 0, "id": f"bash:{k}", "type": "function", "function": function}]}

    return answer


def exec_environment(home: str) -> dict[str, str]:
    return {**os.environ, "CLAW_HOME": home, "CLAW_API_KEY": "benchmark"}


def measure_turns(n_turns: int, *flags: str) -> dict[str, float]:
    """One run of `n_turns` turns."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as cwd:
        with AnsweringServer(echo_then_done(n_turns)) as server:
            command = [*CLAW, "exec", "--host", server.url, "--cwd", cwd, *flags, "go"]
            process = subprocess.Popen(
                command,
                env=exec_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode or len(server.exchanges) != n_turns + 1:
                raise SystemExit(f"claw ended with {process.returncode} after {len(server.exchanges)} requests")
            if server.last_body.count(b"step-") != 2 * n_turns:  # in the call, and in what it printed
                raise SystemExit(f"not every command ran: {server.last_body[-500:]!r}")
            done = server.exchanges
        gaps_ms = [(b.first_byte - a.last_byte) * 1000 for a, b in itertools.pairwise(done)]
        shell_ms = statistics.median(time_ms(["bash", "-c", f"echo step-{k}"]) for k in range(200))
    median_ms = statistics.median(gaps_ms)
    return {
        "turn_ms": median_ms,
        "turn_p95_ms": sorted(gaps_ms)[int(len(gaps_ms) * 0.95)],
        "shell_ms": shell_ms,
        "turn_over_shell_ms": median_ms - shell_ms,
        "last_50_over_first_50": statistics.median(gaps_ms[-50:]) / statistics.median(gaps_ms[:50]),
        "peak_memory_mb": usage.ru_maxrss / 1024,
        "cpu_ms_per_turn": (usage.ru_utime + usage.ru_stime) * 1000 / n_turns,
        "last_body_kb": done[-1].body_bytes / 1000,
        "first_body_kb": done[0].body_bytes / 1000,
    }


def time_ms(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return (time.perf_counter() - started) * 1000


def start_ms(executable: list[str]) -> float:
    """From the start of the process to the first byte of its first request."""
    with tempfile.TemporaryDirectory() as home, AnsweringServer(echo_then_done(0)) as server:
        command = [*executable, "exec", "--host", server.url, "--cwd", home, "hi"]
        started = time.perf_counter()
        subprocess.run(command, env=exec_environment(home), stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return (server.exchanges[0].first_byte - started) * 1000


def measure_starts(n_runs: int) -> dict[str, float]:
    """Medians of interleaved starts. The `claw` script is used, as a person would."""
    imports, first_request, bare, version = [], [], [], []
    start_ms(SCRIPT), time_ms([*SCRIPT, "--version"])  # once, so that every .pyc is there
    for _ in range(n_runs):
        imports.append(time_ms([sys.executable, "-c", "import asyncio, httpx2"]))
        first_request.append(start_ms(SCRIPT))
        bare.append(time_ms([sys.executable, "-I", "-c", "pass"]))
        version.append(time_ms([*SCRIPT, "--version"]))
    medians = [statistics.median(figures) for figures in (imports, first_request, bare, version)]
    return {
        "imports_ms": medians[0],
        "start_ms": medians[1],
        "start_over_imports": medians[1] / medians[0],
        "pass_ms": medians[2],
        "version_ms": medians[3],
        "version_over_pass": medians[3] / medians[2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3, help="how often the turns are measured; medians are shown")
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    runs, bare_ms = [], []
    for _ in range(options.runs):
        runs.append(measure_turns(options.turns))
        bare_ms.append(measure_turns(options.turns, "--sandbox", "off")["turn_ms"])
    turns = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    figures = {**measure_starts(options.starts), **turns}
    figures["sandboxed_over_bare"] = turns["turn_ms"] / statistics.median(bare_ms)
    missed = [name for name, budget in BUDGETS.items() if figures[name] > budget]
    print(json.dumps({"figures": figures, "budgets": BUDGETS, "missed": missed}))
    if not options.json:
        for name, value in figures.items():
            budget = f"≤ {BUDGETS[name]:g}" if name in BUDGETS else ""
            print(f"{name:<24}{value:>10.2f}  {budget:<8}{'MISSED' if name in missed else ''}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
