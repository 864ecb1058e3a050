"""Searching a tree in a child process: ripgrep, or the same in Python where there is none.

Both take a `Search` and print the same records, so that the tools need not know which it was. It is a
process in both cases: it can be stopped, whatever the pattern does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Literal, NamedTuple

import msgspec

import claw
from claw.tools._confined import Confined, is_available, start

TIME_LIMIT_S = 30.0
# A record is a line of a file or a path; of longer ones the beginning is kept.
MAX_RECORD_BYTES = 256 * 1024
STDIN = b"<stdin>"
_MAX_STDERR_BYTES = 4_000
_MEANT_BY_GLOB = re.compile(r"[\\*?\[\]{}!]")
_PLAIN_NAME_PATTERN = re.compile(r"(?!include:)[\w.*?+-]+")


class Search(msgspec.Struct, frozen=True):
    """What to look for, in the folder that the process runs in, or in its stdin if `in_stdin`.

    `hidden` are paths relative to the folder that are not looked into.

    *Shapes* of the records:
    `list`      path, each with a NUL byte after it
    `files`     the same, for files with a match
    `count`     path, NUL, number of matching lines, line feed; with `multiline` the number of matches
    `content`   path, NUL, line number, `:`, column in bytes, `:`, line, line feed for a match; line number,
                `-`, line for context; a line `--` between groups of lines that do not follow each other
    Sorted by path, except for `list`. Paths begin with `./`; of stdin the path is `<stdin>`.
    """

    kind: Literal["list", "files", "count", "content"]
    pattern: str = ""
    glob: str = ""
    type: str = ""
    before: int = 0
    after: int = 0
    ignore_case: bool = False
    multiline: bool = False
    include_ignored: bool = False
    in_stdin: bool = False
    hidden: tuple[str, ...] = ()

    @property
    def separator(self) -> bytes:
        return b"\0" if self.kind in ("list", "files") else b"\n"


class Outcome(NamedTuple):
    """How a search ended. `exit_code` is 0 for found, 1 for nothing, 2 for an error; None if it was stopped."""

    exit_code: int | None
    stderr: str
    is_timed_out: bool = False


class Searcher:
    """Runs searches. `rg` is ripgrep's path, None for the one in Python, `...` for whichever there is."""

    def __init__(self, rg: Path | EllipsisType | None = ..., time_limit_s: float = TIME_LIMIT_S) -> None:
        self._rg = rg
        self.time_limit_s = time_limit_s

    async def run(
        self, search: Search, folder: Path, opened: int, untrusted: Sequence[Path], take: Callable[[bytes], bool]
    ) -> Outcome:
        """Feed the records to `take` until it returns False, the search ends, or its time is over.

        `opened` is a descriptor of `folder`, or of the file to search with `in_stdin`. No ripgrep is run that
        lies in one of the `untrusted` folders.
        """
        process = await self._start(search, folder, opened, untrusted)
        assert process.stdout is not None
        assert process.stderr is not None
        complaints = asyncio.create_task(_read_bounded(process.stderr))
        is_timed_out, exit_code = False, None
        try:
            async with asyncio.timeout(self.time_limit_s):
                if await _feed(process.stdout, search.separator, take):
                    exit_code = await process.wait()
        except TimeoutError:
            is_timed_out = True
        finally:
            await _end(process, process.stdout)
            stderr = await complaints
        return Outcome(exit_code, stderr, is_timed_out)

    async def _start(self, search: Search, folder: Path, opened: int, untrusted: Sequence[Path]) -> Process | Confined:
        if self._rg is ...:
            self._rg = find_ripgrep(untrusted)
        if isinstance(self._rg, Path):
            try:
                return await _spawn(ripgrep_command(self._rg, search), search, folder, opened, confined=True)
            except OSError:
                self._rg = None  # it cannot be executed here
        command = [sys.executable, "-P", "-m", "claw.tools._python_search", _as_argument(search)]
        return await _spawn(command, search, folder, opened, confined=False)  # it walks by descriptors


