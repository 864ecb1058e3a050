"""Knobs of the kernel, for whoever is root, and claw's own process (S15, S16).

Nothing here does what it could: a file is opened for writing and closed, a signal is one that does nothing.
"""

from __future__ import annotations

import pytest

from tests.security.attack import (
    UNPROTECTED,
    Attack,
    Run,
    assert_harmful,
    assert_held,
    bash,
    python,
    run_protected,
    run_unprotected,
    said,
    touched,
)
from tests.security.users import User
from tests.security.walls import Walls
from tests.security.world import Calls, World


def _opens(pattern: str, mode: str = "O_WRONLY") -> tuple[Calls, ...]:
    return python(
        f"import glob, os\nfor name in glob.glob('{pattern}', recursive=True):\n    try:\n"
        f"        os.close(os.open(name, os.{mode}))\n        print('could', 'open', name)\n        break\n"
        "    except OSError as error: print(error)\nelse: print('none left')"
    )


def _syscall(number: int, *arguments: str) -> tuple[Calls, ...]:
    """One that is numbered alike on every machine; it is told as done unless the kernel forbids it."""
    return python(
        "import ctypes, errno, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"result = libc.syscall({', '.join((str(number), *arguments))})\nerror = ctypes.get_errno()\n"
        "print('kernel', 'obeyed' if result >= 0 else os.strerror(error))"
    )


_CLAW = (  # the processes of claw, as far as they can be seen
    "import ctypes, os, signal\nclaw = []\nfor pid in os.listdir('/proc'):\n    try:\n"
    "        words = open(f'/proc/{pid}/cmdline', 'rb').read().split(b'\\0') if pid.isdigit() else []\n"
    "    except OSError: continue\n"
    "    if b'claw' in words and b'exec' in words: claw.append(int(pid))\n"
    "print('seen', len(claw))\nfor pid in claw:\n    try:\n"
)
_GIVE_UP = "\n    except OSError as error: print(error)"

