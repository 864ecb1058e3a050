"""The spawner, driven over its socket as claw does it: what starts, how it ends, and that nothing is left."""

from __future__ import annotations

import errno
import marshal
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.spawner_client import (
    NOBODY,
    PATH,
    Client,
    Place,
    bubblewraps,
    eventually,
    read_all,
    running_with,
    send,
    users,
    why_not,
)


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
def client(kind: str, place: Place) -> Iterator[Client]:
    prefix = place.bubblewrap(next(bubblewraps())) if kind == "bubblewrap" else []
    made = Client(prefix, place, place.policy(kind))
    yield made
    made.close()


def test_the_walls_stand(client: Client, kind: str) -> None:
    checks = client.report["checks"]
    loopback = checks.pop("loopback")
    assert set(checks.values()) == {""}, checks
    assert loopback == ("" if kind == "bubblewrap" else "[Errno 13] Permission denied")


def test_a_program_gets_its_folder_its_variables_and_nothing_else(client: Client) -> None:
    end, output = client.run("env", "-0", env={**PATH, "A b": "ü\n'"})
    assert end == ("exited", 0, "")
    assert sorted(output.split("\0")) == ["", "A b=ü\n'", f"PATH={PATH['PATH']}"]
    assert client.shell("pwd; cat")[1] == f"{client.workspace}\n"
    end, output = client.shell('ls /proc/self/fd; ps -o sid= -p $$; echo " $$"; (: </dev/tty) 2>&1')
    assert output.split()[:4] == ["0", "1", "2", "3"]  # the last is that of ls itself
    words = output.split()
    assert words[4] == words[5]
    assert "No such device" in output


@pytest.mark.parametrize(
    ("script", "code"), [("exit 7", 7), ("kill -TERM $$", -15), ("kill -KILL $$", -9), ("trap '' PIPE; exit 255", 255)]
)
def test_how_it_ended(client: Client, script: str, code: int) -> None:
    assert client.shell(script)[0] == ("exited", code, "")


def test_no_signal_is_ignored_or_blocked(client: Client) -> None:
    assert client.shell("grep -E '^Sig(Blk|Ign)' /proc/self/status")[1].split()[1::2] == ["0" * 16, "0" * 16]


def test_what_cannot_be_started(client: Client) -> None:
    (client.workspace / "plain").write_text("echo never")
    for argv, cwd, expected in [
        (["no such program"], client.workspace, (errno.ENOENT, "execve no such program")),
        (["./plain"], client.workspace, (errno.EACCES, "execve ./plain")),
        (["sh"], client.workspace / "nowhere", (errno.ENOENT, f"chdir {client.workspace}/nowhere")),
    ]:
        assert client.run(*argv, cwd=os.fsencode(cwd)) == (("failed", *expected), "")
    end, _ = client.run("x" * 200_000)
    assert end[:2] == ("failed", errno.ENAMETOOLONG)
    assert end[2].startswith("execve xxx")
    assert client.run("sh", "-c", "x" * 200_000)[0] == ("failed", errno.E2BIG, "execve sh")
    id, reading = client.start(["sh"], unknown=1)
    assert client.end_of(id)[:2] == ("failed", errno.EINVAL)
    os.close(reading)
    _, first = client.another()
    send(first, {"argv": ["sh"], "cwd": "/", "env": {}})  # and no descriptor
    assert marshal.loads(first.recv(4096)) == ("failed", errno.EBADF, "no descriptor came with it")
    first.close()
    client.signal(12_345, 15)
    assert client.shell("echo still here") == (("exited", 0, ""), "still here\n")


def test_long_arguments_and_many_variables(client: Client) -> None:
    word = "w" * 120_000
    env = {**PATH, **{f"V{n}": "v" * 1000 for n in range(400)}}
    end, output = client.run("/bin/sh", "-c", 'printf %s "$1$V399"', "sh", word, env=env)
    assert end == ("exited", 0, "")
    assert output == word + "v" * 1000


def test_names_that_are_not_text(client: Client) -> None:
    folder = os.fsencode(client.workspace) + b"/\xff\n "
    end, output = client.run(b"mkdir", folder)
    assert (end, output) == (("exited", 0, ""), "")
    assert client.shell("pwd | od -c | tail -2 | head -1", cwd=folder)[1]
    assert client.shell("touch here", cwd=folder)[0] == ("exited", 0, "")
    assert os.path.exists(folder + b"/here")


def test_many_at_once(client: Client) -> None:
    started = [client.start(["/bin/sh", "-c", f"sleep 0.0{n % 7}; echo {n}; exit {n}"]) for n in range(60)]
    for n, (id, reading) in enumerate(started):
        assert read_all(reading) == f"{n}\n"
        assert client.end_of(id) == ("exited", n, "")


