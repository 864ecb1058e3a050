"""A bubblewrap for every command, where the spawner does not run inside one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from claw.config import CommandLimits
from claw.sandbox.base import Launch, Policy
from claw.sandbox.bubblewrap import command_line, needed_folders
from claw.sandbox.guard import Guard, Mounts
from claw.sandbox.plain import GroupProcess, Plain
from claw.sandbox.spawned import as_bytes

_SELF_TEST_S = 10.0
# Each line that is printed is a wall with a hole. `$1` may be written, the others not.
_SELF_TEST = r"""
exec 2>/dev/null
(: > "$1/.claw-self-test") && rm "$1/.claw-self-test" || echo "$1 cannot be written"
network=$2
shift 2
for folder; do
    (: > "$folder/.claw-self-test-$$") && rm "$folder/.claw-self-test-$$" && echo "$folder can be written"
done
for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do
    (: >> "$file") && echo "$file can be written"
done
while IFS=": 	" read -r name value rest; do
    case "$name $value" in
        "Seccomp 2" | "NoNewPrivs 1" | "CapEff 0000000000000000") ;;
        Seccomp\ * | NoNewPrivs\ * | CapEff\ *) echo "$name is $value" ;;
    esac
done < /proc/self/status
if [ "$network" != on ]; then
    while IFS=": 	" read -r name rest; do
        case "$name" in Inter-\| | face | lo | "") ;; *) echo "there is a network: $name" ;; esac
    done < /proc/net/dev
fi
exit 0
"""


class BubblewrapOnce(Plain):
    """*Cost*: 10 to 30 ms a command."""

    name = "bubblewrap"

    def __init__(
        self, bwrap: str, policy: Policy, environ: Mapping[str, str], guard: Guard, gaps: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.gaps = gaps
        self.guard = guard
        self._bwrap = bwrap
        self._policy = policy
        self._needed = needed_folders(environ)

    def _make(self, launch: Launch) -> GroupProcess:
        watch = self.guard.begin(launch.argv[-1])

        def on_reaped(process: GroupProcess) -> None:
            self._running.discard(process)
            self.guard.end(watch)

        try:
            return _start(self._bwrap, self._policy, self._needed, watch.mounts, launch, on_reaped)
        except BaseException:
            self.guard.end(watch)
            raise

    def accept(self, path: Path) -> None:
        self.guard.accept(path)

    async def close(self) -> None:
        await super().close()
        self.guard.close()


class NamespaceProcess(GroupProcess):
    """bubblewrap itself leads the group; what it confines hangs below its only child, process 1 of the namespace."""

    def signal(self, number: int) -> None:
        first = [] if self._reaped else _children(self.pid)
        if number == signal.SIGKILL or not first:
            super().signal(number)
            for pid in first:
                _send(pid, number)  # all in its namespace die with it
            return
        for pid in _descendants(first):
            _send(pid, number)


def _start(
    bwrap: str,
    policy: Policy,
    needed: Sequence[Path],
    mounts: Mounts,
    launch: Launch,
    on_reaped: Callable[[GroupProcess], None],
) -> GroupProcess:
    """bubblewrap's own environment is empty: any command can read it. The command's comes with the options."""
    argv, cwd, env = as_bytes(launch, {})
    if not os.path.isdir(cwd):
        raise NotADirectoryError(launch.cwd)
    from claw.sandbox.spawner.seccomp import program

    line_fds: list[int] = []
    try:
        filter_fd = _memory(program(unix_sockets=policy.unix_sockets, internet=True), line_fds)
        line = command_line(bwrap, policy, needed, mounts.read_only, mounts.self_bind, filter_fd, launch.cwd)
        line_fds += line.null_fds
        options = [os.fsencode(option) for option in line.argv[1:-1]]
        for name, value in env.items():
            options += (b"--setenv", name, value)
        options_fd = _memory(b"".join(option + b"\0" for option in options), line_fds)
        whole = (bwrap, "--args", str(options_fd), "--", *_limited(policy.limits), *map(os.fsdecode, argv))
        return NamespaceProcess(Launch(whole, "/", {}), on_reaped, tuple(line_fds))
    finally:
        for number in line_fds:
            os.close(number)


def _memory(content: bytes, opened: list[int]) -> int:
    number = os.memfd_create("claw")
    opened.append(number)
    with open(number, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _limited(limits: CommandLimits) -> tuple[str, ...]:
    """A shell that sets limits and becomes the program. *Units*: blocks of 512 bytes, and KiB."""
    parts = [
        "ulimit -c 0",
        f"ulimit -f {limits.file_bytes // 512}",
        f"ulimit -n {limits.open_files}",
        f"ulimit -d {limits.memory_bytes // 1024}",
    ]
    return ("/bin/sh", "-c", "; ".join(f"{part} 2>/dev/null" for part in parts) + '; exec "$@"', "sh")


def why_not(bwrap: str, policy: Policy, environ: Mapping[str, str]) -> str:
    """Empty if what is confined so cannot get out. Blocks for a start of bubblewrap."""
    home = Path(environ.get("HOME") or "/").resolve()
    inside = (*policy.writable, policy.tmp, policy.cache, Path("/tmp"), Path("/run"))
    outside = [home, *(root.parent for root in policy.writable), Path("/"), Path("/etc"), Path("/usr")]
    walls = [str(folder) for folder in dict.fromkeys(outside) if not any(map(folder.is_relative_to, inside))]
    argv = ("/bin/sh", "-c", _SELF_TEST, "sh", str(policy.tmp), policy.network, *walls)
    try:
        process = _start(bwrap, policy, needed_folders(environ), Mounts(), Launch(argv, "/", {}), lambda _: None)
    except OSError as error:
        return f"cannot be started: {error}"
    try:
        return _read_to_end(process)
    finally:
        process.reap()


def _read_to_end(process: GroupProcess) -> str:
    with open(process.stdout, encoding="utf-8", errors="replace") as output:
        if not select.select([output], [], [], _SELF_TEST_S)[0]:
            return f"its self-test took longer than {_SELF_TEST_S:g} s"
        printed = output.read().strip()
    code = process.wait()
    if code or printed:
        return f"its self-test found: {printed.replace(chr(10), '; ') or f'exit code {code}'}"
    return ""


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(number) for number in file.read().split()]
    return []


def _descendants(pids: Sequence[int]) -> list[int]:
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        children = _children(waiting.pop())
        found += children
        waiting += children
    return found


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)
