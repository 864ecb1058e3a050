"""Which back-end is used, why not another, and what happens when its helper dies."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from claw.errors import ToolError, UsageError
from claw.sandbox import select
from claw.sandbox.base import Policy
from claw.sandbox.spawned import Spawned
from claw.sandbox.spawner.processes import descendants
from tests.sandbox.backends import open_session
from tests.sandbox.conftest import eventually


def policy_in(base: Path) -> Policy:
    for name in ("workspace", "tmp", "cache"):
        (base / name).mkdir()
    return Policy((base / "workspace",), base / "tmp", base / "cache")


def finish(beginning: select.Beginning, base: Path) -> object:
    return beginning.finish(quarantine=base / "taken", on_restored=lambda event: None)


def test_off_is_off(base: Path) -> None:
    beginning = select.begin(policy_in(base), wanted="off", environ=os.environ)
    confinement = beginning.finish(quarantine=base, on_restored=lambda event: None)
    assert (confinement.name, beginning.findings) == ("none", (select.Finding("none"),))
    assert confinement.gaps == ("commands may do whatever you may: nothing is confined",)


def test_without_any_back_end_nothing_is_run(base: Path) -> None:
    environ = {select.WITHOUT: ",".join(select.BACK_ENDS)}
    beginning = select.begin(policy_in(base), wanted="on", environ=environ)
    with pytest.raises(select.NoSandbox, match=r"left out by CLAW_SANDBOX_WITHOUT.*--sandbox off") as caught:
        finish(beginning, base)
    assert beginning.findings == caught.value.findings
    assert all(finding.reason for finding in beginning.findings)


@pytest.mark.parametrize("value", ["none", "off", "bubblewrap;landlock", "plain,landlock"])
def test_what_can_only_take_away(base: Path, value: str) -> None:
    with pytest.raises(UsageError, match="no back-end is called"):
        select.begin(policy_in(base), wanted="on", environ={select.WITHOUT: value})


async def test_without_bubblewrap_it_is_landlock(base: Path) -> None:
    session = open_session(base, "landlock")
    assert session.confinement.name == "landlock"
    assert any("loopback" in gap for gap in session.confinement.gaps)
    await session.commands.close()


async def test_a_bubblewrap_that_commands_could_have_written_is_not_used(base: Path) -> None:
    policy = policy_in(base)
    planted = base / "workspace/bin/bwrap"
    planted.parent.mkdir()
    planted.write_text(f"#!/bin/sh\ntouch {base}/planted\n")
    planted.chmod(0o755)
    environ = {**os.environ, "PATH": f"{planted.parent}:{os.environ['PATH']}", select.WITHOUT: "landlock"}
    beginning = select.begin(policy, wanted="on", environ=environ)
    try:
        confinement = beginning.finish(quarantine=base / "taken", on_restored=lambda event: None)
    except select.NoSandbox:
        pytest.skip("there is no other bubblewrap")
    await confinement.close()
    assert not (base / "planted").exists()


async def test_a_back_end_that_does_not_hold_is_passed_over(base: Path) -> None:
    """A `bwrap` that confines nothing: what the test finds from inside decides, not the name."""
    programs = base / "programs"
    programs.mkdir()
    fake = programs / "bwrap"
    fake.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
    fake.chmod(0o755)
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", select.WITHOUT: "landlock,bubblewrap-once"}
    beginning = select.begin(policy_in(base), wanted="on", environ=environ)
    with pytest.raises(select.NoSandbox):
        finish(beginning, base)
    assert beginning.findings[0].name == "bubblewrap"
    assert beginning.findings[0].reason


async def test_begun_and_cancelled_leaves_nothing(base: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    select.begin(policy_in(base), wanted="on", environ=os.environ).cancel()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("back_end", ["bubblewrap", "landlock"])
async def test_a_helper_that_dies_is_replaced_once(base: Path, back_end: str) -> None:
    session = open_session(base, back_end)
    confinement = session.confinement
    assert isinstance(confinement, Spawned)

    async def kill_the_helper() -> None:
        command = await session.commands.start("echo started; sleep 60", cwd=session.workspace)
        assert await eventually(lambda: command.output.size_bytes > 0)
        os.kill(confinement.helper_pid, signal.SIGKILL)
        assert await command.wait(10) == -signal.SIGKILL
        assert "helper" in command.note

    await kill_the_helper()
    assert await session.says("echo again") == "again\n"
    await kill_the_helper()
    assert await session.says("echo again") == "again\n"  # one that did its work counts as good
    os.kill(confinement.helper_pid, signal.SIGKILL)
    assert await eventually(lambda: confinement.helper_pid == 0)
    await confinement.start_helper()
    os.kill(confinement.helper_pid, signal.SIGKILL)
    assert await eventually(lambda: confinement.helper_pid == 0)
    with pytest.raises(ToolError, match="died twice"):
        await session.run("true")
    await session.commands.close()


@pytest.mark.parametrize("back_end", ["bubblewrap", "landlock"])
async def test_a_process_that_dies_while_it_waits_for_a_command(base: Path, back_end: str) -> None:
    session = open_session(base, back_end)
    assert isinstance(session.confinement, Spawned)
    assert await session.says("echo one") == "one\n"
    for chosen in (0, -1):  # a first process, then a program
        waiting = descendants(session.confinement.helper_pid)
        os.kill(waiting[chosen if back_end == "landlock" else 1 if chosen == 0 else -1], signal.SIGKILL)
        await asyncio.sleep(0.2)  # until that is noticed
        assert await session.says("echo two") == "two\n"
    await session.commands.close()


@pytest.mark.parametrize("back_end", ["bubblewrap", "landlock"])
async def test_a_start_that_is_cancelled_leaves_nothing(base: Path, back_end: str) -> None:
    session = open_session(base, back_end)
    await asyncio.gather(*(session.run("true") for _ in range(20)))
    before = len(os.listdir("/proc/self/fd"))
    starts = [asyncio.create_task(session.commands.start("sleep 60", cwd=session.workspace)) for _ in range(20)]
    await asyncio.sleep(0)
    for start in starts:
        start.cancel()
    await asyncio.gather(*starts, return_exceptions=True)
    assert await session.says("echo hi") == "hi\n"
    await asyncio.gather(*(command.result().stop(0.1) for command in starts if not command.cancelled()))
    assert len(os.listdir("/proc/self/fd")) <= before
    await session.commands.close()
