"""What a command cannot do, tried by the command itself."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.spawner_client import Client, Place, bubblewraps, users, why_not


@pytest.fixture(params=users(), ids=lambda user: "self" if user is None else f"user {user}")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(request.param)
    yield made
    made.remove()


class Starter:
    """Starts a spawner of one kind for a policy, and closes it in the end."""

    def __init__(self, kind: str, place: Place) -> None:
        self.kind = kind
        self.place = place
        self.clients: list[Client] = []

    def __call__(self, **changes: Any) -> Client:
        network = changes.get("network") == "on"
        prefix = self.place.bubblewrap(next(bubblewraps()), network) if self.kind == "bubblewrap" else []
        self.clients.append(Client(prefix, self.place, self.place.policy(self.kind, **changes)))
        return self.clients[-1]


@pytest.fixture(params=["landlock", "bubblewrap"])
def start(request: pytest.FixtureRequest, place: Place) -> Iterator[Starter]:
    if reason := why_not(request.param):
        pytest.skip(reason)
    starter = Starter(request.param, place)
    yield starter
    for client in starter.clients:
        client.close()


def test_nothing_outside_changes(start: Starter, place: Place) -> None:
    client = start()
    outside = place.outside
    for attempt in [
        f"echo >> '{outside}/canary'", f"echo > '{outside}/new'", f"truncate -s 0 '{outside}/canary'",
        f"ln -s '{outside}/canary' link; echo >> link", f"ln '{outside}/canary' hard && echo >> hard",
        f"echo > mine; mv mine '{outside}/'", f"mv '{outside}/canary' .", f"rm '{outside}/canary'",
        f"mkdir '{outside}/folder'", f"mkfifo '{outside}/pipe'", "echo > /proc/sys/kernel/core_pattern",
        "echo > /proc/sysrq-trigger", "echo > /dev/new", "echo 0 > /sys/kernel/mm/ksm/run",
    ]:  # fmt: skip
        end, _ = client.shell(attempt)
        assert end[1] != 0, attempt
    assert sorted(path.name for path in outside.iterdir()) == ["canary"]
    assert (outside / "canary").read_text() == "canary"


def test_metadata_outside(start: Starter, place: Place) -> None:
    if start.kind == "landlock":
        pytest.skip("Landlock does not know metadata: what guards the places of the user restores it")
    before = (place.outside / "canary").stat()
    end, _ = start().shell(f"chmod 777 '{place.outside}/canary'; touch -d 2001-01-01 '{place.outside}/canary'")
    assert end[1] != 0
    assert (place.outside / "canary").stat() == before


def test_what_may_be_written(start: Starter, place: Place) -> None:
    client = start()
    script = f"""
        mkdir -p a/b && echo x > a/b/c && mv a/b/c a/d && ln a/d a/e && ln -s d a/f && truncate -s 9 a/d && rm -r a/b &&
        echo > '{place.tmp}/t' && echo > '{place.cache}/c' && mkfifo p && chmod 700 a &&
        echo > /dev/null && echo x; echo y >/dev/full; mktemp -p /dev/shm
    """
    end, output = client.shell(script)
    assert end == ("exited", 0, ""), output
    assert output.split()[0] == "x"
    if place.user is None:  # else the pipe is another user's
        assert client.shell("echo x > /dev/stdout; echo y | tee /dev/stderr >/dev/null")[1] == "x\ny\n"
    if start.kind == "bubblewrap":
        assert client.shell(f"cat /tmp/t && test '{place.tmp}' -ef /tmp")[0] == ("exited", 0, "")
        assert client.shell("ls /dev/shm | wc -l") == (("exited", 0, ""), "0\n")  # of each command's own


def test_what_python_needs_for_processes_of_its_own(start: Starter) -> None:
    script = "import multiprocessing as m\nlock = m.Lock()\nwith m.Pool(2) as pool: print(pool.map(abs, [-1, -2]))"
    end, output = start().run("/usr/bin/python3", "-c", script)
    assert (end, output) == (("exited", 0, ""), "[1, 2]\n")


def test_commands_do_not_reach_each_other_or_the_agent(start: Starter, place: Place) -> None:
    client = start()
    first, reading = client.start(["sleep", "60"])
    other = subprocess.Popen(["sleep", "60"], user=place.user)  # stands for all that the user runs
    # Without the wall the first would end the test as well, so it is tried only where there is another.
    everything = "kill -9 -1; kill -9 1;" if start.kind == "bubblewrap" else ""
    client.shell(f"{everything} kill -9 {other.pid}; kill -9 {client.process.pid}; kill -9 $PPID")
    assert other.poll() is None
    other.kill()
    other.wait()
    assert client.shell("echo alive") == (("exited", 0, ""), "alive\n")
    client.signal(first, 9)
    assert client.end_of(first) == ("exited", -9, "")
    os.close(reading)


def test_the_first_process_and_the_spawner_cannot_be_looked_into(start: Starter) -> None:
    client = start()
    for name in ("environ", "mem", "maps"):
        end, output = client.shell(f"cat /proc/$PPID/{name}")
        assert end[1] != 0, output
    if start.kind == "landlock":
        assert client.shell(f"cat /proc/{client.process.pid}/environ")[0][1] != 0


def test_the_network_is_off(start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = start(self_test={"outside": [], "tcp_port": port})
        assert client.report["checks"]["network"] == ""
        for attempt in [
            f"echo > /dev/tcp/127.0.0.1/{port}", "echo > /dev/udp/192.0.2.1/9", "echo > /dev/tcp/::1/9",
        ]:  # fmt: skip
            assert client.shell(attempt)[0][1] != 0
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_network_is_on(start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = start(network="on")
        assert client.report["checks"]["network"] == ""
        assert client.report["checks"]["loopback"] == ""
        assert client.shell(f"echo > /dev/tcp/127.0.0.1/{port}")[0] == ("exited", 0, "")


class Echo:
    """A proxy on a Unix socket that says everything twice."""

    def __init__(self, path: str) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        os.chmod(path, 0o666)
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            with connection:
                with connection.makefile("rb") as everything:
                    data = everything.read()
                if data == b"stop":
                    return
                connection.sendall(2 * data)

    def close(self, path: str) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(path)
            last.sendall(b"stop")
        self._thread.join()
        self._server.close()


def test_only_the_proxy_is_reached(start: Starter, place: Place) -> None:
    path = str(place.outside / "proxy")
    echo = Echo(path)
    try:
        client = start(network="hosts", proxy_socket=path)
        port = client.report["proxy_port"]
        if start.kind == "landlock":
            assert port is None
            assert client.report["checks"]["network"] == ""
            return
        script = f"""
