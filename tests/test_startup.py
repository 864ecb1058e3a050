"""What may be imported on the way to the first request: a list, not a time (for times see `benchmarks/`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fakes.model_server import ModelServer, say

REPORT = "import atexit, json, sys; atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr)); "
# Each costs more than 5 ms, and none is needed before the first request of `claw exec`.
HEAVY = {
    *("PIL", "claw.media"),
    *("argparse", "click", "concurrent.futures.process", "difflib", "git", "hypothesis", "jsonschema", "mcp"),
    *("multiprocessing", "openai", "platformdirs", "pydantic", "rich", "shutil", "textual", "torch", "tree_sitter"),
    "typer",
}
# httpx2 itself brings these.
BROUGHT = {"shutil"}


def modules_of(argv: list[str], tmp_path: Path) -> set[str]:
    code = REPORT + "sys.argv = ['claw', *sys.argv[1:]]; from claw.cli.main import main; main()"
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CLAW_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *argv], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(modules)


def test_version_imports_nothing_of_ours_but_the_entry(tmp_path: Path) -> None:
    assert {name for name in modules_of(["--version"], tmp_path) if name.split(".")[0] in ("claw", "msgspec")} == {
        "claw", "claw.cli", "claw.cli.main"
    }  # fmt: skip


def test_exec_imports_nothing_heavy(tmp_path: Path) -> None:
    with ModelServer([say("hi")]) as server:
        modules = modules_of(["exec", "--host", server.url, "--cwd", str(tmp_path), "hi"], tmp_path)
    assert {"asyncio", "httpx2", "msgspec", "claw.runtime.composition"} <= modules
    assert (HEAVY - BROUGHT) & modules == set()
