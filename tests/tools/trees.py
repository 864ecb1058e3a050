"""A tree with everything that a search has to get right, and the two ways to search it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from claw.tools._search import find_ripgrep

RIPGREP = find_ripgrep()
# None is the search in Python.
BOTH_WAYS = [
    pytest.param(RIPGREP, id="ripgrep", marks=pytest.mark.skipif(RIPGREP is None, reason="ripgrep is not installed")),
    pytest.param(None, id="python"),
]

FILES = {
    ".gitignore": b"*.log\n/build/\nnode_modules/\n!kept.log\n",
    ".github/ci.yml": b"run: needle\n",
    "a.py": b"import os\n\ndef needle():\n    return 1\n\n\n# end\n",
    "b/.gitignore": b"secret.txt\n!loud.log\n",
    "b/c.py": b"x = needle()\r\ny = 2\r\nz = Needle\r\n",
    "b/loud.log": b"needle in a kept log\n",
    "b/secret.txt": b"needle\n",
    "b/quiet.log": b"needle\n",
    "b.txt": b"first needle\nsecond needle\n",
    "build/out.txt": b"needle\n",
    "c/build/in.txt": b"deep needle\n",
    "kept.log": b"needle\n",
    "node_modules/x/i.js": b"needle\n",
    "latin.txt": b"caf\xe9 needle\n",
    "utf16.txt": "wide needle\n".encode("utf-16"),
    "binary.bin": b"needle\0\n",
    "no newline.txt": b"last needle",
    "-dash.txt": b"needle\n",
    ".git/description": b"needle\n",
    "inner/.git/HEAD": b"needle\n",
    "inner/app.log": b"needle of another repository\n",
    "empty.txt": b"",
}
VISIBLE = [
    *("-dash.txt", ".github/ci.yml", "a.py", "b.txt", "b/c.py", "b/loud.log", "c/build/in.txt"),
    *("inner/app.log", "kept.log", "latin.txt", "no newline.txt", "utf16.txt"),
]


def plant(folder: Path) -> None:
    """A repository in `folder`, with another one in it."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "link.py").symlink_to("a.py")
    (folder / "loop").symlink_to(".")
