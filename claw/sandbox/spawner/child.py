"""The processes of one command: a first one that stays, unseen and out of reach, and the program itself.

The first is process 1 of the command's pid namespace, or under Landlock a subreaper: whatever the program
starts is its descendant for ever. It is a copy of the spawner, confined by nothing, and never executes
anything. When the program ends, it ends all that is left, and then itself.

A first process serves one command after another, each when nothing is left of the one before. The process for
the next program is made in advance, and waits for its order: making it takes more time than all the rest.
"""

from __future__ import annotations

import _socket
import marshal
import os
import sys
import time
from _collections_abc import Callable

from claw.sandbox.spawner import kernel, processes, signals
from claw.sandbox.spawner.walls import Order, Walls

END = 40  # to the first process: end everything. A real-time signal, so nobody sends it by chance
PASSED_ON = frozenset({
    signals.SIGHUP, signals.SIGINT, signals.SIGQUIT, signals.SIGUSR1, signals.SIGUSR2, signals.SIGTERM,
    signals.SIGCONT, signals.SIGTSTP, signals.SIGWINCH,
})  # fmt: skip
BEGIN = 41  # to the first process, from the program: there is an order, look after it
WAITED_FOR = PASSED_ON | {signals.SIGCHLD, END, BEGIN}  # blocked from the spawner on, so that none is lost

_UNTIL_IT_BEGINS_S = 1e8
_FIRST_LOOK_S = 0.05
_LOOK_S = 0.1
_LATER_S = 0.5
_LONG_S = 30.0
_ORDER_BYTES = 16384
# Woken by the answer, the client is often on this processor, and would wait for the copying of this process.
_LET_READ_S = 0.0005
_LONGEST_WHERE = 800  # so that a pipe takes a record as a whole

Task = Callable[[], dict[str, str]]


def first_process(walls: Walls, client: int, spawner: int, task: Task | None) -> None:
    """Does not return. `client` is a socket on which orders come, and which takes a record for each:
    ("failed", errno, where), ("exited", code, reason), or ("tested", what `task` said, which then ran in place
    of a program, and without an order). It leaves with 0 if everything has been told.
    """
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signals.SIGKILL if walls.namespaces else END, 0, 0, 0)
        if walls.namespaces:
            walls.enter()
        else:
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            if os.getppid() != spawner:  # it died before that
                os._exit(1)
        first = os.getpid()
        # The spawner holds the sockets of other commands.
        kernel.close_all_but((0, 1, 2, client, *walls.descriptors))
        while True:
            walls.refresh()
            program, pidfd = kernel.clone(kernel.CLONE_NEWNS if walls.namespaces else 0)
            if not program:
                _program(walls, client, first, task)
            os.close(pidfd)
            _stay(walls, program, client)
            time.sleep(_LET_READ_S)
    except BaseException as error:
        _tell_failure(client, error)
    finally:
        os._exit(1)


