"""macOS: every command in `sandbox-exec`, with a profile that is generated for the policy.

*Source*: the profile language has no manual; what is used here is what Apple's own profiles in
`/System/Library/Sandbox/Profiles` use. In it the last rule that fits decides.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from claw.sandbox.base import Launch, Policy
from claw.sandbox.guard import Guard
from claw.sandbox.plain import GroupProcess, Plain
from claw.tooling.boundary import PROTECTED_FILES, PROTECTED_FOLDERS, PROTECTED_IN_GIT

PROGRAM = "/usr/bin/sandbox-exec"
_SELF_TEST_S = 10.0

_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/dtracehelper")
_GAPS = (
    "a process that leaves its command's process group is not found again",
    "of the limits only those of a single process hold",
    "commands see the names of the processes that run",
)


def profile(policy: Policy) -> str:
    """The profile as text. *Shapes*: rules from the general to the particular."""
    lines = ["(version 1)", "(allow default)", "(deny file-write*)"]
    lines += [f"(allow file-write* (literal {_quoted(device)}))" for device in _DEVICES]
    lines += [f"(allow file-write* (subpath {_quoted(path)}))" for path in policy.writable]
    for root in policy.writable:
        lines += _protected(root)
    for place in policy.hidden:
        # Its metadata too: a name that cannot be read cannot be renamed or linked either.
        lines.append(f"(deny file-read* file-write* (subpath {_quoted(place)}))")
    # They may lie in what is hidden.
    lines += [f"(allow file-read* file-write* (subpath {_quoted(path)}))" for path in (policy.tmp, policy.cache)]
    lines += _network(policy)
    # No input for other programs, no debugging, no new privileges, no word to the rest of the session.
    lines += [
        "(deny signal)",
        "(allow signal (target same-sandbox))",
        "(deny process-info-pidinfo (target others))",
        "(allow process-info-pidinfo (target same-sandbox))",
        "(deny mach-task-name)",
        "(deny appleevent-send)",
        "(deny lsopen)",
        "(deny system-privilege)",
        "(deny nvram*)",
    ]
    return "\n".join(lines) + "\n"


def _protected(root: Path) -> list[str]:
    """By name, so that it holds for what is not there yet; the file system does not tell cases apart."""
    folders = _alternatives(PROTECTED_FOLDERS - {".git"})
    files = _alternatives(PROTECTED_FILES)
    in_git = _alternatives(PROTECTED_IN_GIT)
    start = _any_case("" if root == Path("/") else str(root))
    return [
        f'(deny file-write* (regex #"^{start}/({folders})(/|$)"))',
        f'(deny file-write* (regex #"^{start}/({files})$"))',
        f'(deny file-write* (regex #"^{start}/{_any_case(".git")}/({in_git})(/|$)"))',
        # The folder itself: it may be filled, but neither be renamed nor removed.
        f'(deny file-write-unlink (regex #"^{start}/{_any_case(".git")}$"))',
    ]


def _alternatives(names: Iterable[str]) -> str:
    return "|".join(_any_case(name) for name in sorted(names))


def _any_case(text: str) -> str:
    """`text` as a regular expression that fits it in upper and lower case."""
    return "".join(
        f"[{character.lower()}{character.upper()}]"
        if len(character.lower()) == len(character.upper()) == 1 and character.lower() != character.upper()
        else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    if character == '"':
        return "."  # the expression itself stands in quotes
    return re.escape(character) if character in r"\.^$*+?{}[]()|-" else character


def _network(policy: Policy) -> list[str]:
    if policy.network == "on":
        return _unix_sockets(policy)
    return [
        "(deny network*)",
        # Tests start servers: the machine may talk to itself. What listens there can be reached, too.
        '(allow network-bind network-inbound (local ip "localhost:*"))',
        '(allow network-outbound (remote ip "localhost:*"))',
        *_unix_sockets(policy),
    ]


def _unix_sockets(policy: Policy) -> list[str]:
    """Those of daemons are not reached; a command's own, in the temporary folder, are."""
    if policy.unix_sockets:
        return ["(allow network* (local unix-socket) (remote unix-socket))"]
    own = _quoted(policy.tmp)
    return [
        "(deny network-outbound (remote unix-socket))",
        f"(allow network-bind network-inbound (local unix-socket (subpath {own})))",
        f"(allow network-outbound (remote unix-socket (subpath {own})))",
    ]


def _quoted(path: Path | str) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Seatbelt(Plain):
    """*Cost*: one more `exec`, and the compilation of the profile."""

    name = "seatbelt"

    def __init__(self, policy: Policy, guard: Guard, *more_gaps: str) -> None:
        super().__init__()
        self.gaps = (*_GAPS, *more_gaps)
        self.guard = guard
        self._profile = profile(policy)

    def _make(self, launch: Launch) -> GroupProcess:
        watch = self.guard.begin(launch.argv[-1])

        def on_reaped(process: GroupProcess) -> None:
            self._running.discard(process)
            self.guard.end(watch)

        argv = (PROGRAM, "-p", self._profile, *launch.argv)
        try:
            return GroupProcess(Launch(argv, launch.cwd, launch.env), on_reaped)
        except BaseException:
            self.guard.end(watch)
            raise

    def accept(self, path: Path) -> None:
        self.guard.accept(path)

    async def close(self) -> None:
        await super().close()
        self.guard.close()


def why_not(policy: Policy, environ: Mapping[str, str]) -> str:
    """Empty if what is confined so cannot get out. Blocks for a start of the program."""
    home = Path(environ.get("HOME") or "/").resolve()
    inside = (*policy.writable, policy.tmp, policy.cache)
    walls = [home, *(root.parent for root in policy.writable)]
    outside = [str(folder) for folder in dict.fromkeys(walls) if not any(map(folder.is_relative_to, inside))]
    script = (
        'exec 2>/dev/null; (: > "$1/.claw-self-test") && rm "$1/.claw-self-test" || echo "$1 cannot be written"; '
        'shift; for folder; do (: > "$folder/.claw-self-test-$$") && rm "$folder/.claw-self-test-$$" '
        '&& echo "$folder can be written"; done; exit 0'
    )
    argv = [PROGRAM, "-p", profile(policy), "/bin/sh", "-c", script, "sh", str(policy.tmp), *outside]
    if not os.access(PROGRAM, os.X_OK):
        return f"there is no {PROGRAM}"
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, env={}, timeout=_SELF_TEST_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be started: {error}"
    printed = (done.stdout + done.stderr).decode(errors="replace").strip().replace("\n", "; ")
    return f"its self-test found: {printed or done.returncode}" if printed or done.returncode else ""