def find_ripgrep(untrusted: Sequence[Path] = ()) -> Path | None:
    """The one installed beside this Python, else that on the PATH, unless it is a file of an `untrusted` folder."""
    beside = Path(sys.executable).with_name("rg")
    if os.access(beside, os.X_OK):
        return beside
    folders = [folder for folder in os.get_exec_path() if os.path.isabs(folder)]
    found = shutil.which("rg", path=os.pathsep.join(folders))
    if found is None or any(Path(found).resolve().is_relative_to(folder) for folder in untrusted):
        return None
    return Path(found)


def ripgrep_command(rg: Path, search: Search) -> list[str]:
    command = [str(rg), "--no-config", "--no-messages", "--color=never", "--null", "--hidden", "--glob=!.git"]
    # Only git's own rules, so that a search finds the same on every machine.
    command += [f"--glob=!/{_MEANT_BY_GLOB.sub(_escaped, path)}" for path in search.hidden]
    command += ["--no-ignore"] if search.include_ignored else ["--no-ignore-dot", "--no-ignore-global"]
    if search.type:
        command.append(f"--type={search.type}")
    elif _PLAIN_NAME_PATTERN.fullmatch(search.glob):
        # As a type and not as --glob, which would bring in ignored files. The caller filters in any case.
        command += [f"--type-add=wanted:{search.glob}", "--type=wanted"]
    if search.kind == "list":
        return [*command, "--files", "./"]
    command += ["--sort=path", "--with-filename", "--no-heading", "--crlf", "--engine=auto"]
    if search.ignore_case:
        command.append("--ignore-case")
    if search.multiline:
        command += ["--multiline", "--multiline-dotall"]
    match search.kind:
        case "files":
            command.append("--files-with-matches")
        case "count":
            # `--count` alone counts lines or matches in multiline mode, depending on the pattern.
            command.append("--count-matches" if search.multiline else "--count")
        case _:
            command += ["--line-number", "--column", f"--before-context={search.before}"]
            command.append(f"--after-context={search.after}")
    return [*command, f"--regexp={search.pattern}", "--", "-" if search.in_stdin else "./"]


def _as_argument(search: Search) -> str:
    return msgspec.json.encode(search).decode()


def _escaped(character: re.Match[str]) -> str:
    return f"\\{character[0]}"


async def _spawn(
    command: list[str], search: Search, folder: Path, opened: int, *, confined: bool
) -> Process | Confined:
    # The child enters the folder that was opened, not whatever its path leads to by now.
    by_descriptor = f"/proc/self/fd/{opened}"
    cwd = "/" if search.in_stdin else by_descriptor if os.path.isdir(by_descriptor) else str(folder)
    env = _environment()
    if confined and is_available():
        return await start(command, env=env, cwd=cwd, folder=folder, opened=opened, in_stdin=search.in_stdin)
    stdin = opened if search.in_stdin else DEVNULL
    return await asyncio.create_subprocess_exec(*command, cwd=cwd, stdin=stdin, stdout=PIPE, stderr=PIPE, env=env)


def _environment() -> dict[str, str]:
    """What a search needs, and nothing that changes what it does or that it should not know."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR") if name in os.environ}
    # The child must find claw and msgspec wherever it runs, also in a checkout that is not installed.
    homes = dict.fromkeys(str(Path(package).parent.parent) for package in (claw.__file__, msgspec.__file__))
    return {**kept, "PYTHONPATH": os.pathsep.join(homes)}


async def _feed(stdout: asyncio.StreamReader, separator: bytes, take: Callable[[bytes], bool]) -> bool:
    """Whether all of it was taken."""
    pending = b""
    while chunk := await stdout.read(1 << 16):
        *records, pending = (pending + chunk).split(separator)
        if not all(take(record) for record in records):
            return False
        pending = pending[:MAX_RECORD_BYTES]
    return not pending or take(pending)


async def _read_bounded(stderr: asyncio.StreamReader) -> str:
    kept = b""
    while chunk := await stderr.read(1 << 16):
        kept = (kept + chunk)[:_MAX_STDERR_BYTES]
    return kept.decode("utf-8", "replace").strip()


async def _end(process: Process | Confined, stdout: asyncio.StreamReader) -> None:
    if process.returncode is None:
        # Not `process.kill()`: it would reap a child that has just ended, behind the back of asyncio's watcher.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    while await stdout.read(1 << 16):  # a pipe that nobody reads keeps `wait` from returning
        pass
    await process.wait()