def _stay(walls: Walls, program: int, client: int) -> None:
    """Until nothing is left of the command; leaves if it had to be ended."""
    started = 0.0
    look_s = _UNTIL_IT_BEGINS_S
    reason = ""
    while True:
        happened = signals.sigtimedwait(WAITED_FOR, look_s)
        if happened is None:
            reason = _exceeded(walls)
            look_s = _LOOK_S if time.monotonic() - started < _LONG_S else _LATER_S
        elif happened.si_signo == signals.SIGCHLD:
            if not walls.namespaces and os.waitid(os.P_PID, program, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                _end_group(program)
            code = _reap(program)
            if code is not None:
                if not started and not signals.sigtimedwait((BEGIN,), 0):
                    os._exit(1 if code else 0)  # with 0, since no order comes any more
                break
        elif happened.si_signo == BEGIN:
            if not walls.namespaces:
                _come_first(True)
            started = time.monotonic()
            look_s = _FIRST_LOOK_S
        elif happened.si_signo == END:
            reason = "end"
        else:
            _pass_on(walls, happened.si_signo)
        if reason:
            code = -signals.SIGKILL
            break
    if walls.namespaces:
        _end_namespace()
    else:
        if reason:
            _end_group(program)
        end_everything()
    os.write(client, marshal.dumps(("exited", code, "" if reason == "end" else reason), 4))
    if reason:
        os._exit(0)
    if not walls.namespaces:
        _come_first(False)


def _come_first(first: bool) -> None:
    """Nothing but this process holds the processes of root down: it must get its turn among a thousand of them.
    When there are none it must not, or what it prepares would hold up the agent.
    """
    policy, priority = (os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 1) if first else (os.SCHED_OTHER, 0)
    try:
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError:
        return  # not root, or not allowed to it: then the kernel's own limit holds, or the machine is slow for a while


def end_everything(spare: frozenset[int] = frozenset()) -> None:
    """Kill and reap all descendants of this process, but the children in `spare` and what is below them."""
    mine = os.getpid()
    while True:
        processes.end_all(mine, spare)
        left = processes.children(mine) - spare
        for pid in left:
            _wait_for(pid, 0)
        # The kernel's list can miss one while others end. Whether there is a child at all it never mistakes.
        if not left and (spare or not _wait_for(-1, os.WNOHANG)):
            return


def _end_group(program: int) -> None:
    """At one stroke, so that none of it is left to fork: a bomb is usually one group. *Order*: before the
    program is reaped, since its number may be another's from then on.
    """
    processes.send(-program, signals.SIGKILL)


def _end_namespace() -> None:
    """As the kernel would when this process ends, but before it takes the namespaces down, which takes long."""
    processes.send(-1, signals.SIGKILL)
    while _wait_for(-1, 0):
        pass


def _wait_for(pid: int, options: int) -> bool:
    """Whether there is such a child."""
    try:
        os.waitpid(pid, options)
    except ChildProcessError:
        return False
    return True


def _reap(program: int) -> int | None:
    """All the dead; the exit code of the program if it is among them."""
    code = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == program:
                code = os.waitstatus_to_exitcode(status)
    except ChildProcessError:
        pass
    return code


def _pass_on(walls: Walls, number: int) -> None:
    if walls.namespaces:
        processes.send(-1, number)
    else:
        for pid in processes.descendants(os.getpid()):
            processes.send(pid, number)


def _exceeded(walls: Walls) -> str:
    limits = walls.limits
    mine = os.getpid()
    pids = processes.running_pids() if walls.namespaces else processes.descendants(mine)
    if mine in pids:
        pids.remove(mine)
    if len(pids) > limits["processes"]:
        return "processes"
    return "memory" if processes.memory_bytes(pids, limits["memory_bytes"]) > limits["memory_bytes"] else ""


def _taken(client: int) -> tuple[Order, int]:
    """The order, and the descriptor that its output goes to. Waits for it; leaves if none will come."""
    output = -1
    inbox = bytearray()
    socket = _socket.socket(fileno=client)
    while len(inbox) < 4 or len(inbox) < 4 + int.from_bytes(inbox[:4], "little"):
        data, ancillary, _, _ = socket.recvmsg(_ORDER_BYTES, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
        if not data:
            os._exit(0)
        for _, _, content in ancillary:
            output = int.from_bytes(content, sys.byteorder)
        inbox += data
    socket.detach()
    if output < 0:
        raise OSError(9, "", "no descriptor came with it")
    try:
        return Order(**marshal.loads(memoryview(inbox)[4:])), output
    except (TypeError, ValueError, AttributeError, KeyError, EOFError) as error:
        raise OSError(22, "", f"start: {error}") from None


def _rehearse(walls: Walls) -> None:
    """Take an order that does nothing. This process is a copy: every page that it will touch is made its own
    now, which takes longer than what is then done with it.
    """
    near, far = _socket.socketpair()
    order = marshal.dumps({"argv": ["-"], "cwd": "/", "env": dict.fromkeys(map(str, range(30)), "-")}, 4)
    near.sendmsg(
        [len(order).to_bytes(4, "little") + order],
        [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, near.fileno().to_bytes(4, sys.byteorder))],
    )
    taken, output = _taken(far.detach())
    for descriptor in (near.detach(), output):
        os.close(descriptor)
    walls.refresh()
    walls.cover(taken)
    _in(taken.cwd)
    try:
        _execute([b"/proc/-"], taken.env)
    except OSError:
        return  # there is no such program


def _program(walls: Walls, client: int, first: int, task: Task | None) -> None:
    """Does not return: executes the program, or does the task as confined as a program would be."""
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signals.SIGKILL, 0, 0, 0)
        if os.getppid() != first:
            os._exit(1)
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), 0)
        signals.signal(signals.SIGPIPE, signals.SIG_DFL)
        signals.signal(signals.SIGXFSZ, signals.SIG_DFL)
        walls.prepare_program()
        if task:
            signals.pthread_sigmask(signals.SIG_SETMASK, ())
            walls.confine()
            os.write(client, marshal.dumps(("tested", task()), 4))
            os._exit(0)
        _rehearse(walls)
        order, output = _taken(client)
        os.kill(first, BEGIN)
        walls.refresh()
        os.dup2(output, 1)
        os.dup2(output, 2)
        kernel.close_on_exec_from(3)
        signals.pthread_sigmask(signals.SIG_SETMASK, ())
        walls.cover(order)
        _in(order.cwd)
        walls.confine()
        _execute(order.argv, order.env)
    except BaseException as error:
        _tell_failure(client, error)
    finally:
        os._exit(127)


def _in(folder: bytes) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"chdir {os.fsdecode(folder)}") from None


def _execute(argv: list[bytes], env: dict[bytes, bytes]) -> None:
    name = argv[0]
    places = [b""] if b"/" in name else env.get(b"PATH", b"/usr/bin:/bin").split(b":")
    seen: OSError | None = None
    for place in places:
        try:
            os.execve(os.path.join(place, name), argv, env)
        except OSError as error:
            # As a shell does: what is found but may not be executed is told rather than what is not found.
            if seen is None or error.errno not in (2, 20):
                seen = error
    raise OSError(seen.errno if seen else 2, "", f"execve {os.fsdecode(name)}")


def _tell_failure(client: int, error: BaseException) -> None:
    if isinstance(error, OSError):
        number, where = error.errno or 5, os.fsdecode(error.filename or "")
    else:
        number, where = 22, f"{type(error).__name__}: {error}"
    os.write(client, marshal.dumps(("failed", number, where[:_LONGEST_WHERE]), 4))
