"""The spawner's loop. The protocol is told in the package's docstring."""

from __future__ import annotations

import _socket
import gc
import marshal
import os
import select
import time
from _collections_abc import Iterable, Mapping

from claw.sandbox.spawner import child, kernel, processes, relay, signals
from claw.sandbox.spawner.selftest import SelfTest
from claw.sandbox.spawner.walls import Order, Path, Walls, as_bytes, bounded

CONTROL = 3
_READ_BYTES = 262144
_MOST_DESCRIPTORS = 64
_SELF_TEST = 0  # in the place of a command's id, which only the table below knows
_SELF_TEST_S = 5.0
_LEAVE_S = 3.0
# Cannot be set, are the threads' own, or are ignored by Python and given back by the child.
_NOT_OURS = {signals.SIGKILL, signals.SIGSTOP, 32, 33, signals.SIGPIPE, signals.SIGXFSZ}
_OOM_SCORE = b"500"  # if memory runs out it is a command that goes, not the agent


class _Running:
    """A command, by its first process."""

    def __init__(self, id: object, pid: int, pidfd: int, report: int) -> None:
        self.id = id
        self.pid = pid
        self.pidfd = pidfd
        self.report = report
        self.ended_by_us = False


class Spawner:
    def __init__(self, control: _socket.socket, walls: Walls) -> None:
        self._control = control
        self._walls = walls
        self._pid = os.getpid()
        self._running: dict[int, _Running] = {}  # where it reports → command
        self._by_id: dict[object, _Running] = {}
        self._leaving: dict[int, int] = {}  # pidfd → pid of first processes that have reported
        self._outputs: list[int] = []  # descriptors whose message is not complete yet
        self._inbox = bytearray()
        self._poll = select.epoll()

    # Start

    def self_test(self, test: SelfTest) -> dict[str, str]:
        nothing = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        try:
            order = Order([b"-"], b"/", {}, {})
            running = self._begin(_SELF_TEST, order, nothing, test.checks)
        finally:
            os.close(nothing)
        if not select.select([running.report], [], [], _SELF_TEST_S)[0]:
            processes.send(running.pid, signals.SIGKILL)
        record = self._finish(running)
        self._reap_later(running)
        if record[0] == "tested":
            checks: dict[str, str] = record[1]
            return checks
        raise OSError(record[1] if record[0] == "failed" else 62, "", f"self-test: {record[-1]}")

    def _begin(self, id: object, order: Order, output: int, task: child.Task | None = None) -> _Running:
        self._walls.refresh()
        report, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            flags = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS if self._walls.namespaces else 0
            pid, pidfd = kernel.clone(flags)
            if not pid:
                child.first_process(self._walls, order, output, write_end, self._pid, task)
        except OSError:
            os.close(report)
            raise
        finally:
            os.close(write_end)
        running = _Running(id, pid, pidfd, report)
        self._running[report] = running
        self._by_id[id] = running
        return running

    # Loop

    def run(self) -> None:
        """Until the client is gone."""
        self._poll.register(CONTROL, select.EPOLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == CONTROL:
                    if not self._read():
                        return
                elif descriptor in self._leaving:
                    self._reap(descriptor)
                elif running := self._running.get(descriptor):
                    self._tell_end(running)

    def _read(self) -> bool:
        space = _socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
        try:
            data, ancillary, _, _ = self._control.recvmsg(_READ_BYTES, space, _socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return False
        for level, kind, content in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                self._outputs += memoryview(content[: len(content) & ~3]).cast("i")
        self._inbox += data
        while (message := taken_from(self._inbox)) is not None:
            self._obey(message)
        return bool(data)

    def _obey(self, message: tuple[str, object, object]) -> None:
        what, id, content = message
        if what == "start":
            self._start(id, content)
        elif what == "signal" and (running := self._by_id.get(id)):
            self._signal(running, content)

    def _start(self, id: object, content: object) -> None:
        output = self._outputs.pop(0) if self._outputs else -1
        try:
            if output < 0:
                raise OSError(9, "", "no descriptor came with it")
            order = Order(**content)  # type: ignore[arg-type]
            order.limits = bounded({**self._walls.limits, **order.limits})
            running = self._begin(id, order, output)
            self._poll.register(running.report, select.EPOLLIN)
        except OSError as error:
            self.send(("failed", id, error.errno or 5, os.fsdecode(error.filename or "")))
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            self.send(("failed", id, 22, f"start: {error}"))
        finally:
            if output >= 0:
                os.close(output)

    def _signal(self, running: _Running, number: object) -> None:
        if number == signals.SIGKILL:
            self._end(running)
        elif number in child.PASSED_ON:
            processes.send(running.pid, int(number))  # type: ignore[call-overload]

    def _end(self, running: _Running) -> None:
        """With a pid namespace the kernel ends the rest; else the first process must."""
        running.ended_by_us = True
        processes.send(running.pid, signals.SIGKILL if self._walls.namespaces else child.END)

    def _tell_end(self, running: _Running) -> None:
        """All of it is dead when the first process says so; what is left of that itself is reaped later."""
        # Before it is closed: a new first process may hold a copy for a moment, and epoll would go on with that.
        self._poll.unregister(running.report)
        record = self._finish(running)
        if record[0] != "tested":
            self.send((record[0], running.id, *record[1:]))
        self._reap_later(running)

    def _finish(self, running: _Running) -> tuple:  # type: ignore[type-arg]
        """What the first process reported, or what must be said of it if it could not."""
        try:
            content = os.read(running.report, 65536)
        except BlockingIOError:
            content = b""
        os.close(running.report)
        del self._running[running.report], self._by_id[running.id]
        if content:
            record: tuple = marshal.loads(content)  # type: ignore[type-arg] # the first of them
            return record
        os.waitpid(running.pid, 0)
        if not self._walls.namespaces:  # what it left is ours now
            child.end_everything(frozenset(other.pid for other in self._running.values()))
        return ("exited", -signals.SIGKILL, "" if running.ended_by_us else "killed")

    def _reap_later(self, running: _Running) -> None:
        self._leaving[running.pidfd] = running.pid
        self._poll.register(running.pidfd, select.EPOLLIN)

    def _reap(self, pidfd: int) -> None:
        pid = self._leaving.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            return  # it was killed, and reaped at once

    def send(self, message: tuple[object, ...]) -> None:
        try:
            self._control.sendall(framed(message))
        except ConnectionError:
            return  # the next read tells the same

    def end_all(self) -> None:
        for running in self._running.values():
            self._end(running)
        until = time.monotonic() + _LEAVE_S
        for running in self._running.values():
            left_s = until - time.monotonic()
            if left_s <= 0 or not select.select([running.pidfd], [], [], left_s)[0]:
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
