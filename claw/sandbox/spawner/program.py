"""The spawner's loop. The protocol is told in the package's docstring."""

from __future__ import annotations

import _socket
import gc
import marshal
import os
import select
import sys
import time
from _collections_abc import Iterable, Mapping

from claw.sandbox.spawner import child, kernel, processes, relay, signals
from claw.sandbox.spawner.selftest import SelfTest
from claw.sandbox.spawner.walls import Path, Walls, as_bytes

CONTROL = 3
_READ_BYTES = 262144
_SELF_TEST_S = 5.0
_LEAVE_S = 3.0
# Cannot be set, are the threads' own, or are ignored by Python and given back by the child.
_NOT_OURS = {signals.SIGKILL, signals.SIGSTOP, 32, 33, signals.SIGPIPE, signals.SIGXFSZ}
_OOM_SCORE = b"500"  # if memory runs out it is a command that goes, not the agent


class _First:
    """A first process."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.number: int | None = None
        self.ended_by_us = False


class Spawner:
    def __init__(self, control: _socket.socket, walls: Walls) -> None:
        self._control = control
        self._walls = walls
        self._pid = os.getpid()
        self._by_pidfd: dict[int, _First] = {}
        self._by_number: dict[object, _First] = {}
        self._last_number = 0
        self._inbox = bytearray()
        self._poll = select.epoll()

    # Start

    def self_test(self, test: SelfTest) -> dict[str, str]:
        first, client = self._made(test.checks)
        content = client.recv(65536) if select.select([client], [], [], _SELF_TEST_S)[0] else b""
        client.close()
        self._end(first)
        os.waitpid(first.pid, 0)
        os.close(first.pidfd)
        record: tuple = marshal.loads(content) if content else ("failed", 62, "no answer")  # type: ignore[type-arg]
        if record[0] == "tested":
            return record[1]  # type: ignore[no-any-return]
        raise OSError(record[1] if record[0] == "failed" else 62, "", f"self-test: {record[-1]}")

    def _made(self, task: child.Task | None = None) -> tuple[_First, _socket.socket]:
        """A first process, and the client's end of its socket."""
        client, its_end = _socket.socketpair()
        try:
            pid, pidfd = kernel.clone(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS if self._walls.namespaces else 0)
            if not pid:
                child.first_process(self._walls, its_end.fileno(), self._pid, task)
        except OSError:
            client.close()
            raise
        finally:
            its_end.close()
        return _First(pid, pidfd), client

    def make(self) -> None:
        try:
            first, client = self._made()
        except OSError as error:
            self.send(("failed", error.errno or 5, os.fsdecode(error.filename or "")))
            return
        self._last_number += 1
        first.number = self._last_number
        self._by_number[first.number] = self._by_pidfd[first.pidfd] = first
        self._poll.register(first.pidfd, select.EPOLLIN)
        self.send(("first", first.number), client.fileno())
        client.close()

    # Loop

    def run(self) -> None:
        """Until the client is gone."""
        self._poll.register(CONTROL, select.EPOLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == CONTROL:
                    if not self._read():
                        return
                elif descriptor in self._by_pidfd:
                    self._reap(self._by_pidfd[descriptor])

    def _read(self) -> bool:
        try:
            data = self._control.recv(_READ_BYTES)
        except ConnectionError:
            return False
        self._inbox += data
        while (message := taken_from(self._inbox)) is not None:
            self._obey(*message)
        return bool(data)

    def _obey(self, what: str, number: object = None, content: object = None) -> None:
        if what == "make":
            self.make()
        elif what == "signal" and (first := self._by_number.get(number)):
            self._signal(first, content)

    def _signal(self, first: _First, number: object) -> None:
        if number == signals.SIGKILL:
            self._end(first)
        elif number in child.PASSED_ON:
            processes.send(first.pid, int(number))  # type: ignore[call-overload]

    def _end(self, first: _First) -> None:
        """With a pid namespace the kernel ends the rest; else the first process must."""
        first.ended_by_us = True
        processes.send(first.pid, signals.SIGKILL if self._walls.namespaces else child.END)

    def _reap(self, first: _First) -> None:
        """If it could not report the end of its command, that is done here."""
        self._poll.unregister(first.pidfd)
        os.close(first.pidfd)
        del self._by_pidfd[first.pidfd], self._by_number[first.number]
        try:
            has_told = os.waitpid(first.pid, 0)[1] == 0
        except ChildProcessError:
            has_told = False  # `end_everything` came first
        if not has_told:
            if not self._walls.namespaces:  # what it left is ours now
                child.end_everything(frozenset(other.pid for other in self._by_pidfd.values()))
            self.send(("exited", first.number, -signals.SIGKILL, "" if first.ended_by_us else "killed"))

    def send(self, message: tuple[object, ...], descriptor: int | None = None) -> None:
        data = framed(message)
        rights = [] if descriptor is None else [descriptor.to_bytes(4, sys.byteorder)]
        try:
            sent = self._control.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, right) for right in rights])
            self._control.sendall(memoryview(data)[sent:])
        except ConnectionError:
            return  # the next read tells the same

    def end_all(self) -> None:
        for first in self._by_pidfd.values():
            self._end(first)
        until = time.monotonic() + _LEAVE_S
        for first in self._by_pidfd.values():
            left_s = until - time.monotonic()
            if left_s <= 0 or not select.select([first.pidfd], [], [], left_s)[0]:
                break
        if not self._walls.namespaces:
            child.end_everything()


