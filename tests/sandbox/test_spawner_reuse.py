"""One first process serves many commands: none of them may find anything of another."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.spawner_client import Client, Place, bubblewraps, running_with, users, why_not

Opened = Callable[..., Client]


@pytest.fixture(params=["landlock", "bubblewrap"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if reason := why_not(found):
        pytest.skip(reason)
    return found


@pytest.fixture(params=users(), ids=lambda user: "self" if user is None else f"user {user}")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(request.param)
    yield made
    made.remove()


@pytest.fixture
def opened(kind: str, place: Place) -> Iterator[Opened]:
    """Make a client with a changed policy."""
    made: list[Client] = []

    def make(**changes: Any) -> Client:
        prefix = place.bubblewrap(next(bubblewraps())) if kind == "bubblewrap" else []
        made.append(Client(prefix, place, place.policy(kind, **changes)))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_one_first_process_for_many_commands(opened: Opened) -> None:
    client = opened()
    firsts = set()
    for _ in range(10):
        id, reading = client.start(["true"])
        os.close(reading)
        assert client.end_of(id) == ("exited", 0, "")
        firsts.add(id)
    assert len(firsts) == 1


def test_nothing_of_a_command_is_left_for_the_next(opened: Opened) -> None:
    client = opened()
    mark = uuid.uuid4().hex
    for how in ("", "setsid ", "nohup "):
        end, _ = client.shell(f"({how}bash -c 'exec -a {mark} sleep 60' >/dev/null 2>&1 &); touch /dev/shm/{mark}")
        assert end == ("exited", 0, "")
        assert running_with(mark) == []
    alone = "for one in /proc/[0-9]*; do tr '\\0' ' ' <$one/cmdline; echo; done 2>/dev/null"
    assert mark not in client.shell(alone)[1]


def test_shared_memory_goes_with_its_command(opened: Opened, kind: str) -> None:
    if kind == "landlock":
        pytest.skip("without namespaces it is the machine's")
    client = opened()
    assert client.shell("echo secret > /dev/shm/left && ls /dev/shm") == (("exited", 0, ""), "left\n")
    assert client.shell("ls -A /dev/shm") == (("exited", 0, ""), "")


def test_what_was_protected_for_one_is_not_for_the_next(opened: Opened, place: Place, kind: str) -> None:
    """And nothing is ever mounted where this machine would see it."""
    (place.workspace / "kept").write_text("kept")
    (place.workspace / "kept").chmod(0o666)
    before = Path("/proc/self/mountinfo").read_text()
    client = opened()
    order = {"read_only": [os.fsencode(place.workspace / "kept")]}
    for _ in range(3):
        end, _ = client.shell("echo changed > kept", **order)
        assert (end[1] == 0) == (kind == "landlock")  # there it is the client that puts things back
        assert client.shell("echo changed > kept; grep -c kept /proc/self/mountinfo")[1] == "0\n"
        assert Path("/proc/self/mountinfo").read_text() == before


def test_what_is_hidden_stays_hidden_whatever_happens_to_it(opened: Opened, place: Place) -> None:
    """A mask lies on what was there when it was made."""
    key, folder, later = (place.outside / name for name in ("key", "keys", "later"))
    key.write_text("secret")
    folder.mkdir()
    (folder / "one").write_text("secret")
    client = opened(hidden=[os.fsencode(path) for path in (key, folder, later)])
    look = f"cat '{key}' '{folder}/one' '{later}' 2>/dev/null"
    assert client.shell(look)[1] == ""
    (place.outside / "new").write_text("secret")
    (place.outside / "new").rename(key)
    folder.rename(place.top / "aside")
    folder.mkdir()
    (folder / "one").write_text("secret")
    later.write_text("secret")
    for path in (key, folder, later):
        os.chown(path, *((place.user, place.user) if place.user is not None else (-1, -1)))
    for _ in range(2):
        assert client.shell(look)[1] == ""