def test_a_daemon_does_not_outlive_its_command(client: Client) -> None:
    mark = uuid.uuid4().hex
    daemon = f"(setsid bash -c '(setsid bash -c \"exec -a {mark} sleep 60\" &)' &) >/dev/null 2>&1; "
    end, _ = client.shell(daemon + f"until grep -aqs {mark} /proc/*/cmdline; do :; done; exit 3")
    assert end == ("exited", 3, "")
    assert running_with(mark) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_everything(client: Client, number: signal.Signals) -> None:
    mark = uuid.uuid4().hex
    script = f"setsid bash -c 'exec -a {mark} sleep 60' & bash -c 'exec -a {mark} sleep 60' & echo; wait; wait"
    id, reading = client.start(["/bin/bash", "-c", script])
    assert eventually(lambda: len(running_with(mark)) >= 2)
    client.signal(id, number)
    assert client.end_of(id) == ("exited", -number, "")
    assert read_all(reading) == "\n"
    assert eventually(lambda: running_with(mark) == [])


def test_sigterm_can_be_caught(client: Client) -> None:
    id, reading = client.start(["/bin/bash", "-c", "trap 'echo bye; exit 4' TERM; echo; while :; do sleep 0.01; done"])
    os.read(reading, 1)
    client.signal(id, signal.SIGTERM)
    assert client.end_of(id) == ("exited", 4, "")
    assert "bye" in read_all(reading)


def test_the_output_ends_with_the_program_although_the_first_process_lives_on(client: Client) -> None:
    """Its descriptors are not held by whoever watches: the end of the output is not delayed."""
    id, reading = client.start(["/bin/bash", "-c", "exec >/dev/null 2>&1; sleep 0.5"])
    started = time.monotonic()
    assert read_all(reading) == ""
    assert time.monotonic() - started < 0.4
    assert client.end_of(id) == ("exited", 0, "")


def test_everything_ends_with_the_client(client: Client) -> None:
    mark = uuid.uuid4().hex
    client.start(
        ["/bin/bash", "-c", f"setsid bash -c 'exec -a {mark} sleep 60' & trap '' TERM HUP; sleep 60; echo {mark}"]
    )
    assert eventually(lambda: len(running_with(mark)) >= 2)
    client.disconnect()
    client.process.wait(10)
    assert eventually(lambda: running_with(mark) == [])


def test_everything_ends_with_the_spawner(client: Client) -> None:
    mark = uuid.uuid4().hex
    client.start(
        ["/bin/bash", "-c", f"setsid bash -c 'exec -a {mark} sleep 60' & trap '' TERM HUP; sleep 60; echo {mark}"]
    )
    assert eventually(lambda: len(running_with(mark)) >= 2)
    client.process.kill()
    client.process.wait()
    assert eventually(lambda: running_with(mark) == [])
    with pytest.raises((EOFError, ConnectionError)):
        client.receive()


def test_a_policy_that_makes_no_sense(kind: str, place: Place) -> None:
    prefix = place.bubblewrap(next(bubblewraps())) if kind == "bubblewrap" else []
    client = Client(prefix, place, place.policy(kind, colour="red"))
    assert client.ready[:2] == ("unready", errno.EINVAL)
    assert "colour" in client.ready[2]
    client.close()


@pytest.mark.skipif(why_not("bubblewrap") != "", reason="there is no bubblewrap")
@pytest.mark.parametrize("program", [pytest.param(path, id=path) for path in bubblewraps()])
def test_every_bubblewrap(program: str, place: Place) -> None:
    if place.user is not None and not os.path.realpath(program).startswith("/usr/"):
        pytest.skip("that user cannot reach it")
    client = Client(place.bubblewrap(program), place, place.policy("bubblewrap"))
    assert set(client.report["checks"].values()) == {""}
    assert client.shell("echo $PPID") == (("exited", 0, ""), "1\n")
    client.close()


def test_what_is_left_when_the_first_process_is_killed(client: Client, kind: str) -> None:
    mark = uuid.uuid4().hex
    script = f"setsid bash -c 'exec -a {mark} sleep 60' & setsid bash -c 'exec -a {mark} sleep 60' & wait"
    id, reading = client.start(["/bin/bash", "-c", script])
    assert eventually(lambda: len(running_with(mark)) >= 2)
    program = next(pid for pid in running_with(mark) if b"setsid" in Path(f"/proc/{pid}/cmdline").read_bytes())
    first = int(Path(f"/proc/{program}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(first, signal.SIGKILL)
    assert client.end_of(id) == ("exited", -signal.SIGKILL, "killed")
    assert running_with(mark) == []
    os.close(reading)
    assert client.shell("echo on") == (("exited", 0, ""), "on\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works on the folders of others")
def test_root_in_the_folder_of_another_user() -> None:
    if reason := why_not("landlock"):
        pytest.skip(reason)
    place = Place(None)
    os.chown(place.workspace, NOBODY, NOBODY)
    place.workspace.chmod(0o700)
    canary = place.outside / "canary"
    os.chown(canary, NOBODY, NOBODY)
    client = Client([], place, place.policy("landlock"))
    assert set(client.report["checks"].values()) == {"", "[Errno 13] Permission denied"}
    assert client.shell("echo > new")[0] == ("exited", 0, "")
    assert client.shell(f"chmod 777 '{canary}' || touch -d 2001-01-01 '{canary}' || echo >> '{canary}'")[0][1] != 0
    assert client.shell("grep CapEff /proc/self/status")[1].split() == ["CapEff:", "0000000000000002"]
    client.close()
    place.remove()
