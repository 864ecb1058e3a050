"""Which processes there are below one, what they take, and how all of them are ended."""

from __future__ import annotations

import os

from claw.sandbox.spawner.signals import SIGKILL, SIGSTOP

_PAGE = os.sysconf("SC_PAGE_SIZE")


def descendants(ancestor: int) -> list[int]:
    """Without the ancestor. *Cost*: a read for each thread, or of all of /proc where the kernel lists no children."""
    found: list[int] = []
    if not os.path.exists("/proc/thread-self/children"):
        return _below(ancestor, _parents())
    todo = [ancestor]
    while todo:
        fresh = _listed_children(todo.pop())
        found += fresh
        todo += fresh
    return found


def children(parent: int) -> set[int]:
    if os.path.exists("/proc/thread-self/children"):
        return set(_listed_children(parent))
    return {pid for pid, above in _parents().items() if above == parent}


def end_all(ancestor: int, spare: frozenset[int] = frozenset()) -> None:
    """Kill everything below this process, which must be a subreaper. `spare` are children that stay.

    Stopped first: a process that forks faster than it is found is caught in the end, since every copy
    is one more that stands still.
    """
    stopped: set[int] = set()
    while True:
        below = set(descendants(ancestor)) - spare
        for child in spare:
            below -= set(descendants(child))
        fresh = below - stopped
        if not fresh:
            break
        for pid in fresh:
            send(pid, SIGSTOP)
        stopped |= fresh
    for pid in stopped:
        send(pid, SIGKILL)


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def memory_bytes(pids: list[int], limit: int) -> int:
    """What they have that no file backs. Pages that forked processes share are counted once if it matters."""
    rough = 0
    for pid in pids:
        fields = _read(f"/proc/{pid}/statm").split()
        if len(fields) > 2:
            rough += max(int(fields[1]) - int(fields[2]), 0) * _PAGE
    if rough <= limit:
        return rough
    return sum(map(_proportional_bytes, pids))


def _proportional_bytes(pid: int) -> int:
    total = 0
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        name, _, rest = line.partition(b":")
        if name in (b"Pss_Anon", b"Pss_Shmem", b"SwapPss"):
            total += int(rest.split()[0]) * 1024
    return total


def running_pids() -> list[int]:
    """All that this /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _listed_children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def _parents() -> dict[int, int]:
    parents = {}
    for pid in running_pids():
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if len(fields) > 1:
            parents[pid] = int(fields[1])
    return parents


def _below(ancestor: int, parents: dict[int, int]) -> list[int]:
    found = {ancestor}
    grown = True
    while grown:
        fresh = {pid for pid, parent in parents.items() if parent in found} - found
        found |= fresh
        grown = bool(fresh)
    return list(found - {ancestor})


def _read(path: str) -> bytes:
    """Empty if it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
