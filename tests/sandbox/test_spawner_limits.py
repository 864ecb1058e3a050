"""What a command may take: whoever takes more ends, with a reason, and nobody else notices."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.spawner_client import (
    LIMITS,
    PYTHON,
    Client,
    Place,
    bubblewraps,
    eventually,
    running_with,
    users,
    why_not,
)


@pytest.fixture(params=["landlock", "bubblewrap"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if reason := why_not(found):
        pytest.skip(reason)
    return found


Limited = Callable[..., Client]


@pytest.fixture(params=users(), ids=lambda user: "self" if user is None else f"user {user}")
def limited(request: pytest.FixtureRequest, kind: str) -> Iterator[Limited]:
    """A client whose commands have lower limits."""
    place = Place(request.param)
    made: list[Client] = []

    def make(**limits: int) -> Client:
        policy = place.policy(kind, limits={**LIMITS, **limits})
        made.append(Client(place.bubblewrap(next(bubblewraps())) if kind == "bubblewrap" else [], place, policy))
        return made[-1]

    yield make
    for client in made:
        client.close()
    place.remove()


def test_a_fork_bomb(limited: Limited) -> None:
    client = limited(processes=60)
    bystander, reading = client.start(["sleep", "60"])
    mark = uuid.uuid4().hex
    started = time.monotonic()
    # It doubles ten times, and would end there if nobody stopped it.
    script = f": {mark}; bomb() {{ (($1)) && {{ bomb $(($1-1)) | bomb $(($1-1)) & }}; sleep 30; }}; bomb 10"
    end, _ = client.shell(script)
    assert end == ("exited", -signal.SIGKILL, "processes")
    assert time.monotonic() - started < 15
    assert eventually(lambda: running_with(mark) == [])
    assert client.shell("echo on") == (("exited", 0, ""), "on\n")
    client.signal(bystander, signal.SIGTERM)
    assert client.end_of(bystander) == ("exited", -signal.SIGTERM, "")
    os.close(reading)


def test_memory_of_one_process(limited: Limited) -> None:
    client = limited(memory_bytes=200 << 20)
    end, _ = client.shell("tail /dev/zero")
    assert end == ("exited", -signal.SIGKILL, "memory")


def test_memory_of_many_processes(limited: Limited) -> None:
    client = limited(memory_bytes=200 << 20)
    hog = f"{PYTHON} -c 'import time; b = bytearray(60 << 20); time.sleep(30)'"
    end, _ = client.shell(f"for n in 1 2 3 4 5; do {hog} & done; wait")
    assert end == ("exited", -signal.SIGKILL, "memory")


def test_memory_that_forked_processes_share_counts_once(limited: Limited) -> None:
    client = limited(memory_bytes=200 << 20)
    script = (
        "import os, time\nblock = bytearray(60 << 20)\n"
        "for n in range(6):\n    if not os.fork():\n        time.sleep(0.5)\n        os._exit(0)\n"
        "for n in range(6):\n    os.wait()\nprint('done')"
    )
    assert client.python(script) == "done"


def test_the_size_of_a_file(limited: Limited) -> None:
    client = limited(file_bytes=1 << 20)
    end, _ = client.shell("exec yes > big")
    assert end == ("exited", -signal.SIGXFSZ, "")
    assert (client.workspace / "big").stat().st_size == 1 << 20


def test_open_files(limited: Limited) -> None:
    client = limited(open_files=64)
    script = (
        "files = []\ntry:\n    while True: files.append(open('/dev/null'))\n"
        "except OSError as error:\n    print(error.errno, len(files))"
    )
    assert client.python(script) == "24 61"


def test_no_core_is_dumped(limited: Limited) -> None:
    client = limited()
    assert client.shell("ulimit -c; ulimit -Hc")[1].split() == ["0", "0"]


def test_which_means_limits_processes(limited: Limited, kind: str) -> None:
    client = limited(processes=100)
    found = client.report["process_limit"]
    assert found in ({"bubblewrap": {"pid_max", "rlimit", "watchdog"}, "landlock": {"rlimit", "watchdog"}}[kind])
    if found == "pid_max":
        highest = client.shell("cat /proc/sys/kernel/pid_max")[1]
        assert highest == "700\n"
