"""The filter, read as the kernel would, and tried in the kernel."""

from __future__ import annotations

import errno
import itertools
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.sandbox.spawner import seccomp
from tests.sandbox.spawner_client import Client, Place, why_not

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = {
    "x86_64": {"socket": 41, "socketpair": 53, "clone": 56, "unshare": 272, "ioctl": 16, "mount": 165, "read": 0},
    "aarch64": {"socket": 198, "socketpair": 199, "clone": 220, "unshare": 97, "ioctl": 29, "mount": 40, "read": 63},
}
FAMILY = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "alg": 38, "vsock": 40}


def verdict(program: bytes, number: int, *arguments: int, architecture: int) -> int:
    """An interpreter of the four instructions that are used."""
    full = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=iIQ6Q", number, architecture, 0, *full)
    code = list(struct.iter_unpack("=HBBI", program))
    accumulator = at = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x06:
            return int(value)
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
            continue
        holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
        at += if_true if holds else if_false


def refused(number: int) -> int:
    return 0x50000 | number


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_sockets(machine: str) -> None:
    numbers, architecture = NUMBERS[machine], ARCHITECTURES[machine]
    for unix, internet in itertools.product((False, True), repeat=2):
        program = seccomp.program(unix_sockets=unix, internet=internet, machine=machine)

        def answer(family: str, protocol: int = 0, program: bytes = program) -> int:
            # The upper half of an argument is not looked at by the kernel either.
            return verdict(program, numbers["socket"], 1 << 32 | FAMILY[family], 1, protocol, architecture=architecture)

        assert answer("unix") == (ALLOW if unix else refused(errno.EACCES))
        for family in ("inet", "inet6"):
            assert answer(family) == (ALLOW if internet else refused(errno.EACCES))
        assert answer("netlink") == (ALLOW if internet else refused(errno.EAFNOSUPPORT))
        assert answer("netlink", 15) == refused(errno.EACCES if internet else errno.EAFNOSUPPORT)
        for family in ("packet", "alg", "vsock"):
            assert answer(family) == refused(errno.EAFNOSUPPORT)
        assert verdict(program, numbers["socketpair"], 1, architecture=architecture) == ALLOW


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls(machine: str) -> None:
    numbers, architecture = NUMBERS[machine], ARCHITECTURES[machine]
    program = seccomp.program(unix_sockets=False, internet=True, machine=machine)

    def answer(name: str, *arguments: int) -> int:
        return verdict(program, numbers[name], *arguments, architecture=architecture)

    assert answer("read") == ALLOW
    assert answer("mount") == refused(errno.EPERM)
    assert answer("clone", 0x1200011) == ALLOW
    assert answer("clone", 0x3D0F00) == ALLOW  # a thread
    assert answer("unshare", 0x400) == ALLOW
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer("clone", bit | 17) == refused(errno.EPERM)
        assert answer("unshare", bit) == refused(errno.EPERM)
    assert answer("unshare", 0x80) == refused(errno.EPERM)
    assert answer("ioctl", 0, 0x5401) == ALLOW
    for request in (0x5412, 0x541C, 1 << 32 | 0x5412):
        assert answer("ioctl", 0, request) == refused(errno.EPERM)
    for number in (425, 426, 427, 435, 471, 1000, 0x3FFFFFFF):
        assert verdict(program, number, architecture=architecture) == refused(errno.ENOSYS)
    for number in (428, 429, 430, 431, 432, 433, 442, 443, 467):
        assert verdict(program, number, architecture=architecture) == refused(errno.EPERM)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_other_processes_are_named_only_where_all_are_the_commands_own(machine: str) -> None:
    architecture, column = ARCHITECTURES[machine], 0 if machine == "x86_64" else 1
    asks = {
        "prlimit64": ((0, 7), (4711, 7)),
        "sched_setscheduler": ((0, 1), (4711, 1)),
        "sched_setparam": ((0,), (4711,)),
        "sched_setattr": ((0,), (4711,)),
        "setpriority": ((0, 0, 5), (0, 4711, 5), (1, 0, 5), (2, 0, 5)),
        "ioprio_set": ((1, 0), (1, 4711), (2, 0), (3, 0)),
    }
    assert asks.keys() == seccomp.OF_PROCESSES.keys()
    for own_pids in (False, True):
        program = seccomp.program(unix_sockets=False, internet=True, own_pids=own_pids, machine=machine)
        for name, (own, *others) in asks.items():
            number = seccomp.OF_PROCESSES[name][column]
            assert verdict(program, number, *own, architecture=architecture) == ALLOW
            for other in others:
                wanted = ALLOW if own_pids else refused(errno.EPERM)
                assert verdict(program, number, *other, architecture=architecture) == wanted