ATTACKS = [
    # S15
    Attack("S15", "core_pattern", _opens("/proc/sys/kernel/core_pattern"), said("could open"), only_root=True),
    Attack("S15", "modprobe", _opens("/proc/sys/kernel/modprobe"), said("could open"), only_root=True,
           always_held="not every kernel has it"),
    Attack("S15", "sysrq", _opens("/proc/sysrq-trigger"), said("could open"), only_root=True,
           always_held="not every machine has it"),
    Attack("S15", "release_agent", _opens("/sys/fs/cgroup/**/release_agent"), said("could open"),
           always_held="not every machine has it"),
    Attack("S15", "control groups", _opens("/sys/fs/cgroup/**/cgroup.procs"), said("could open"), only_root=True),
    Attack("S15", "uevent_helper", _opens("/sys/kernel/uevent_helper"), said("could open"),
           always_held="not every kernel has it"),
    Attack("S15", "disks", _opens("/dev/[vsn][dv][a-z]*", "O_RDONLY"), said("could open"),
           always_held="not every machine has such a disk"),
    Attack("S15", "memory", _opens("/dev/mem", "O_RDONLY"), said("could open"), always_held="not every machine has it"),
    Attack("S15", "kernel log", _opens("/dev/kmsg"), said("could open"), always_held="not every machine has it"),
    Attack("S15", "passwd", _opens("/etc/passwd"), said("could open"), only_root=True),
    Attack("S15", "mknod", bash("mknod disk b 7 0"), touched("@workspace@/disk"), only_root=True),
    Attack("S15", "mount", bash("mkdir m && mount -t tmpfs none m && echo mounted' 'it && umount m"),
           said("mounted it"), only_root=True),
    Attack("S15", "unmount", bash("mkdir u; mount --bind app u 2>&1; umount -l u 2>&1 && echo unmounted' 'it"),
           said("unmounted it"), only_root=True),
    Attack("S15", "remount", bash("mount -o remount,rw / && echo remounted' 'it"), said("remounted it"),
           only_root=True),
    Attack("S15", "user namespace", bash("unshare --user --map-root-user echo nested' 'it"), said("nested it"),
           always_held="not every machine lets everybody make one"),
    Attack("S15", "namespaces of another", bash("nsenter -t @bystander@ -m -- echo entered' 'it"), said("entered it"),
           only_root=True),
    Attack("S15", "chroot", bash("chroot / echo rooted' 'it"), said("rooted it"), only_root=True),
    Attack("S15", "host name", python(
        "import socket\nsocket.sethostname(socket.gethostname())\nprint('named', 'it')"), said("named it"),
           only_root=True),
    Attack("S15", "another user", python("import os\nos.setgroups([])\nos.setuid(12345)\nprint('became', 'it')"),
           said("became it"), only_root=True),
    Attack("S15", "io_uring", _syscall(425, "1", "ctypes.create_string_buffer(256)"), said("kernel obeyed"),
           always_held="not every kernel lets everybody use it"),
    Attack("S15", "open by handle", _syscall(304, "-1", "0", "0"), said("kernel obeyed"),
           always_held="a call without a handle never succeeds"),
    # S16
    Attack("S16", "signal to a bystander", bash("kill -TERM @bystander@ && echo ki'lled'"),
           lambda step: not step.outcome.bystander_lives),
    Attack("S16", "signal to claw", python(
        _CLAW + "        os.kill(pid, signal.SIGCONT)\n        print('signal', 'sent')" + _GIVE_UP),
           said("signal sent")),
    Attack("S16", "end of whoever started it", bash("kill -9 $PPID; sleep 0.1"), lambda step: False,
           always_held="it ends claw: this is shown apart"),
    Attack("S16", "priority of a bystander", python(
        "import os\nos.setpriority(os.PRIO_PROCESS, @bystander@, 15)\nprint('priority', 'set')"), said("priority set")),
    Attack("S16", "limits of claw", python(
        "import resource\n" + _CLAW + "        now = resource.prlimit(pid, resource.RLIMIT_NOFILE)\n"
        "        resource.prlimit(pid, resource.RLIMIT_NOFILE, now)\n        print('limits', 'set')" + _GIVE_UP),
           said("limits set")),
    Attack("S16", "environment of claw", python(
        _CLAW + "        print(open(f'/proc/{pid}/environ').read()[::-1])" + _GIVE_UP), said("@key_backwards@")),
    Attack("S16", "memory of claw", python(
        _CLAW + "        open(f'/proc/{pid}/mem', 'rb').close()\n        print('memory', 'open')" + _GIVE_UP),
           said("memory open")),
    Attack("S16", "descriptors of claw", python(
        _CLAW + "        print('descriptor', 'leads to', os.readlink(f'/proc/{pid}/fd/1'))" + _GIVE_UP),
           said("descriptor leads to")),
    Attack("S16", "ptrace of claw", python(
        _CLAW + "        libc = ctypes.CDLL(None, use_errno=True)\n        PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17\n"
        "        libc.ptrace.argtypes = [ctypes.c_long] * 4\n"
        "        if libc.ptrace(PTRACE_SEIZE, pid, 0, 0) == 0: print('tracing', 'it')" + _GIVE_UP), said("tracing it")),
    Attack("S16", "log of the session", python(
        "import glob\nfor name in glob.glob('@claw_home@/state/**/*.jsonl', recursive=True):\n"
        "    open(name, 'a').close()\n    print('opened', 'it')"), said("opened it")),
    Attack("S16", "keys pushed into the terminal", python(
        "import fcntl, termios\nfor each in b'\\n': fcntl.ioctl(open('/dev/tty', 'w'), termios.TIOCSTI, b'\\n')\n"
        "print('pushed', 'it')"), said("pushed it"), always_held="commands never have a terminal"),
    Attack("S16", "first process's environment", bash("rev /proc/1/environ | tr '\\0' '\\n'"), said("@key_backwards@"),
           always_held="outside of bubblewrap that is the machine's own first process"),
]  # fmt: skip


def prepare(world: World) -> None:
    """Every world has what is attacked here."""


@pytest.fixture(scope="module")
def confined(walls: Walls) -> Run:
    return run_protected(walls, ATTACKS, prepare)


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


def test_without_protection_a_command_ends_claw(anyone: User) -> None:
    with World(anyone) as world:
        outcome = world.attack(bash("kill -9 $PPID; sleep 5"), *UNPROTECTED)
    assert outcome.code in (-9, 137)
    assert outcome.of("run_finished") == []
