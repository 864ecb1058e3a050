"""The system-call filter, assembled as classic BPF for x86_64 and for the table that aarch64 and riscv64 share.

It is a list of what is refused: with no capabilities and no way to new namespaces the rest is as safe as for
any other program of the user. Refused is what reaches beyond the sandbox (sockets, foreign file handles,
keys, a terminal's input), what makes the walls (mounts, namespaces), and large surfaces of the kernel that
no build needs (bpf, io_uring, userfaultfd). Calls newer than this list do not exist for a command.
"""

from __future__ import annotations

import os
import struct

EPERM, EACCES, ENOSYS, EAFNOSUPPORT = 1, 13, 38, 97
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0  # what getaddrinfo and `ip` ask about interfaces
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_NAMESPACES = 0x7E020080  # every CLONE_NEW*
_NAMESPACES_OF_CLONE = 0x7E020000  # 0x80 is part of the exit signal there

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _RETURN = 0x20, 0x06
_JEQ, _JGE, _JSET = 0x15, 0x35, 0x45
_NR, _ARCH, _ARGUMENTS = 0, 4, 16

_FIRST_UNKNOWN = 471
_X32 = 0x40000000

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3}

# name: (x86_64, generic); None where there is no such call
REFUSED = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "open_by_handle_at": (304, 265), "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89),
    "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "vhangup": (153, 58), "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262), "iopl": (172, None), "ioperm": (173, None), "uselib": (134, None),
    "_sysctl": (156, None), "nfsservctl": (180, 42), "create_module": (174, None),
}  # fmt: skip
# As if the kernel were older: whoever calls them knows what to do then. clone3 hides its flags from a filter.
ABSENT = {"clone3": (435, 435), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
           "io_uring_register": (427, 427)}  # fmt: skip
JUDGED = {"socket": (41, 198), "socketpair": (53, 199), "clone": (56, 220), "unshare": (272, 97), "ioctl": (16, 29)}
# Name a process by its number: its own is 0. Landlock does not keep them from those of others.
OF_PROCESSES = {"prlimit64": (302, 261), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
                "sched_setattr": (314, 274), "setpriority": (141, 140), "ioprio_set": (251, 30)}  # fmt: skip
_ONE_PROCESS = {"setpriority": 0, "ioprio_set": 1}  # of their first argument; the others have none such

Instruction = tuple[int, int, int, int]


def program(*, unix_sockets: bool, internet: bool, own_pids: bool = True, machine: str | None = None) -> bytes:
    """The filter, as `bwrap --seccomp` and the kernel take it. *Errors*: OSError for an unknown `machine`.

    `internet`: IPv4 and IPv6 sockets may be made; where they lead is for others to govern. `own_pids`: the
    command is alone in its pid namespace.
    """
    machine = machine or os.uname().machine
    if machine not in _ARCHITECTURES:
        raise OSError(ENOSYS, f"no system-call filter for {machine}", "seccomp")
    column = 0 if machine == "x86_64" else 1
    code: list[Instruction] = [_load(_ARCH), (_JEQ, 1, 0, _ARCHITECTURES[machine]), _return(_KILL), _load(_NR)]
    if machine == "x86_64":
        code += [(_JGE, 0, 1, _X32), _errno(ENOSYS)]
    code += [(_JGE, 0, 1, _FIRST_UNKNOWN), _errno(ENOSYS)]
    code += _any_of([numbers[column] for numbers in REFUSED.values()], _errno(EPERM))
    code += _any_of([numbers[column] for numbers in ABSENT.values()], _errno(ENOSYS))
    judged = {name: numbers[column] for name, numbers in JUDGED.items()}
    for name, block in {
        "socket": _socket(unix_sockets, internet),
        "socketpair": [_load_argument(0), (_JEQ, 0, 1, AF_UNIX), _return(_ALLOW), _errno(EAFNOSUPPORT)],
        "clone": [_load_argument(0), (_JSET, 0, 1, _NAMESPACES_OF_CLONE), _errno(EPERM), _return(_ALLOW)],
        "unshare": [_load_argument(0), (_JSET, 0, 1, _NAMESPACES), _errno(EPERM), _return(_ALLOW)],
        "ioctl": [_load_argument(1), *_any_of([_TIOCSTI, _TIOCLINUX], _errno(EPERM)), _return(_ALLOW)],
    }.items():
        code += [(_JEQ, 0, len(block), judged[name]), *block]
    if not own_pids:
        for name, numbers in OF_PROCESSES.items():
            block = _own_process(_ONE_PROCESS.get(name))
            code += [(_JEQ, 0, len(block), numbers[column]), *block]
    code.append(_return(_ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _socket(unix_sockets: bool, internet: bool) -> list[Instruction]:
    code = [_load_argument(0), (_JEQ, 0, 1, AF_UNIX), _return(_ALLOW) if unix_sockets else _errno(EACCES)]
    code += _any_of([AF_INET, AF_INET6], _return(_ALLOW) if internet else _errno(EACCES))
    if internet:
        route = [_load_argument(2), (_JEQ, 0, 1, _NETLINK_ROUTE), _return(_ALLOW), _errno(EACCES)]
        code += [(_JEQ, 0, len(route), AF_NETLINK), *route]
    return [*code, _errno(EAFNOSUPPORT)]


def _own_process(kind: int | None) -> list[Instruction]:
    """Allowed if it is about the caller. `kind`: of the first argument, where the second has the number."""
    if kind is None:
        return [_load_argument(0), (_JEQ, 0, 1, 0), _return(_ALLOW), _errno(EPERM)]
    own = [_load_argument(1), (_JEQ, 0, 1, 0), _return(_ALLOW), _errno(EPERM)]
    return [_load_argument(0), (_JEQ, 1, 0, kind), _errno(EPERM), *own]


def _any_of(values: list[int | None], then: Instruction) -> list[Instruction]:
    """`then`, which returns, if the accumulator is one of `values`. A jump reaches 255 instructions."""
    wanted = [value for value in values if value is not None]
    last = len(wanted) - 1
    return [*((_JEQ, last - at, 1 if at == last else 0, value) for at, value in enumerate(wanted)), then]


def _load(offset: int) -> Instruction:
    return (_LOAD, 0, 0, offset)


def _load_argument(index: int) -> Instruction:
    """Its lower half: the calls that are judged take 32 bits, or have their flags there."""
    return _load(_ARGUMENTS + 8 * index)


def _return(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)


def _errno(number: int) -> Instruction:
    return _return(_ERRNO | number)
