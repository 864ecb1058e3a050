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

    ("start", id, {"argv": [..], "cwd": path, "env": {name: value}, "limits"?: {..},
                   "read_only"?: [path], "self_bind"?: [path], "empty"?: [folder]})
        with one descriptor by SCM_RIGHTS on the first byte: stdout and stderr of the command.
    ("signal", id, number)   to everything of the command: HUP INT QUIT USR1 USR2 TERM CONT TSTP WINCH, and 9,
        which ends it for certain. An unknown id and any other number are ignored.

The last three are for the kind `bubblewrap`, and hold for this command, also if the file system has changed
since the start: `read_only` is mounted read-only, `self_bind` onto itself (it cannot be renamed then), on
`empty` lies an empty read-only folder. What does not exist is left out; links are not followed, and
protected themselves where the kernel can. They are mounted in the order self_bind, read_only, empty; hidden
ones first. A program without a slash is looked for in the PATH of `env`.

Spawner to client:

    ("ready", report)             once, after the self-test; the client decides what it makes of it
    ("unready", errno, where)     instead: the policy cannot be set up; the spawner leaves
    ("failed", id, errno, where)  not started; `where` is the call that failed, and the path if there is one
    ("exited", id, code, reason)  the command and everything that it started is dead. `code` is that of the
                                  program, negative: a signal; `reason` is "", "memory" or "processes" for
                                  the limit that it hit, or "killed" if something outside killed it.

The report: {"kind", "landlock_abi": int, "process_limit": "pid_max" | "rlimit" | "watchdog",
"proxy_port": int | None, "checks": {name: "" if it holds, else what was seen}}. The names are those of
`selftest.CHECKS`; all are walls but `loopback`, which Landlock cannot offer while the network is off.
`process_limit` is what ends a fork bomb: a highest process number, the user's limit, or only the look that
the first process of a command takes every 0.1 s, which also adds up memory. `proxy_port` is a port of
127.0.0.1 that leads to `proxy_socket`, for kind `bubblewrap` with network `hosts`; under Landlock `hosts`
is as `off`, since a port can be allowed but not an address.

*Order*: two commands may end in any order; a `failed` or `exited` is the last word on its id.
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
