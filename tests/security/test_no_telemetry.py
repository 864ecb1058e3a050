"""claw calls nobody but the model's host: every connection and every name that a process asks for is written down.

The notes are taken by an audit hook of the interpreter, which sees what any library does; a second test holds
it against the kernel's own view where `strace` can be used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Claw
from tests.e2e.conftest import claw as claw
from tests.fakes.model_server import ModelServer, call, say

# Started instead of `python -m claw`; the hook writes one JSON list a line.
WATCHED = """
import json, os, sys
log = os.open(os.environ.pop("WATCH_LOG"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
NAMES = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0,
         "socket.gethostbyname": 0, "socket.gethostbyaddr": 0, "socket.getnameinfo": 0}
def hook(event, args):
    if event in NAMES:
        line = json.dumps([event, repr(args[NAMES[event]]), [str(a) for a in args[:2]] if not NAMES[event] else []])
        os.write(log, (line + "\\n").encode())
sys.addaudithook(hook)
from claw.cli.main import main
main()
"""
# What users of other tools set to be left alone, or to be measured: it makes no difference here.
TEMPTING = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9/", "OTEL_TRACES_EXPORTER": "otlp", "SENTRY_DSN": "http://k@127.0.0.1:9/1",
}  # fmt: skip


def watch(claw: Claw, tmp_path: Path, *args: str) -> tuple[subprocess.CompletedProcess[str], list[list[Any]]]:
    """The process that has ended, and what it tried to reach: [event, address or name, arguments]."""
    log = tmp_path / "watched"
    log.touch()
    done = subprocess.run(
        [sys.executable, "-P", "-c", WATCHED, *args], cwd=claw.repository, stdin=subprocess.DEVNULL,
        env={**claw.environ, **TEMPTING, "WATCH_LOG": str(log)}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    return done, [json.loads(line) for line in log.read_text().splitlines()]


def outside(reached: list[list[Any]], port: int = 0) -> list[list[Any]]:
    """Without the host itself, and without what goes over a pair of sockets to a process of claw's own."""
    host = f"('127.0.0.1', {port})"
    return [
        each for each in reached
        if not (each[1] in (host, "None") or (each[0] == "socket.getaddrinfo" and each[2] == ["127.0.0.1", str(port)]))
    ]  # fmt: skip


def test_a_run_reaches_its_host_and_nothing_else(claw: Claw, tmp_path: Path) -> None:
    answers = [call(("read", {"path": "calc/add.py"}), ("bash", {"command": "echo hi"}), ("git", {"action": "status"})),
               call(("grep", {"pattern": "def"}), ("web_fetch", {"url": "https://example.invalid/"})),
               say("done")]  # fmt: skip
    with ModelServer(answers) as server:
        done, reached = watch(claw, tmp_path, "exec", "--host", server.url, "--output-format", "json", "go")
        port = int(server.url.split(":")[2].partition("/")[0])
    assert json.loads(done.stdout)["turns"] == 3, done.stderr
    assert [each for each in reached if each[0] == "socket.connect"] != []  # the hook sees the host at least
    assert outside(reached, port) == []


def test_a_run_that_crashes_tells_nobody(claw: Claw, tmp_path: Path) -> None:
    done, reached = watch(claw, tmp_path, "exec", "--host", "http://127.0.0.1:9/v1", "--cwd", "/nonexistent", "go")
    assert done.returncode == 2
    assert reached == []


@pytest.mark.parametrize(
    "args", [["demo"], ["doctor"], ["sessions", "list"], ["--version"], ["--help"], ["exec", "--help"]], ids=" ".join
)
def test_everything_else_reaches_nobody(claw: Claw, tmp_path: Path, args: list[str]) -> None:
    done, reached = watch(claw, tmp_path, *args)
    assert done.returncode in (0, 2), done.stderr  # doctor: no key here
    assert outside(reached) == []


def test_the_hook_sees_what_there_is(claw: Claw, tmp_path: Path) -> None:
    """A test that cannot fail proves nothing."""
    code = WATCHED.replace(
        "from claw.cli.main import main\nmain()",
        "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.sendto(b'x', ('127.0.0.1', 9))\n"
        "socket.getaddrinfo('localhost', 80)\n",
    )
    log = tmp_path / "watched"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "WATCH_LOG": str(log)}, check=True)
    assert len(outside([json.loads(line) for line in log.read_text().splitlines()])) == 2


STRACE = shutil.which("strace")
_ADDRESS = re.compile(r"sin_port=htons\((\d+)\), sin_addr=inet_addr\(\"([^\"]+)\"\)|sin6_port=htons\((\d+)\)")


def test_the_kernel_saw_the_same(claw: Claw, tmp_path: Path) -> None:
    """The commands' processes and the libraries written in C are seen here too.

    Loopback is where the host is, and where the sandbox tries itself out; it also tries, and must fail, to
    reach an address that is nobody's (192.0.2.0/24 is kept for documentation).
    """
    if not STRACE or subprocess.run([STRACE, "-o", os.devnull, "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace is not installed, or may not be used here")
    log = tmp_path / "strace"
    with ModelServer([call(("read", {"path": "calc/add.py"})), say("done")]) as server:
        done = subprocess.run(
            [STRACE, "-f", "-qq", "-s", "200", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(log),
             sys.executable, "-P", "-m", "claw", "exec", "--host", server.url, "go"],
            cwd=claw.repository, env={**claw.environ, **TEMPTING}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=100,
        )  # fmt: skip
        port = server.url.split(":")[2].partition("/")[0]
    assert "done" in done.stdout, done.stderr
    lines = [line for line in log.read_text().splitlines() if "AF_INET" in line]
    found = [(match[1] or match[3], match[2], line) for line in lines if (match := _ADDRESS.search(line))]
    assert (port, "127.0.0.1") in {(number, address) for number, address, _ in found}
    left = [line for _, address, line in found if address not in ("127.0.0.1", "192.0.2.1")]
    left += [line for _, address, line in found if address == "192.0.2.1" and "= -1 E" not in line]
    assert left == []
