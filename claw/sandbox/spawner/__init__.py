"""The program that starts commands, so that each costs a few milliseconds: it lives as long as the session.

It imports nothing but modules of the interpreter itself and runs as `python -I -S`, either inside a
bubblewrap (kind `bubblewrap`: as process 1, with CAP_SYS_ADMIN and CAP_SETPCAP of that user namespace, on
a fresh `/dev` and `/proc`) or plainly (kind `landlock`). `command()` is its command line. Descriptor 3 is
its end of an AF_UNIX SOCK_STREAM pair. When the other end is closed it kills everything and leaves.
SIGTERM does not end it: close the socket, or SIGKILL.

*Shapes*: a message is its length (4 bytes, little endian) and `marshal.dumps(message, 4)`. Paths,
arguments and variables are bytes, or str in UTF-8 with surrogateescape.

Client to spawner, the policy first:

    {"kind": "bubblewrap" | "landlock", "writable": [path], "tmp": path, "cache": path, "hidden": [path],
     "network": "off" | "on" | "hosts", "proxy_socket": path | None, "unix_sockets": bool,
     "limits": {"memory_bytes", "processes", "file_bytes", "open_files"},
     "self_test": {"outside": [folder], "tcp_port": int | None}}

`outside` are folders where a command must not make a file (best those where the user could), `tcp_port` a
listener on 127.0.0.1 that it must not reach when the network is off. Then, in any order:

    ("make",)                make another first process; the first of them comes without being asked for
    ("signal", id, number)   to everything of its command: HUP INT QUIT USR1 USR2 TERM CONT TSTP WINCH, and 9,
        which ends it for certain. An unknown id and any other number are ignored.

Spawner to client:

    ("ready", report)             once, after the self-test; the client decides what it makes of it
    ("unready", errno, where)     instead: the policy cannot be set up; the spawner leaves
    ("first", id)                 a first process that waits for orders, with a descriptor by SCM_RIGHTS on the
                                  first byte: its AF_UNIX SOCK_STREAM. It leaves when that is closed.
    ("failed", errno, where)      the answer to a `make` instead
    ("exited", id, code, reason)  its command and everything that it started is dead, and so is the first
                                  process; sent only if that could not tell it itself

A first process has the namespaces and the masks, and next to it waits what will be the program: so a command
costs neither the one nor the other. It serves one after another; nothing of a command is left when the next
begins, and each has mounts of its own. An order is a message, with a descriptor on its first byte, stdout and
stderr of the command:

    {"argv": [..], "cwd": path, "env": {name: value}, "read_only"?: [path], "self_bind"?: [path]}

The last two are for the kind `bubblewrap`, and hold for this command, also if the file system has changed
since the start: `read_only` is mounted read-only, `self_bind` onto itself (it cannot be renamed then). What
does not exist is left out; links are not followed, and protected themselves where the kernel can. They are
mounted in the order self_bind, read_only; hidden ones first. A program without a slash is looked for in the
PATH of `env`.

The answer is `marshal.dumps(…, 4)` without a length; with a reason, or after `failed`, it was the last one:

    ("failed", errno, where)      not started; `where` is the call that failed, and the path if there is one
    ("exited", code, reason)      as above. `code` is that of the program, negative: a signal; `reason` is "",
                                  "memory" or "processes" for the limit that it hit, or "killed" if something
                                  outside killed it.

The report: {"kind", "landlock_abi": int, "process_limit": "pid_max" | "rlimit" | "watchdog",
"proxy_port": int | None, "checks": {name: "" if it holds, else what was seen}}. The names are those of
`selftest.CHECKS`; all are walls but `loopback`, which Landlock cannot offer while the network is off.
`process_limit` is what ends a fork bomb: a highest process number, the user's limit, or only the look that
the first process of a command takes every 0.1 s, which also adds up memory. `proxy_port` is a port of
127.0.0.1 that leads to `proxy_socket`, for kind `bubblewrap` with network `hosts`; under Landlock `hosts`
is as `off`, since a port can be allowed but not an address.

*Order*: two commands may end in any order. A first process that leaves without an answer is followed by
`exited`. Nobody knows when a signal arrives: a first process whose command got one is not used again.
"""

from __future__ import annotations

_BOOT = """\
import sys
for name, folder in zip(("claw", "claw.sandbox"), sys.argv[1:3]):
    sys.modules[name] = module = type(sys)(name)
    module.__path__ = [folder]
from claw.sandbox.spawner.program import main
main()
"""


def command(python: str) -> list[str]:
    """The command line. It skips the `__init__` of the packages above, which import what it does not need."""
    folder = __file__.rpartition("/spawner/")[0]
    return [python, "-I", "-S", "-c", _BOOT, folder.rpartition("/")[0], folder]
