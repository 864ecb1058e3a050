"""The demo's project fails as it is, and passes after the script's own calls, made with the real tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claw.agent.evidence import observe
from claw.demo.script import PROMPT, RUN_TESTS, SHOW_FAILURES, TRY_THE_README, script
from claw.protocol.messages import ToolCall, text_of
from claw.tooling.base import ToolContext, Workspace
from claw.tools.edit import Edit
from claw.tools.patch import Patch
from claw.tools.read import Read
from tests.tools.conftest import make_workspace

TOOLS = {tool.name: tool for tool in (Read(), Edit(), Patch())}
FAILING = {
    "ERROR: test_the_example_in_the_readme",
    "ERROR: test_whole_hours",
    "ERROR: test_full_quarters_are_not_rounded",
    "ERROR: test_one_project_in_order_of_days",
    "ERROR: test_by_day_of_one_project",
    "FAIL: test_a_full_quarter_stays",
}


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    folder = tmp_path.resolve() / "tally"
    shutil.copytree(str(files("claw.demo") / "project"), folder, ignore=shutil.ignore_patterns("__pycache__"))
    return make_workspace(folder, tmp_path / "blobs")


def calls(name: str) -> list[dict[str, Any]]:
    return [json.loads(call.arguments) for reply in script() for call in reply.tool_calls if call.name == name]


def run(command: str, cwd: Path) -> tuple[int, str]:
    """Exit code and output, with the `python3` that runs this test."""
    bin_dir = cwd.parent / "bin"
    bin_dir.mkdir(exist_ok=True)
    if not (bin_dir / "python3").exists():
        (bin_dir / "python3").symlink_to(sys.executable)
    env = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


async def play(call: ToolCall, workspace: Workspace) -> str:
    tool = TOOLS[call.name]
    params = msgspec.json.decode(call.arguments, type=tool.params)
    context = ToolContext(call.id, workspace, lambda _: None, tool.access(params, workspace))
    return text_of((await tool.run(params, context)).content)


def test_it_fails_at_first_in_seven_tests(project: Workspace) -> None:
    code, output = run(RUN_TESTS, project.cwd)
    seen = observe(RUN_TESTS, code, output)
    assert seen is not None
    assert (seen.passed, seen.total, seen.failed) == (False, 35, 7)
    _, shown = run(SHOW_FAILURES, project.cwd)
    assert {line for line in shown.splitlines() if re.match("(ERROR|FAIL):", line)} == FAILING


async def test_the_script_repairs_it(project: Workspace) -> None:
    tests_before = {path: path.read_bytes() for path in (project.cwd / "tests").iterdir()}
    for reply in script():
        for call in reply.tool_calls:
            if call.name in TOOLS:
                await play(call, project)
    code, output = run(RUN_TESTS, project.cwd)
    seen = observe(RUN_TESTS, code, output)
    assert seen is not None
    assert (seen.passed, seen.total, seen.failed) == (True, 35, 0)
    assert {path: path.read_bytes() for path in (project.cwd / "tests").iterdir()} == tests_before


async def test_the_readmes_example_is_true_after_the_repair(project: Workspace) -> None:
    for reply in script():
        for call in reply.tool_calls:
            if call.name in TOOLS:
                await play(call, project)
    code, output = run(TRY_THE_README, project.cwd)
    assert code == 0
    _, _, bill = output.partition("added 120 minutes to acme\n")
    assert bill
    assert bill.rstrip() in (project.cwd / "README.md").read_text()


def test_the_script_is_well_formed() -> None:
    replies = script()
    ids = [call.id for reply in replies for call in reply.tool_calls]
    assert len(ids) == len(set(ids))
    assert [bool(reply.tool_calls) for reply in replies] == [True] * (len(replies) - 1) + [False]
    assert max(len(reply.tool_calls) for reply in replies) >= 4
    assert {call.name for reply in replies for call in reply.tool_calls} == {
        "bash", "edit", "git", "grep", "patch", "read", "todo"
    }  # fmt: skip
    assert all(sum(item["status"] == "in_progress" for item in todo["items"]) <= 1 for todo in calls("todo"))
    assert {item["status"] for item in calls("todo")[-1]["items"]} == {"done"}
    assert replies == script()
    assert PROMPT


def test_the_project_carries_no_hint_of_its_defects() -> None:
    for path in Path(str(files("claw.demo") / "project")).rglob("*.py"):
        assert not re.search(r"(?i)\b(bug|broken on purpose|defect|fixme|todo|xxx)\b", path.read_text())
