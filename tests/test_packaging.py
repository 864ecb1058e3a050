"""What is installed is what is in the repository."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA_SUFFIXES = {".md", ".toml", ".scm", ".tcss", ".jsonl"}
# Top-level folders that are installed below `claw`.
MAPPED = {"tools": "claw.tools", "local_engine": "claw.local_engine", "themes": "claw.themes"}


def package_folders() -> dict[str, Path]:
    """Package name → folder, of everything on the disk that has an `__init__.py`."""
    found = {}
    for top in ("claw", *MAPPED):
        for init in (ROOT / top).rglob("__init__.py"):
            folder = init.parent
            if "project" in folder.relative_to(ROOT).parts:
                continue
            name = ".".join((MAPPED.get(top, top), *folder.relative_to(ROOT / top).parts))
            found[name] = folder
    return found


def test_the_package_list_agrees_with_the_disk() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(package_folders())


def test_nothing_hides_tools() -> None:
    assert not (ROOT / "claw" / "tools").exists()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, so that no build folder is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    subprocess.run(["git", "-C", ROOT, "checkout-index", "--all", f"--prefix={tree}/"], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, tree],
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_every_module_and_every_data_file(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    wanted = set()
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "claw", *MAPPED], capture_output=True, text=True, check=True
    )
    for name in tracked.stdout.splitlines():
        top, _, rest = name.partition("/")
        if Path(name).suffix in DATA_SUFFIXES | {".py"} or "/project/" in name:
            wanted.add(f"{MAPPED.get(top, top).replace('.', '/')}/{rest}")
    assert wanted
    assert wanted - inside == set()
    assert not [name for name in inside if name.split("/")[0] in ("tools", "tests", "benchmarks")]
