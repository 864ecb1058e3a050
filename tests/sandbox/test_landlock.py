"""The rules, on a child of the test: what each version of the kernel's interface can hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from claw.sandbox.spawner import kernel, landlock
from tests.sandbox.spawner_client import why_not

pytestmark = pytest.mark.skipif(why_not("landlock") != "", reason=why_not("landlock") or "-")


def confined(rules: landlock.Rules, attempt: Callable[[], object]) -> int:
    """The errno of `attempt` in a child under `rules`; 0 if it worked."""
    descriptor = rules.refreshed()
    child = os.fork()
    if not child:
        code = 255
        try:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            landlock.restrict(descriptor)
            attempt()
            code = 0
        except OSError as error:
            code = error.errno or 254
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def rules(*writable: Path, hidden: tuple[Path, ...] = (), version: int | None = None) -> landlock.Rules:
    devices = {b"/dev/null": landlock.DEVICE}
    version = landlock.abi() if version is None else version
    return landlock.Rules(map(os.fsencode, writable), devices, map(os.fsencode, hidden), True, version)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "f").write_text("f")
    (outside / "f").write_text("f")
    return inside, outside


@pytest.mark.parametrize("version", range(1, landlock.abi() + 1))
def test_every_version(folders: tuple[Path, Path], version: int) -> None:
    inside, outside = folders
    known = rules(inside, version=version)
    assert confined(known, lambda: (inside / "new").write_text("x")) == 0
    assert confined(known, lambda: (outside / "new").write_text("x")) == 13
    assert confined(known, lambda: (outside / "f").unlink()) == 13
    assert confined(known, lambda: Path("/dev/null").write_text("x")) == 0
    (inside / "sub").mkdir()
    moved = confined(known, lambda: (inside / "new").rename(inside / "sub" / "new"))
    assert moved == (18 if version == 1 else 0)  # EXDEV: to another folder it cannot be allowed before version 2
    assert confined(known, lambda: os.truncate(outside / "f", 0)) == (0 if version < 3 else 13)


def test_a_rule_set_costs_no_descriptor_and_is_used_again(folders: tuple[Path, Path]) -> None:
    known = rules(folders[0])
    first = known.refreshed()
    assert not os.get_inheritable(first)
    assert known.refreshed() == first
    before = len(os.listdir("/proc/self/fd"))
    for n in range(20):
        folders[0].rename(folders[0].with_name(f"old {n}"))
        folders[0].mkdir()
        known.refreshed()
    assert len(os.listdir("/proc/self/fd")) == before


def test_hidden_places_and_their_neighbours(folders: tuple[Path, Path], tmp_path: Path) -> None:
    inside, outside = folders
    (outside / "keys").mkdir()
    (outside / "keys" / "id").write_text("secret")
    known = rules(inside, hidden=(outside / "keys", tmp_path / "later" / "deep"))
    assert confined(known, (outside / "f").read_bytes) == 0
    assert confined(known, (outside / "keys" / "id").read_bytes) == 13
    assert confined(known, lambda: os.listdir(outside / "keys")) == 0  # names are not kept secret
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "public").write_text("x")
    (tmp_path / "later" / "deep").write_text("x")
    assert confined(known, (tmp_path / "later" / "public").read_bytes) == 0
    assert confined(known, (tmp_path / "later" / "deep").read_bytes) == 13


def test_hidden_inside_what_may_be_written(folders: tuple[Path, Path]) -> None:
    inside, _ = folders
    (inside / "secret").write_text("secret")
    (inside / "src").mkdir()
    known = rules(inside, hidden=(inside / "secret",))
    assert confined(known, lambda: (inside / "f").write_text("x")) == 0
    assert confined(known, lambda: (inside / "src" / "new").write_text("x")) == 0
    assert confined(known, lambda: (inside / "secret").write_text("x")) == 13
    assert confined(known, (inside / "secret").read_bytes) == 13
    assert confined(known, lambda: (inside / "new").write_text("x")) == 13  # the price: see `Rules`


def test_a_hidden_link_hides_nothing_but_a_link_to_what_is_hidden_is_no_way(folders: tuple[Path, Path]) -> None:
    inside, outside = folders
    (outside / "secret").write_text("secret")
    (inside / "link").symlink_to(outside / "secret")
    assert confined(rules(inside, hidden=(outside / "secret",)), (inside / "link").read_bytes) == 13


def test_what_is_not_there_is_left_out(folders: tuple[Path, Path]) -> None:
    assert confined(rules(folders[0], folders[1] / "nothing"), lambda: (folders[0] / "g").write_text("x")) == 0


def test_rights_by_version() -> None:
    assert landlock.known(landlock.CHANGES, 1) == 0b1111111110010
    assert landlock.known(landlock.CHANGES, 2) & landlock.REFER
    assert landlock.known(landlock.CHANGES, 3) & landlock.TRUNCATE
    assert landlock.known(landlock.CHANGES, 5) == landlock.CHANGES
