"""The file tools against paths that want to lead out, and against a folder that becomes a link meanwhile.

Every call goes as in a session: what it touches is judged, and only what the boundary does not object to runs.
Each attack is run once more with one protection taken away, and must then succeed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import shutil
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claw.errors import ToolError
from claw.protocol.messages import Text, text_of
from claw.providers.dialect import Media
from claw.tooling.base import Access, Tool, ToolContext, Workspace
from claw.tooling.beneath import Opener
from claw.tooling.boundary import Boundary
from claw.tooling.disk import Disk
from claw.tooling.services import HostMedia
from claw.tools._search import Search, ripgrep_command
from claw.tools.edit import Edit
from claw.tools.glob import Glob
from claw.tools.grep import Grep
from claw.tools.ls import Ls
from claw.tools.patch import Patch
from claw.tools.read import Read
from claw.tools.view_media import ViewMedia
from claw.tools.write import Write
from tests.fakes.blobs import FakeBlobs
from tests.fakes.services import FakeCommands, FakeJobs
from tests.tools.trees import RIPGREP

CANARY = "canary-5f1e7b"
N_PATHS = 10_000
N_SWAPS = 1_000
# How often a path goes through a tool that is dear: a search starts a process.
_EVERY = {"grep": 25, "glob": 25}

MODES = ["content", "files", "count"]
NAMES = [
    *("src", "a.txt", "caf\u00e9.txt", "cafe\u0301.txt", "\ufb01le.txt", "SRC", "A.TXT", "a.txt.", "a.txt ", "src."),
    *("secret.txt", "deep", "id_rsa", ".ssh", ".SSH", "home", "outside", "app-evil", "work", ".env", ".env.local"),
    *(".git", ".GIT", ".g\u200cit", "hooks", "config", ".claw", ".cLaW", ".bashrc", "..", "..", "..", ".", "", "~"),
    *("to_file", "to_dir", "chain", "circle", "loop", "up", "key", "ring", "to_key", "dangling", "proc", "self"),
    *("n" * 255, "n" * 300, "new", "tab\tname", "new\nline", "esc\x1b[31m", "\u202egpj", "bad\udcff", "-x", "$HOME"),
]


class Yard:
    """A workspace beside what it must not reach: `outside`, `app-evil` with its name as a prefix, and a home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "app"
        self.hidden = (folder / "home/.ssh", folder / "app/src/.vault")
        for name in ("outside/secret.txt", "outside/deep/secret.txt", "app-evil/secret.txt", "home/.ssh/id_rsa"):
            self._plant(folder / name)
        self._plant(folder / "app/src/.vault/secret.txt")
        self._plant(folder / "outside/a.txt")
        self._plant(folder / "outside/src/a.txt")
        self.fill()
        self.before = self.outside()

    def _plant(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{CANARY}\n")

    def fill(self) -> None:
        """The traps, and files to work on; what a tool has removed is put back."""
        root, outside = self.root, self.folder / "outside"
        for name in ("a.txt", "src/a.txt", "src/deep/a.txt", "caf\u00e9.txt", ".git/config", "\ufb01le.txt"):
            path = root / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("one\n")
        if (root / ".env").is_dir():
            shutil.rmtree(root / ".env")
        (root / ".env").write_text(f"KEY={CANARY}\n")
        links = {
            "to_file": outside / "secret.txt", "to_dir": outside, "chain": root / "src/chain", "circle": "src/ring",
            "loop": ".", "up": "..", "key": self.folder / "home/.ssh", "to_key": self.folder / "home/.ssh/id_rsa",
            "dangling": outside / "new", "proc": "/proc/self/root", "self": "/proc/self/cwd/..",
            "src/chain": "../to_dir", "src/ring": "../circle", "src/up": "../..", "src/to_file": "../to_file",
        }  # fmt: skip
        for name, target in links.items():
            if not os.path.lexists(root / name):
                (root / name).symlink_to(target)
        if not os.path.lexists(root / "src/id_rsa"):
            os.link(self.folder / "home/.ssh/id_rsa", root / "src/id_rsa")

    def outside(self) -> dict[str, tuple[int, int, bytes]]:
        """What lies beside the root, and what is hidden in it: inode, mode, content."""
        found: dict[str, tuple[int, int, bytes]] = {}
        for top in ("outside", "app-evil", "home", "app/src/.vault", "app/.git"):
            for folder, _, names in os.walk(self.folder / top):
                for path in [Path(folder), *(Path(folder, name) for name in names)]:
                    info = path.lstat()
                    content = path.read_bytes() if path.is_file() else b""
                    found[str(path)] = info.st_ino, info.st_mode, content
        found["."] = 0, 0, " ".join(sorted(os.listdir(self.folder))).encode()
        return found


@dataclass(slots=True)
class Careless(Workspace):
    """Its disk follows links, as `open` does."""

    def disk(self, access: Access) -> Disk:
        return FollowingDisk(self.boundary, access.reads, access.writes, self.show)


class FollowingDisk(Disk):
    @property
    def _opener(self) -> Opener:
        return lambda name, flags, folder, mode=0o666: os.open(name, flags & ~os.O_NOFOLLOW, mode, dir_fd=folder)


class Attacker:
    """Calls tools as the executor does, and looks at all that comes back."""

    def __init__(self, yard: Yard, boundary: Boundary, kind: type[Workspace] = Workspace) -> None:
        self.yard = yard
        self.n_run = self.n_refused = 0
        self.leaks: list[str] = []
        media = HostMedia("somewhere", Media(images=("png",)))
        blobs = FakeBlobs(yard.folder / "app/blobs")
        self.workspace = kind(yard.root, boundary, blobs, FakeCommands(), FakeJobs(), media=media)

    async def call(self, tool: Tool[Any], **arguments: Any) -> str:
        params = msgspec.convert(arguments, tool.params)
        try:
            access = tool.access(params, self.workspace)
            self._require_allowed(access)
            with contextlib.suppress(ToolError):
                await tool.preview(params, self.workspace)
            content = (await tool.run(params, ToolContext("1", self.workspace, lambda event: None, access))).content
            said = text_of(tuple(part for part in content if isinstance(part, Text)))
            self.n_run += 1
        except ToolError as error:
            said = str(error)
            self.n_refused += 1
        found_outside = tool.name == "grep" and "flip/" in said and arguments["pattern"] == "canary"
        if CANARY in said or found_outside:
            self.leaks.append(f"{tool.name} {arguments!r}: {said}")
        return said

    def _require_allowed(self, access: Access) -> None:
        boundary = self.workspace.boundary
        for path in access.reads:
            if objection := boundary.objects_to_read(path):
                raise ToolError(objection.reason)
        for path in access.writes:
            if objection := boundary.objects_to_write(path):
                raise ToolError(objection.reason)

    async def try_path(self, path: str, number: int) -> None:
        await self.call(Read(), path=path)
        await self.call(Ls(), path=path)
        await self.call(ViewMedia(), path=path)
        match number % 5:
            case 0:
                await self.call(Edit(), path=path, edits=[{"old": "one", "new": "one one"}])
            case 1:
                await self.call(Write(), path=path, content="written\n")
            case 2:
                await self.call(Patch(), patch=f"*** Begin Patch\n*** Update File: {path}\n-one\n+two\n*** End Patch")
            case 3:
                await self.call(Patch(), patch=f"*** Begin Patch\n*** Delete File: {path}\n*** End Patch")
            case 4:
                moved = f"*** Begin Patch\n*** Update File: a.txt\n*** Move to: {path}\n*** End Patch"
                await self.call(Patch(), patch=moved)
        if number % _EVERY["grep"] == 0:
            await self.call(Grep(), pattern="canary|one", path=path, include_ignored=True)
        if number % _EVERY["glob"] == 1:
            await self.call(Glob(), pattern="**/*secret*", path=path)


def paths(yard: Yard, seed: int) -> Iterator[str]:
    """*Shapes*: none of them names anything outside the yard by an absolute path, so that a hole costs nothing."""
    rng = random.Random(seed)
    tops = [yard.root, yard.folder, yard.folder / "outside", yard.folder / "app-evil", yard.folder / "home/.ssh"]
    forms: list[Callable[[Path], str]] = [
        str,
        lambda top: f"//{top}",
        lambda top: f"/proc/self/root{top}",
        lambda top: f"/proc/{os.getpid()}/root{top}",
        lambda top: f"/proc/self/cwd/..{'/..' * 12}{top}",
        lambda top: f"proc{top}",
        lambda top: os.path.relpath(top, yard.root),
    ]
    while True:
        parts = [rng.choice(NAMES) for _ in range(rng.randint(1, 6))]
        tail = rng.choice(["/", "/", "/", "//", "/./"]).join(parts)
        path = tail if rng.random() < 0.6 else f"{rng.choice(forms)(rng.choice(tops))}/{tail}"
        if rng.random() < 0.1:
            path = unicodedata.normalize(rng.choice(["NFC", "NFD", "NFKC", "NFKD"]), path)
        if rng.random() < 0.05:
            path += rng.choice([".", " ", "/", "\x00", "\n", "/.", "/..", "\u200b"])
        if _stays_near(path, yard):
            yield path


def _stays_near(path: str, yard: Yard) -> bool:
    """Whether it leads into the yard or to nothing that is there: what is not judged must not be broken either."""
    if path.startswith("~") or "\0" in path:
        return True
    with contextlib.suppress(OSError, RuntimeError):
        return (yard.root / path).resolve().is_relative_to(yard.folder)
    return True


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    yard = Yard(tmp_path.resolve())
    monkeypatch.setenv("HOME", str(yard.folder / "home"))
    monkeypatch.chdir(yard.root)
    return yard


def strict(yard: Yard) -> Boundary:
    return Boundary((yard.root,), hidden=yard.hidden)


async def test_no_path_leads_out(yard: Yard) -> None:
    attacker = Attacker(yard, strict(yard))
    for number, path in zip(range(N_PATHS), paths(yard, seed=4), strict=False):
        await attacker.try_path(path, number)
        if number % 200 == 0:
            assert yard.outside() == yard.before, path
            yard.fill()
    assert attacker.leaks == []
    assert yard.outside() == yard.before
    assert attacker.n_run > N_PATHS / 20
    assert attacker.n_refused > N_PATHS


@pytest.mark.parametrize(
    ("boundary", "hole"),
    [
        (lambda yard: Boundary((yard.folder,), hidden=yard.hidden), "outside"),
        (lambda yard: Boundary((yard.root,)), ".vault"),
        (lambda yard: Boundary((yard.root,), hidden=(yard.root / "src/.vault",)), "src/id_rsa"),
    ],
    ids=["roots", "hidden", "hard-links"],
)
async def test_the_canary_is_reached_without_protection(
    yard: Yard, boundary: Callable[[Yard], Boundary], hole: str
) -> None:
    attacker = Attacker(yard, boundary(yard))
    await attacker.call(Grep(), pattern="canary")
    for number, path in zip(range(N_PATHS // 20), paths(yard, seed=4), strict=False):
        await attacker.try_path(path, number)
    assert any(hole in leak for leak in attacker.leaks)


async def test_grep_looks_into_no_secret_that_nobody_named(yard: Yard) -> None:
    attacker = Attacker(yard, strict(yard))
    for rg in (..., None):
        found = await attacker.call(Grep(rg), pattern="canary|one", include_ignored=True)  # type: ignore[arg-type]
        assert "src/a.txt:1:one" in found
        listed = await attacker.call(Glob(rg), pattern="src/**/*")  # type: ignore[arg-type]
        assert "src/deep/a.txt" in listed
        assert "id_rsa" not in listed
        assert "vault" not in listed
    assert "vault" not in await attacker.call(Ls(), path="src")
    assert attacker.leaks == []


class Swapper(threading.Thread):
    """Exchanges the folder `flip` of the workspace with a link to `outside`, until it is stopped."""

    def __init__(self, yard: Yard) -> None:
        super().__init__()
        self._names = [os.fsencode(yard.root / name) for name in ("flip", "aside")]
        self.n_swaps = 0
        self.stop = threading.Event()
        (yard.root / "flip/deep").mkdir(parents=True)
        (yard.root / "aside").symlink_to(yard.folder / "outside")
        (yard.root / "flip/a.txt").write_text("one\n")

    def run(self) -> None:
        renameat2, here, exchange = ctypes.CDLL(None).renameat2, -100, 2
        while not self.stop.is_set():
            assert renameat2(here, self._names[0], here, self._names[1], exchange) == 0
            self.n_swaps += 1
            self.stop.wait(0.0002)


linux = pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is a call of Linux")


async def swapping(yard: Yard, attacker: Attacker, rounds: Callable[[int, int], bool]) -> int:
    """Edits and reads in the folder that is swapped, as long as `rounds` of calls and swaps says."""
    swapper = Swapper(yard)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    swapper.start()
    n = 0
    try:
        while rounds(n, swapper.n_swaps):
            n += 1
            await attacker.call(Read(), path="flip/a.txt")
            await attacker.call(Ls(), path="flip")
            await attacker.call(
                Edit(), path="flip/a.txt", edits=[{"old": "one", "new": "one"}, {"old": "e", "new": "e "}]
            )
            await attacker.call(Write(), path=f"flip/new{n % 7}.txt", content=f"{n}\n")
            for line in (f"*** Add File: flip/deep/p{n % 7}.txt\n+x", f"*** Delete File: flip/deep/p{n % 5}.txt"):
                await attacker.call(Patch(), patch=f"*** Begin Patch\n{line}\n*** End Patch")
            await attacker.call(Grep(), pattern="canary", include_ignored=True, output_mode=MODES[n % 3])
            if n % 10 == 0:
                await attacker.call(Glob(), pattern="flip/**/secret*")
                await attacker.call(Glob(None), pattern="**/secret*")
                await attacker.call(Grep(None), pattern="canary", include_ignored=True)
    finally:
        swapper.stop.set()
        await asyncio.to_thread(swapper.join)
        sys.setswitchinterval(interval_s)
    return swapper.n_swaps


@linux
async def test_a_folder_that_becomes_a_link_leads_nowhere(yard: Yard) -> None:
    attacker = Attacker(yard, strict(yard))
    n_swaps = await swapping(yard, attacker, lambda n, n_swaps: n_swaps < N_SWAPS or n < 300)
    assert n_swaps >= N_SWAPS
    assert attacker.leaks == []
    assert yard.outside() == yard.before
    assert attacker.n_run > 100


@linux
async def test_it_leads_out_of_a_disk_that_follows_links(yard: Yard) -> None:
    attacker = Attacker(yard, strict(yard), Careless)
    limit = 100 * N_SWAPS
    await swapping(
        yard,
        attacker,
        lambda n, n_swaps: n < limit and not (attacker.leaks and yard.outside() != yard.before),
    )
    assert attacker.leaks
    assert yard.outside() != yard.before


@linux
@pytest.mark.skipif(RIPGREP is None, reason="ripgrep is not installed")
def test_it_leads_ripgrep_out_where_nothing_confines_it(yard: Yard) -> None:
    assert RIPGREP
    command = ripgrep_command(RIPGREP, Search("content", pattern=CANARY, include_ignored=True))
    swapper = Swapper(yard)
    swapper.start()
    try:
        found = (subprocess.run(command, cwd=yard.root, capture_output=True, check=False).stdout for _ in range(2_000))
        assert any(b"flip/a.txt" in output for output in found)
    finally:
        swapper.stop.set()
        swapper.join()
