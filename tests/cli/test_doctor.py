"""`claw doctor`, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from claw.paths import find_home
from claw.session.store import SessionStore
from tests.fakes.model_server import ModelServer
from tests.providers.conforming_host import KEY, ConformingHost

HOST = """
[hosts.mine]
base_url = "{url}"
key_variables = ["MINE_KEY"]
key_required = true
prices."kimi-k2.6" = {{ input = 0.95, cached = 0.16, output = 4.0 }}

[hosts.mine.dialect]
reasoning = "reasoning_content"
thinking = "moonshot"
max_tokens_field = "max_completion_tokens"
json_schema = true
"""


class Doctor:
    """Runs the command with a home and an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "CLAW_HOME": str(folder / "claw")}

    def __call__(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "claw", "doctor", *args]
        return subprocess.run(
            command, env=self.environ | environ, cwd=self.folder, capture_output=True, text=True, timeout=60
        )

    def configure(self, text: str) -> None:
        (self.folder / "claw" / "config").mkdir(parents=True, exist_ok=True)
        (self.folder / "claw" / "config" / "config.toml").write_text(text)


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


def test_a_place_where_a_run_could_begin(doctor: Doctor) -> None:
    SessionStore(find_home(doctor.environ)).create(doctor.folder)
    done = doctor("--json", MOONSHOT_API_KEY="sk-not-to-be-shown")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert list(found) == [
        "claw", "python", "platform", "config", "config_folder", "state_folder", "cache_folder", "git", "ripgrep",
        "shell", "terminal", "sandbox", "sandbox_gaps", "host", "model", "key", "sessions", "ready", "problems",
    ]  # fmt: skip
    assert (found["ready"], found["problems"], found["sessions"]) == (True, [], 1)
    assert found["key"] == "found in MOONSHOT_API_KEY"
    assert found["host"] == "moonshot (https://api.moonshot.ai/v1)"
    assert found["model"] == "kimi-k2.6"
    assert found["config"].endswith("config.toml (not there, defaults are used)")
    assert found["state_folder"] == f"{doctor.folder}/claw/state (writable)"
    assert found["cache_folder"] == f"{doctor.folder}/claw/cache (writable, not made yet)"
    assert "not-to-be-shown" not in done.stdout
    assert not (doctor.folder / "claw" / "cache").exists()


def test_without_a_key(doctor: Doctor) -> None:
    done = doctor()
    assert done.returncode == 2
    assert done.stdout.splitlines()[-2:] == [
        "A run could not begin:",
        "  no key for moonshot: set MOONSHOT_API_KEY or CLAW_API_KEY in the environment, or run `claw login moonshot`",
    ]


def test_a_broken_config_file_does_not_hide_the_rest(doctor: Doctor) -> None:
    doctor.configure("host = 3\n")
    done = doctor("--json", MOONSHOT_API_KEY="sk-x")
    found = json.loads(done.stdout)
    assert done.returncode == 2
    assert found["config"].endswith("(broken)")
    (problem,) = found["problems"]
    assert "config.toml: Expected `str | null`" in problem
    assert found["sessions"] == 0


def test_a_home_that_is_a_file(doctor: Doctor) -> None:
    (doctor.folder / "claw").write_text("")
    done = doctor(MOONSHOT_API_KEY="sk-x")
    assert done.returncode == 2
    assert "claw/state is not writable" in done.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_may_not_be_written(doctor: Doctor) -> None:
    (doctor.folder / "claw").mkdir(mode=0o500)
    done = doctor(MOONSHOT_API_KEY="sk-x")
    assert done.returncode == 2
    assert "claw/state (not writable, not made yet)" in done.stdout


def test_an_escape_in_the_environment_is_not_executed(doctor: Doctor) -> None:
    done = doctor(CLAW_HOST="\x1b[2Jhost")
    assert done.returncode == 2
    assert "\x1b" not in done.stdout
    assert "\\x1b[2Jhost" in done.stdout


def test_a_good_host(doctor: Doctor) -> None:
    with ModelServer(ConformingHost()) as server:
        doctor.configure(HOST.format(url=server.url))
        done = doctor("--host", "mine", MINE_KEY=KEY)
    assert (done.returncode, done.stderr) == (0, "")
    title, _, head, *rows, _, total = done.stdout.splitlines()
    assert title == f"kimi-k2.6 on mine ({server.url})"
    assert head.split() == ["CHECK", "STATUS", "MS", "TOKENS", "COST", "FINDING"]
    assert len(rows) == 16
    assert {row[head.index("STATUS") :].split()[0] for row in rows} == {"ok"}
    assert "20/20 calls fit their schema" in done.stdout
    assert total.startswith("16 ok, 0 faults, 0 not found out; ")
    assert total.rpartition("$")[2].startswith("0.0")
    assert KEY not in done.stdout


def test_a_host_with_a_fault_as_json(doctor: Doctor) -> None:
    with ModelServer(ConformingHost(frozenset({"blind"}))) as server:
        doctor.configure(HOST.format(url=server.url))
        done = doctor("--host", "mine", "--json", MINE_KEY=KEY)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert list(report) == [
        "host", "base_url", "model", "status", "checks", "usage", "cost_usd", "n_estimated"
    ]  # fmt: skip
    (found,) = (check for check in report["checks"] if check["status"] != "ok")
    assert list(found) == ["check", "status", "finding", "duration_ms", "usage", "cost_usd"]
    assert (found["check"], found["status"]) == ("image", "fault")
    assert (report["host"], report["status"]) == ("mine", "faults")


def test_no_host_there(doctor: Doctor) -> None:
    with ModelServer() as server:
        url = server.url
    done = doctor("--host", url)
    assert done.returncode == 75
    assert "cannot reach" in done.stdout


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--host", "nowhere"], "unknown host 'nowhere'"),
        (["--host", "moonshot"], "no key for moonshot"),
        (["--host", "moonshot", "--max-cost", "0"], "--max-cost 0: must be more than 0"),
        (["--max-cost", "nan"], "--max-cost nan: must be more than 0"),
    ],
)
def test_usage_errors(doctor: Doctor, args: list[str], complaint: str) -> None:
    done = doctor(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