def test_another_architecture_is_no_way_round() -> None:
    program = seccomp.program(unix_sockets=True, internet=True, machine="x86_64")
    assert verdict(program, 0, architecture=0x40000003) == KILL  # 32-bit x86 has other numbers
    assert verdict(program, 0x40000000 | 165, architecture=ARCHITECTURES["x86_64"]) == refused(errno.ENOSYS)
    with pytest.raises(OSError, match="pdp11"):
        seccomp.program(unix_sockets=True, internet=True, machine="pdp11")


@given(
    st.sampled_from(sorted(ARCHITECTURES)), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=6)
)
def test_every_path_through_it_ends(machine: str, number: int, arguments: list[int]) -> None:
    program = seccomp.program(unix_sockets=False, internet=False, machine=machine)
    architecture = ARCHITECTURES[machine]
    signed = number - (1 << 32) if number >= 1 << 31 else number
    answer = verdict(program, signed, *arguments, architecture=architecture)
    assert answer == ALLOW or answer & 0xFFFF0000 == 0x50000


def test_the_numbers_of_the_tables() -> None:
    """Against the kernel's headers, where they are installed."""
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    generic = Path("/usr/include/asm-generic/unistd.h")
    if not (header.exists() and generic.exists()):
        pytest.skip("the kernel's headers are not installed")
    for column, path in ((0, header), (1, generic)):
        words = [line.split()[1:3] for line in path.read_text().splitlines() if line.startswith("#define __NR")]
        known = {pair[0].removeprefix("__NR3264_").removeprefix("__NR_"): pair[1] for pair in words if len(pair) == 2}
        for name, numbers in {**seccomp.REFUSED, **seccomp.ABSENT, **seccomp.JUDGED}.items():
            if numbers[column] is not None and name in known:
                assert int(known[name]) == numbers[column], name


@pytest.fixture
def client() -> Iterator[Client]:
    if reason := why_not("landlock"):
        pytest.skip(reason)
    place = Place(None)
    made = Client([], place, place.policy("landlock", network="on"))
    yield made
    made.close()
    place.remove()


def test_the_kernel_agrees(client: Client) -> None:
    script = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def errno(name, *arguments):
    ctypes.set_errno(0)
    libc[name](*arguments)
    return ctypes.get_errno()
print(errno("mount", b"x", b"/", b"tmpfs", 0, None), errno("unshare", 0x10000000), errno("setns", 0, 0))
print(errno("syscall", 425, 1, None), errno("syscall", 435, None, 0), errno("syscall", 9999))
print(errno("keyctl" if hasattr(libc, "keyctl") else "syscall", 250, 0, 0))
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_PACKET, socket.AF_ALG, socket.AF_VSOCK):
    try:
        socket.socket(family, socket.SOCK_DGRAM if family != socket.AF_ALG else socket.SOCK_SEQPACKET).close()
        print(0)
    except OSError as error:
        print(error.errno)
"""
    end, output = client.run("/usr/bin/python3", "-c", script)
    assert end == ("exited", 0, "")
    assert output.split() == ["1", "1", "1", "38", "38", "38", "1", "13", "0", "97", "97", "97"]


def test_nothing_is_typed_into_a_terminal(client: Client) -> None:
    script = (
        "import fcntl, os\ntry:\n    fcntl.ioctl(0, 0x5412, b'x')\nexcept OSError as error:\n    print(error.errno)"
    )
    assert client.run("/usr/bin/python3", "-c", script)[1] == "1\n"
