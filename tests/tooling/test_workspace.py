"""What a path of the model means: relative to the working folder, and as commands see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from claw.errors import ToolError
from claw.tooling.base import Workspace
from claw.tooling.boundary import Boundary
from tests.fakes.blobs import FakeBlobs
from tests.fakes.services import FakeCommands, FakeJobs

TMP = Path("/tmp").resolve()


def workspace(root: Path, *, private: Path | None = None, readable: tuple[Path, ...] = ()) -> Workspace:
    boundary = Boundary((root,), readable, (private,) if private else ())
    return Workspace(root, boundary, FakeBlobs(root), FakeCommands(), FakeJobs(), private_tmp=private)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path.resolve()
    for name in ("work", "private/sub"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("/tmp/claw-x", "private/claw-x"),
        ("/tmp/claw-x/../y", "private/y"),
        ("/tmp", "private"),
        ("//tmp/claw-x", None),
        ("/tmp/../etc", None),
        ("/tmp/a/../../etc", None),
        ("/tmpx", None),
        ("work", None),
    ],
)
def test_below_tmp_the_private_folder_is_meant(given: str, meant: str | None) -> None:
    root, private = Path("/srv/claw-none/work"), Path("/srv/claw-none/private")
    there = workspace(root, private=private)
    expected = (root / given).resolve() if meant is None else Path("/srv/claw-none") / meant
    if given != "//tmp/claw-x":
        assert there.resolve(given) == expected
    else:
        assert there.resolve(given) in (private / "claw-x", expected)
    assert workspace(root).resolve(given) == (root / given).resolve()


def test_what_is_mounted_below_tmp_is_meant_itself() -> None:
    root, blobs = TMP / "claw-none/work", TMP / "claw-none/blobs"
    private = Path("/srv/claw-none/private")
    there = workspace(root, private=private, readable=(blobs,))
    for path in (root, root / "a", blobs / "1", root.parent, TMP):
        assert there.resolve(str(path)) == path
        assert there.show(path) in (str(path), ".", "a")
    assert there.resolve("/tmp/claw-none/other") == private / "claw-none/other"
    assert there.resolve("../other") == private / "claw-none/other"
    assert there.show(private / "claw-none/other") == "/tmp/claw-none/other"
    assert there.show(private / "claw-none") == str(private / "claw-none")  # /tmp/claw-none is the real one


def test_a_link_to_tmp_leads_where_it_leads_commands(folder: Path) -> None:
    private = folder / "private"
    there = workspace(folder / "work", private=private)
    (folder / "work/link").symlink_to("/tmp/claw-none/x")
    (private / "sub/back").symlink_to("/tmp/claw-none/y")
    assert there.resolve("link") == private / "claw-none/x"
    assert there.resolve(str(private / "sub/back")) == private / "claw-none/y"
    assert there.resolve("link", follow_last=False) == folder / "work/link"


def test_a_link_at_the_end_may_be_meant_itself(folder: Path) -> None:
    there = workspace(folder / "work")
    (folder / "work/dir").symlink_to(folder / "private")
    (folder / "work/link").symlink_to("dir/sub")
    assert there.resolve("link") == folder / "private/sub"
    assert there.resolve("dir/../link", follow_last=False) == folder / "link"
    assert there.resolve("link", follow_last=False) == folder / "work/link"
    assert there.resolve("dir/sub", follow_last=False) == folder / "private/sub"
    assert there.resolve("dir/..", follow_last=False) == folder


@pytest.mark.parametrize("given", ["", "a\0b", "~nobody-has-this-name/x"])
def test_what_is_no_path(folder: Path, given: str) -> None:
    with pytest.raises(ToolError, match="not a path"):
        workspace(folder / "work").resolve(given)