def framed(message: object) -> bytes:
    content = marshal.dumps(message, 4)  # type: ignore[arg-type]
    return len(content).to_bytes(4, "little") + content


def taken_from(inbox: bytearray):  # type: ignore[no-untyped-def]
    """The first message, which is taken out; None if it is not complete."""
    if len(inbox) < 4:
        return None
    end = 4 + int.from_bytes(inbox[:4], "little")
    if len(inbox) < end:
        return None
    message = marshal.loads(bytes(inbox[4:end]))
    del inbox[:end]
    return message


def set_up(
    control: _socket.socket,
    *,
    kind: str,
    writable: Iterable[Path],
    tmp: Path,
    cache: Path,
    hidden: Iterable[Path] = (),
    network: str = "off",
    proxy_socket: Path | None = None,
    unix_sockets: bool = False,
    limits: Mapping[str, int],
    self_test: Mapping[str, object] | None = None,
) -> Spawner:
    """Everything that a policy needs, and the answer to it."""
    port = None
    if kind == "bubblewrap" and network == "hosts" and proxy_socket:
        port = relay.start(as_bytes(proxy_socket), CONTROL)
    walls = Walls(kind, writable, tmp, cache, hidden, network, unix_sockets, limits)
    walls.prepare()
    spawner = Spawner(control, walls)
    checks = spawner.self_test(SelfTest(walls, unix_sockets, **(self_test or {})))  # type: ignore[arg-type]
    report = {"kind": kind, "landlock_abi": walls.abi, "process_limit": walls.process_limit, "proxy_port": port,
              "checks": checks}  # fmt: skip
    spawner.send(("ready", report))
    spawner.make()
    return spawner


def main() -> None:
    gc.disable()  # there are no circles, and a child would copy every page that it touches
    signals.signal(signals.SIGINT, signals.SIG_DFL)
    signals.pthread_sigmask(signals.SIG_SETMASK, child.WAITED_FOR)
    _inherited_defaults()
    control = _socket.socket(fileno=CONTROL)
    os.set_inheritable(CONTROL, False)
    try:
        _first_of_the_killed()
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0, 0, 0, 0)
        policy = _first_message(control)
        if policy is None:
            return
        try:
            spawner = set_up(control, **policy)
        except OSError as error:
            control.sendall(framed(("unready", error.errno or 5, os.fsdecode(error.filename or ""))))
            return
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            control.sendall(framed(("unready", 22, f"policy: {error}")))
            return
        spawner.run()
        spawner.end_all()
    except ConnectionError:
        return


def _first_message(control: _socket.socket):  # type: ignore[no-untyped-def]
    inbox = bytearray()
    while (message := taken_from(inbox)) is None:
        # Not a byte more: what follows may carry a descriptor.
        wanted = 4 - len(inbox) if len(inbox) < 4 else 4 + int.from_bytes(inbox[:4], "little") - len(inbox)
        data = control.recv(wanted)
        if not data:
            return None
        inbox += data
    return message


def _inherited_defaults() -> None:
    """A program starts with no signal ignored, whatever the agent was started with."""
    for number in range(1, 65):
        if number not in _NOT_OURS:
            signals.signal(number, signals.SIG_DFL)


def _first_of_the_killed() -> None:
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, _OOM_SCORE)
        os.close(descriptor)
    except OSError:
        return  # it is set higher already, or /proc is read-only
