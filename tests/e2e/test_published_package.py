"""The main job on a package that others wrote: toolz, from the package index, broken in two places.

The model's side is recorded through the loopback server on one copy, and played again on another.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Claw, git
from tests.fakes.model_server import ModelServer, call, say

SOURCE = "toolz==1.0.0 --hash=sha256:2c86e3d9a04798ac556793bced838816296a2f085017664e4995cb40a1047a02\n"
# File → what it says, and what the break makes of it.
BREAKS = {
    "toolz/itertoolz.py": ("if prev[-1] is no_pad:", "if prev[0] is no_pad:"),
    "toolz/dicttoolz.py": ("result[k] = func(v.__self__)", "result[k] = func(v.__self__[:1])"),
}
RUN_TESTS = "python -m pytest -q -p no:cacheprovider toolz/tests"
PATCH = """*** Begin Patch
*** Update File: toolz/dicttoolz.py
@@ def merge_with(func, *dicts, **kwargs):
     for k, v in values.items():
-        result[k] = func(v.__self__[:1])
+        result[k] = func(v.__self__)
     return result
*** End Patch
"""

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as published, checked by its hash."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "wanted.txt").write_text(SOURCE)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    command += ["--require-hashes", "--retries", "1", "--timeout", "10", "--dest", folder]
    done = subprocess.run([*command, "-r", folder / "wanted.txt"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1:]}")
    return next(folder.glob("*.tar.gz"))


def broken_copy(source: Path, folder: Path) -> Path:
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    (repository,) = folder.iterdir()
    for name, (good, bad) in BREAKS.items():
        text = (repository / name).read_text()
        assert text.count(good) == 1
        (repository / name).write_text(text.replace(good, bad))
    (repository / ".gitignore").write_text("__pycache__/\n")
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "-c", "user.name=Dev", "-c", "user.email=dev@example.org", "commit", "-qm", "toolz, broken")
    return repository


def test_a_published_package_is_repaired_and_the_recording_repairs_it_again(source: Path, tmp_path: Path) -> None:
    cassette, home = tmp_path / "toolz.jsonl", tmp_path / "home"
    home.mkdir()
    first = Claw(broken_copy(source, tmp_path.resolve() / "first"), home)
    failures = RUN_TESTS + " 2>&1 | grep -E '^FAILED|passed|failed' | sort | sed 's/ - .*//'"
    good, bad = BREAKS["toolz/itertoolz.py"]
    script = [
        call(("bash", {"command": failures}), ("git", {"action": "log", "max_count": 3})),
        call(
            ("grep", {"pattern": "def (partition_all|merge_with)", "path": "toolz", "glob": "*.py"}),
            ("read", {"path": "toolz/itertoolz.py", "offset": 700, "limit": 60}),
            ("read", {"path": "toolz/dicttoolz.py", "offset": 40, "limit": 40}),
        ),
        call(
            ("edit", {"path": "toolz/itertoolz.py", "edits": [{"old": bad, "new": good}]}),
            ("patch", {"patch": PATCH}),
        ),
        call(("bash", {"command": RUN_TESTS})),
        say("Both are repaired; the whole suite passes."),
    ]
    with ModelServer(script) as server:
        recorded = first.exec(server, "--record", str(cassette), "--verify", RUN_TESTS, "Make the test suite pass.")
    assert recorded.code == 0, recorded.stdout + recorded.stderr

    again = Claw(broken_copy(source, tmp_path.resolve() / "again"), home)
    replay = ("exec", "--replay", str(cassette), "--verify", RUN_TESTS, "--output-format", "json")
    replayed = again.run(*replay)
    assert replayed.code == 0, replayed.stdout + replayed.stderr
    for claw, done in ((first, recorded), (again, replayed)):
        assert done.json["changed_files"] == sorted(BREAKS)
        assert (done.json["tests"]["passed"], done.json["tests"]["failed"]) == (True, 0)
        assert done.json["tests"]["total"] > 100
        for name, (good, bad) in BREAKS.items():
            text = (claw.repository / name).read_text()
            assert (text.count(good), text.count(bad)) == (1, 0)
