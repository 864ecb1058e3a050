"""The processes of one command: a first one that stays, unseen and out of reach, and the program itself.

The first is process 1 of the command's pid namespace, or under Landlock a subreaper: whatever the program
starts is its descendant for ever. It is a copy of the spawner, confined by nothing, and never executes
anything. When the program ends, it ends all that is left, and then itself.
"""

from __future__ import annotations

import marshal
import os
import time
from _collections_abc import Callable, Mapping

from claw.sandbox.spawner import kernel, processes, signals
from claw.sandbox.spawner.walls import Order, Walls

END = 40  # to the first process: end everything. A real-time signal, so nobody sends it by chance
PASSED_ON = frozenset({
    signals.SIGHUP, signals.SIGINT, signals.SIGQUIT, signals.SIGUSR1, signals.SIGUSR2, signals.SIGTERM,
    signals.SIGCONT, signals.SIGTSTP, signals.SIGWINCH,
})  # fmt: skip
WAITED_FOR = PASSED_ON | {signals.SIGCHLD, END}  # blocked from the spawner on, so that none is lost

_FIRST_LOOK_S = 0.05
_LOOK_S = 0.1
_LATER_S = 0.5
_LONG_S = 30.0
_LONGEST_WHERE = 800  # so that a pipe takes a record as a whole

Task = Callable[[], dict[str, str]]


def first_process(walls: Walls, order: Order, output: int, report: int, spawner: int, task: Task | None) -> None:
    """Does not return. `report` takes one record: ("failed", errno, where), ("exited", code, reason), or
    ("tested", what `task` said, which then ran in place of a program).
    """
    limits = {**walls.limits, **order.limits}
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signals.SIGKILL if walls.namespaces else END, 0, 0, 0)
        if walls.namespaces:
            walls.enter(order, limits)
        else:
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            _come_first()
            if os.getppid() != spawner:  # it died before that
                os._exit(1)
        first = os.getpid()
        program, pidfd = kernel.clone(0)
        if not program:
            _program(walls, order, limits, output, report, first, task)
        os.close(pidfd)
        kernel.close_between(0, report - 1)
        kernel.close_between(report + 1, 0xFFFFFFFF)
        _stay(walls, limits, program, report)
    except BaseException as error:
        _tell_failure(report, error)
    finally:
        os._exit(1)


def _stay(walls: Walls, limits: Mapping[str, int], program: int, report: int) -> None:
    started = time.monotonic()
    look_s = _FIRST_LOOK_S
    reason = ""
    while True:
        happened = signals.sigtimedwait(WAITED_FOR, look_s)
        if happened is None:
            reason = _exceeded(walls, limits)
            look_s = _LOOK_S if time.monotonic() - started < _LONG_S else _LATER_S
        elif happened.si_signo == signals.SIGCHLD:
            if not walls.namespaces and os.waitid(os.P_PID, program, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                _end_group(program)
            code = _reap(program)
            if code is not None:
                break
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
    os.write(report, marshal.dumps(("exited", code, "" if reason == "end" else reason), 4))
    os._exit(0)


def _come_first() -> None:
    """Nothing but this process holds the processes of root down: it must get its turn among a thousand of them."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
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


def _exceeded(walls: Walls, limits: Mapping[str, int]) -> str:
    mine = os.getpid()
    pids = processes.running_pids() if walls.namespaces else processes.descendants(mine)
    if mine in pids:
        pids.remove(mine)
    if len(pids) > limits["processes"]:
        return "processes"
    return "memory" if processes.memory_bytes(pids, limits["memory_bytes"]) > limits["memory_bytes"] else ""


def _program(
    walls: Walls, order: Order, limits: Mapping[str, int], output: int, report: int, first: int, task: Task | None
) -> None:
    """Does not return: executes the program, or does the task as confined as a program would be."""
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signals.SIGKILL, 0, 0, 0)
        if os.getppid() != first:
            os._exit(1)
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        kernel.close_on_exec_from(3)
        signals.signal(signals.SIGPIPE, signals.SIG_DFL)
        signals.signal(signals.SIGXFSZ, signals.SIG_DFL)
        signals.pthread_sigmask(signals.SIG_SETMASK, ())
        _in(order.cwd)
        walls.confine(limits)
        if task:
            os.write(report, marshal.dumps(("tested", task()), 4))
            os._exit(0)
        _execute(order.argv, order.env)
    except BaseException as error:
        _tell_failure(report, error)
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


def _tell_failure(report: int, error: BaseException) -> None:
    if isinstance(error, OSError):
        number, where = error.errno or 5, os.fsdecode(error.filename or "")
    else:
        number, where = 22, f"{type(error).__name__}: {error}"
    os.write(report, marshal.dumps(("failed", number, where[:_LONGEST_WHERE]), 4))
