"""Opening what was judged: no link is followed, and nothing else is touched."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from claw.errors import ToolError
from claw.tooling.beneath import LIST, READ, descend, open_beneath
from claw.tooling.boundary import Boundary
from claw.tooling.disk import Disk, OpenFolder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "root"
    for name in ("a/b/c.txt", "keys/id", "keys/shown/log", "x.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/c.txt").write_text("outside")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "a/link.txt").symlink_to(tmp_path / "outside/c.txt")
    return root


def disk(root: Path, *, reads: list[str] = (), writes: list[str] = ()) -> Disk:  # type: ignore[assignment]
    boundary = Boundary((root,), readable=(root / "keys/shown",), scratch=(root / "keys/tmp",), hidden=(root / "keys",))
    return Disk(boundary, frozenset(root / name for name in reads), frozenset(root / name for name in writes), str)


def content(descriptor: int) -> str:
    with open(descriptor) as file:
        return file.read()


def test_what_was_judged_is_opened(root: Path) -> None:
    assert content(disk(root, reads=["a"]).open(root / "a/b/c.txt")) == "a/b/c.txt"
    assert content(disk(root, writes=["x.txt"]).open(root / "x.txt")) == "x.txt"
    assert content(disk(root, reads=["keys/shown"]).open(root / "keys/shown/log")) == "keys/shown/log"
    with disk(root, writes=["keys/tmp/x"]).parent_for_writing(root / "keys/tmp/x", make=True) as folder:
        assert os.path.samestat(os.fstat(folder), (root / "keys/tmp").stat())
    top = Disk(Boundary((Path("/"),)), frozenset({Path("/")}), frozenset(), str)
    os.close(top.open_folder(Path("/")))
    assert top.stat(Path("/")).st_ino == Path("/").stat().st_ino


@pytest.mark.parametrize("name", ["x.txt", "a/../x.txt", "../outside/c.txt", "ab"])
def test_what_was_not_judged_is_refused(root: Path, name: str) -> None:
    judged = disk(root, reads=["a"], writes=["a/b/c.txt"])
    for touch in (judged.open, judged.stat, judged.open_folder, judged.read_link):
        with pytest.raises((ToolError, ValueError)):
            touch(root / name)
    with pytest.raises(ToolError, match="leads to"), judged.parent_for_writing(root / "a/b/other.txt", make=True):
        pass


@pytest.mark.parametrize("name", ["link/c.txt", "link", "a/link.txt"])
def test_no_link_is_followed(root: Path, name: str) -> None:
    judged = disk(root, reads=[name], writes=[name, "link/new/c.txt"])
    for touch in (judged.open, judged.open_folder):
        with pytest.raises(OSError, match="link") as caught:
            touch(root / name)
        assert isinstance(caught.value, OSError)
    with pytest.raises(OSError, match="link"), judged.parent_for_writing(root / "link/new/c.txt", make=True):
        pass  # pragma: no cover
    assert os.listdir(root.parent / "outside") == ["c.txt"]


def test_what_is_hidden_stays_so_under_every_name(root: Path) -> None:
    os.link(root / "keys/id", root / "a/innocent")
    judged = disk(root, reads=["a", "keys"], writes=["keys/id", "keys/shown/log"])
    for name in ("keys/id", "keys", "a/innocent"):
        with pytest.raises(ToolError, match="holds keys"):
            judged.open(root / name)
    for name in ("keys/id", "keys/shown/log"):
        with pytest.raises(ToolError, match="holds keys"), judged.parent_for_writing(root / name):
            pass  # pragma: no cover
    (root / "keys").rename(root / "a/moved")
    (root / "keys").mkdir()
    again = disk(root, reads=["a"])
    assert content(again.open(root / "a/moved/id")) == "keys/id"  # another folder has its name by now


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a bind mount")
def test_a_hidden_folder_is_hidden_through_another_mount(root: Path) -> None:
    (root / "a/mount").mkdir()
    if os.spawnlp(os.P_WAIT, "mount", "mount", "--bind", str(root / "keys"), str(root / "a/mount")):
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(ToolError, match="holds keys"):
            disk(root, reads=["a"]).open(root / "a/mount/id")
    finally:
        os.spawnlp(os.P_WAIT, "umount", "umount", str(root / "a/mount"))


def test_parents_are_made_for_what_may_be_written(root: Path) -> None:
    with disk(root, writes=["n/e/w.txt"]).parent_for_writing(root / "n/e/w.txt", make=True) as folder:
        assert os.path.samestat(os.fstat(folder), (root / "n/e").stat())


def test_names_do_not_lead_up(root: Path) -> None:
    top = descend(str(root), ["a"])
    try:
        for path in ("../x.txt", "b/../../x.txt", ".."):
            with pytest.raises(ValueError, match="does not lead down"):
                open_beneath(top, path, READ)
        assert content(open_beneath(top, "./b//c.txt", READ)) == "a/b/c.txt"
        os.close(open_beneath(top, "", LIST))
    finally:
        os.close(top)


def test_what_a_search_may_show(root: Path) -> None:
    os.link(root / "keys/id", root / "a/innocent")
    folder = OpenFolder(disk(root, reads=["."]), root)
    try:
        assert folder.hidden == ("keys",)
        shown = {
            name: folder.regular(name) is not None
            for name in ("x.txt", "a/b/c.txt", "a/b", "a/link.txt", "link/c.txt", "keys/id", "a/innocent", "no", "../x")
        }
        assert [name for name, is_shown in shown.items() if is_shown] == ["x.txt", "a/b/c.txt"]
    finally:
        folder.close()


def test_no_descriptor_is_left_open(root: Path) -> None:
    judged = disk(root, reads=["a"])
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for name in ("a/link.txt", "a/none", "a/b/c.txt/x", "keys/id"):
        with pytest.raises((OSError, ToolError)):
            judged.open(root / name)
    assert judged.names_near(root / "a/none", 10) == ["b", "link.txt"] or judged.names_near(root / "a/none", 10)
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before
