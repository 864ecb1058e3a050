"""`claw demo`: the main job end to end, with a recorded model and everything else real."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from claw.config import Settings
from claw.demo import CASSETTE, PROJECT
from claw.errors import ClawError, ExitCode, UsageError
from claw.headless.result import describe_tests
from claw.headless.text import Progress
from claw.printable import printable
from claw.protocol.events import Event, RunFinished
from claw.protocol.ops import UserTurn
from claw.runtime.composition import open_runtime
from claw.sandbox.select import NoSandbox

HELP = "Repair a real repository with a recorded model."
TESTS = "python3 -m unittest"


def demo(
    keep: Annotated[Path | None, typer.Option(help="Leave the repository here to look at.", metavar="DIR")] = None,
) -> None:
    """The body of the command. *Errors*: UsageError for a folder that is not empty or no git."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="claw-demo-"))).resolve()
        folder = _new_folder(keep) if keep else scratch / "tally"
        environ = _environment(scratch)
        _make_repository(folder, environ)
        raise typer.Exit(_show(folder, environ, kept=keep is not None))


def _show(folder: Path, environ: Mapping[str, str], *, kept: bool) -> int:
    shown = printable(str(folder))
    print(f"A git repository with a small Python package was made in {shown}. Its tests, before:\n")
    before = _run_tests(folder, environ)
    print("\nNow claw works on it. A script speaks here, not a model; every tool call is real.\n")
    finished = asyncio.run(_work(folder, environ))
    print("\nThe change:\n")
    _git(folder, environ, "--no-pager", "diff", "--stat")
    _git(folder, environ, "--no-pager", "diff", f"--color={'always' if sys.stdout.isatty() else 'never'}")
    print(f"\nThe tests, after ({TESTS}):\n")
    after = _run_tests(folder, environ)
    if kept:
        print(f"\nThe repository is in {shown}.")
    if finished.status != "done" or before == 0 or after != 0:
        print(f"\nThe demo failed: {printable(finished.error or 'the tests did not go from failing to passing')}")
        return ExitCode.ERROR
    print(
        "\nThe tests went from failing to passing in this very run.\n"
        "What spoke was a recording. For the model itself, set a key and give claw a goal of your own:\n\n"
        "    export MOONSHOT_API_KEY=…\n"
        '    claw exec "Make the failing tests pass" --verify "pytest -q"'
    )
    return ExitCode.DONE


async def _work(folder: Path, environ: Mapping[str, str]) -> RunFinished:
    """The run itself, through the same door as every other."""
    ends: list[RunFinished] = []

    def note(event: Event) -> None:
        if isinstance(event, RunFinished):
            ends.append(event)

    progress = Progress(sys.stdout, live=sys.stdout.isatty())
    settings = Settings(cwd=folder, replay=CASSETTE)
    try:
        runtime = open_runtime(settings, environ, [progress, note])
    except NoSandbox as error:
        print(f"{printable(str(error))}\nThe demo goes on unconfined: its commands are a recording of claw's own.\n")
        runtime = open_runtime(replace(settings, sandbox="off"), environ, [progress, note])
    try:
        runtime.submit(UserTurn.of(runtime.recorded_prompt or ""))
        runtime.end_of_input()
        await runtime.serve()
    finally:
        await runtime.close()
    if not ends:
        raise ClawError("the run did not begin")
    print(f"{printable(ends[-1].result)}\n\n{describe_tests(ends[-1].tests)}")
    return ends[-1]


def _new_folder(keep: Path) -> Path:
    folder = keep.expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--keep {keep}: give a folder that does not exist yet, or an empty one")
    return folder


def _environment(scratch: Path) -> dict[str, str]:
    """The user's own, but this interpreter is `python3`, and neither sessions nor git settings are touched."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
                for what, value in (("NAME", "claw demo"), ("EMAIL", "demo@claw.invalid"))}  # fmt: skip
    return {
        **os.environ,
        **identity,
        "PATH": path,
        "CLAW_HOME": str(scratch / "home"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _make_repository(folder: Path, environ: Mapping[str, str]) -> None:
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    _git(folder, environ, "init", "--quiet", "--initial-branch=main")
    _git(folder, environ, "add", "--all")
    _git(folder, environ, "commit", "--quiet", "--message=A small package with failing tests")


def _git(folder: Path, environ: Mapping[str, str], *args: str) -> None:
    sys.stdout.flush()
    try:
        subprocess.run(["git", "-C", folder, *args], env=environ, check=True)
    except FileNotFoundError:
        raise UsageError("the demo needs git, and there is no `git` on the PATH") from None


def _run_tests(folder: Path, environ: Mapping[str, str]) -> int:
    """Shows the end of what the runner prints; returns its exit status."""
    done = subprocess.run(TESTS.split(), cwd=folder, env=environ, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith(("FAIL:", "ERROR:", "Ran ", "OK", "FAILED"))]
    print("\n".join(f"    {printable(line)}" for line in lines))
    return done.returncode