import socket
for n in (0, 1, 3_000_000):
    with socket.create_connection(("127.0.0.1", {port})) as s:
        import threading
        t = threading.Thread(target=lambda: (s.sendall(b"x" * n), s.shutdown(socket.SHUT_WR)))
        t.start()
        got = sum(map(len, iter(lambda: s.recv(65536), b"")))
        t.join()
        print(got)
"""
        assert client.run("/usr/bin/python3", "-c", script) == (("exited", 0, ""), "0\n2\n6000000\n")
        assert client.report["checks"]["network"] == ""
        assert client.shell("echo > /dev/tcp/192.0.2.1/80")[0][1] != 0
    finally:
        echo.close(path)


def test_unix_sockets(start: Starter) -> None:
    script = (
        "import socket\nsocket.socketpair()\ntry:\n    socket.socket(socket.AF_UNIX)\n    print('made')\n"
        "except OSError as error:\n    print(error.errno)"
    )
    assert start().run("/usr/bin/python3", "-c", script)[1] == "13\n"
    assert start(unix_sockets=True).run("/usr/bin/python3", "-c", script)[1] == "made\n"


def test_what_is_hidden(start: Starter, place: Place) -> None:
    keys, note = place.outside / "keys", place.outside / "token"
    keys.mkdir(mode=0o755)
    (keys / "id").write_text("secret")
    note.write_text("secret")
    (place.workspace / "link").symlink_to(keys / "id")
    later = place.outside / "later"
    client = start(hidden=[str(keys), str(note), str(later)])
    assert client.report["checks"]["hidden"] == ""
    attempts = [f"cat '{keys}/id'", f"cat '{note}'", "cat link", f"cat '/proc/self/root{keys}/id'", f"cp -r '{keys}' ."]
    for attempt in attempts:
        assert "secret" not in client.shell(attempt)[1]
        assert "secret" not in client.shell("cat keys/id")[1]
    assert client.shell(f"cat '{place.outside}/canary'") == (("exited", 0, ""), "canary")
    # What comes while the session goes on: a neighbour can be read, what was hidden in advance is hidden.
    later.write_text("secret")
    (place.outside / "neighbour").write_text("public")
    assert "secret" not in client.shell(f"cat '{later}'")[1]
    assert client.shell(f"cat '{place.outside}/neighbour'") == (("exited", 0, ""), "public")
    # And what was replaced.
    keys.rename(place.outside / "old keys")
    keys.mkdir()
    (keys / "id").write_text("secret again")
    assert "secret" not in client.shell(f"cat '{keys}/id'")[1]


def test_a_workspace_that_was_replaced(start: Starter, place: Place) -> None:
    if start.kind == "bubblewrap":
        pytest.skip("a mount goes with the folder: the client starts a new spawner")
    client = start()
    place.workspace.rename(place.top / "old")
    place.workspace.mkdir()
    if place.user is not None:
        os.chown(place.workspace, place.user, place.user)
    assert client.shell("echo > here")[0] == ("exited", 0, "")
    assert client.shell(f"echo > '{place.top}/old/here'")[0][1] != 0


@pytest.fixture
def namespaced(place: Place) -> Iterator[Client]:
    if reason := why_not("bubblewrap"):
        pytest.skip(reason)
    client = Client(place.bubblewrap(next(bubblewraps())), place, place.policy("bubblewrap"))
    yield client
    client.close()


def test_protected_places_for_one_command(namespaced: Client, place: Place) -> None:
    git, hooks, mine, mcp = (place.workspace / name for name in (".git", ".git/hooks", ".claw", ".mcp.json"))
    for folder in (git, hooks, mine):
        folder.mkdir()
        os.chown(folder, *((place.user, place.user) if place.user is not None else (-1, -1)))
    mcp.write_text("{}")
    (hooks / "pre-commit").write_text("old")
    order = {"self_bind": [str(git)], "read_only": [str(hooks), str(mcp), str(mine), str(place.workspace / "nothing")]}
    for attempt in [
        "echo > .git/hooks/post-commit", "echo > .git/hooks/pre-commit", "rm -r .git/hooks", "mv .git/hooks x",
        "mv .git x", "rm .mcp.json", "mv .mcp.json x", "echo > .mcp.json", "ln -sf x .mcp.json", "echo > .claw/config",
        "mv .claw x", "rmdir .claw", "umount .git/hooks", "mount -o remount,rw .git/hooks",
    ]:  # fmt: skip
        assert namespaced.shell(attempt, **order)[0][1] != 0, attempt
    assert namespaced.shell("echo > .git/index && ls -A .claw && cat .mcp.json", **order) == (("exited", 0, ""), "{}")
    assert (hooks / "pre-commit").read_text() == "old"
    assert namespaced.shell("echo > .claw/config")[0] == ("exited", 0, "")  # only where the order said so


def test_a_protected_link_and_a_broken_one(namespaced: Client, place: Place) -> None:
    (place.workspace / "target").write_text("t")
    (place.workspace / ".bashrc").symlink_to("target")
    (place.workspace / ".profile").symlink_to("nowhere")
    order = {"read_only": [str(place.workspace / ".bashrc"), str(place.workspace / ".profile")]}
    for attempt in ["rm .bashrc", "mv .bashrc x", "ln -sf other .bashrc", "rm .profile", "mv .profile x"]:
        assert namespaced.shell(attempt, **order)[0][1] != 0, attempt
    assert namespaced.shell("cat .bashrc", **order) == (("exited", 0, ""), "t")


def test_the_machine_behind_proc(namespaced: Client) -> None:
    assert (
        namespaced.shell("find /proc -maxdepth 4 -path '/proc/[0-9]*' -prune -o -type f -writable -print 2>/dev/null")[
            1
        ]
        == ""
    )
    first, *others = namespaced.shell("cd /proc && echo [0-9]* $$")[1].split()
    assert first == "1"
    assert len(others) == 2
    assert others[0] == others[1]
