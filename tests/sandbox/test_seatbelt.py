"""The profile for macOS, as text; it is executed only there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from claw.sandbox.base import Policy
from claw.sandbox.seatbelt import PROGRAM, profile

POLICY = Policy((Path('/w/a "b'), Path("/w.x")), Path("/c/tmp"), Path("/c/cache"), hidden=(Path("/h/.ssh"),))


def denied(text: str, path: str) -> bool:
    """Whether a rule by name forbids to write `path`."""
    return any(re.search(found, path) for found in re.findall(r'\(deny file-write\* \(regex #"(.*)"\)\)', text))


def test_writes_are_denied_before_they_are_allowed() -> None:
    lines = profile(POLICY).splitlines()
    assert lines[:3] == ["(version 1)", "(allow default)", "(deny file-write*)"]
    assert lines.index(r'(allow file-write* (subpath "/w/a \"b"))') > 2
    assert lines.index('(deny file-read* file-write* (subpath "/h/.ssh"))') > lines.index(
        '(allow file-write* (subpath "/w.x"))'
    )


@pytest.mark.parametrize(
    "name",
    [".claw", ".claw/x", ".CLAW/config.toml", ".git/config", ".Git/Hooks/x", ".vscode/tasks.json", ".bashrc",
     ".MCP.json", ".git/hooks", ".git/modules/x"],
)  # fmt: skip
def test_protected_names(name: str) -> None:
    assert denied(profile(POLICY), f"/w.x/{name}")
    assert denied(profile(POLICY), f'/w/a "b/{name}')


@pytest.mark.parametrize(
    "name", ["x", ".git", ".git/index", ".git/HEAD", ".clawx", "x.claw", ".bashrc2", "src/.bashrc"]
)
def test_other_names(name: str) -> None:
    assert not denied(profile(POLICY), f"/w.x/{name}")
    assert not denied(profile(POLICY), f"/wax/{name}")


def test_network() -> None:
    assert "(deny network*)" in profile(POLICY)
    assert "(deny network*)" not in profile(Policy((), Path("/t"), Path("/c"), network="on"))
    assert "(deny network-outbound (remote unix-socket))" in profile(Policy((), Path("/t"), Path("/c"), network="on"))
    assert "(deny network*)" in profile(Policy((), Path("/t"), Path("/c"), network="hosts"))


@pytest.mark.skipif(sys.platform != "darwin", reason="sandbox-exec is a program of macOS")
def test_the_profile_is_accepted() -> None:
    assert subprocess.run([PROGRAM, "-p", profile(POLICY), "/usr/bin/true"], check=False).returncode == 0
