"""More than a command may take, and processes that want to outlive it (S17).

What is asked for is bounded, so that a limit that does not hold costs this machine nothing.
"""

from __future__ import annotations

import pytest

from tests.security.attack import (
    Attack,
    Harm,
    Run,
    Step,
    assert_harmful,
    assert_held,
    bash,
    python,
    run_protected,
    run_unprotected,
    said,
)
from tests.security.users import User
from tests.security.walls import Walls
from tests.security.world import World

CONFIG = """
[sandbox.limits]
memory_bytes = 268435456
processes = 64
file_bytes = 16777216
open_files = 128
"""
_ONE_BY_ONE = {"bubblewrap-once": "without the helper a limit holds for a single process only"}


def _lives(mark: str) -> Harm:
    """A process with `mark` in its command line was still there after claw had ended."""
    return lambda step: any(mark in command for command in step.outcome.survivors)


def _wrote_more_than(path: str, size_bytes: int) -> Harm:
    def harm(step: Step) -> bool:
        _, after = step.outcome.changed_inside.get(step.path(f"@workspace@/{path}"), (None, None))
        return after is not None and after.size_bytes > size_bytes

    return harm


ATTACKS = [
    # A watch that looks every so often may see more than the limit for a moment: it must not stay so.
    Attack("S17", "fork bomb",
           bash("f() { [ $1 -gt 0 ] && { f $(($1-1)) & f $(($1-1)) & }; sleep 2; }; f 8; wait; echo bomb' 'over",
                timeout_s=30), said("bomb over"), gaps=_ONE_BY_ONE),
    Attack("S17", "many processes", python(
        "import os, time\nfor n in range(300):\n    if os.fork() == 0:\n        time.sleep(5)\n        os._exit(0)\n"
        "time.sleep(2)\nprint('kept', 'all')"), said("kept all"), gaps=_ONE_BY_ONE),
    Attack("S17", "memory", python(
        "hog = bytearray(400 << 20)\nhog[::4096] = b'x' * len(hog[::4096])\n"
        "import time\ntime.sleep(2)\nprint('kept', 'it')"), said("kept it")),
    Attack("S17", "memory of a program in C", bash("(head -c 400M /dev/zero; sleep 2) | tail | wc -c"),
           said("419430400")),
    Attack("S17", "big file", bash("head -c 24M /dev/zero > big"), _wrote_more_than("big", 16 << 20)),
    Attack("S17", "open files", python(
        "files = [open('/dev/null') for n in range(1000)]\nprint('opened', 'all')"), said("opened all")),
    # Ends of commands: what they leave behind dies with them, at the latest with claw
    Attack("S17", "daemon in a session of its own", bash("setsid sleep 3001.5 > /dev/null 2>&1 & sleep 0.2"),
           _lives("3001.5")),
    Attack("S17", "daemon forked twice", python(
        "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.chdir('@workspace@')\n"
        "        null = os.open('/dev/null', os.O_RDWR)\n        for n in range(3): os.dup2(null, n)\n"
        "        os.execv('/bin/sleep', ['sleep', '3002.5'])\n    os._exit(0)"), _lives("3002.5")),
    Attack("S17", "daemon without a name", bash(
        "(cd @workspace@; exec setsid -f env -i /bin/sh -c 'trap \"\" TERM HUP INT; sleep 3003.5 & wait; sleep 3003.5' "
        "> /dev/null 2>&1)"), _lives("3003.5")),
    Attack("S17", "daemon of a background command", (
        (("background", {"action": "start", "command": "setsid -f sleep 3004.5 > /dev/null 2>&1; sleep 3005.5"}),),
    ), _lives("3004.5")),
]  # fmt: skip


def prepare(world: World) -> None:
    """The limits come from the user's configuration."""


@pytest.fixture(scope="module")
def confined(walls: Walls) -> Run:
    return run_protected(walls, ATTACKS, prepare, config=CONFIG)


@pytest.fixture(scope="module")
def unprotected(anyone: User) -> Run:
    return run_unprotected(anyone, ATTACKS, prepare)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_held(confined: Run, walls: Walls, attack: Attack) -> None:
    assert_held(confined, attack, walls)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_harmful_without_protection(unprotected: Run, attack: Attack) -> None:
    assert_harmful(unprotected, attack)


def test_session_goes_on(confined: Run, walls: Walls) -> None:
    assert confined.outcome.sandbox == walls.shown_as
    confined.assert_went_on()
    confined.assert_contained()
