"""What claw asks of git, and that a repository cannot make it run anything."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from claw.code.git import (
    GitRefused,
    GitState,
    Location,
    find_repository,
    git_environment,
    git_state,
    locate,
    parse_state,
    protective_options,
)
from claw.code.snapshot import snapshot
from tests.code.conftest import ENVIRON, git, make_hostile, make_repository


async def state_of(folder: Path) -> GitState | None:
    return await git_state(folder, timeout_s=20, environ=ENVIRON)


async def test_a_clean_repository(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")[:9]
    state = await state_of(repository)
    assert state == GitState("main", head, 0)
    assert str(state) == f"branch main at {head}, clean"


async def test_changes_are_counted(repository: Path) -> None:
    (repository / "edited.txt").write_text("new\n")
    (repository / "gone.txt").unlink()
    (repository / "new folder").mkdir()
    (repository / "new folder" / "a\nb").touch()
    (repository / "x.log").touch()
    git(repository, "mv", "kept.txt", "renamed ä.txt")
    (repository / "sub").mkdir()
    state = await state_of(repository / "sub")
    assert state is not None
    assert state.n_changed == 4
    assert str(state).endswith(", 4 changed")


async def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    state = await state_of(tmp_path)
    assert state == GitState("main", "", 0)
    assert str(state) == "branch main, clean, no commits yet"


async def test_detached_and_behind(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), "clone")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    git(clone, "fetch", "-q")
    state = await state_of(clone)
    assert state is not None
    assert (state.upstream, state.n_ahead, state.n_behind) == ("origin/main", 0, 1)
    assert str(state).endswith(", 0 ahead of and 1 behind origin/main")
    git(clone, "checkout", "-q", "--detach")
    state = await state_of(clone)
    assert str(state).startswith("detached HEAD at ")


async def test_no_repository_is_none(tmp_path: Path) -> None:
    (tmp_path / "sub" / ".git").mkdir(parents=True)  # empty: git does not take it for one
    assert await state_of(tmp_path / "sub") is None
    assert await snapshot(tmp_path, environ=ENVIRON) is None
    assert find_repository(tmp_path) is None


async def test_no_git_is_none(repository: Path, tmp_path: Path) -> None:
    environ = {**ENVIRON, "PATH": str(tmp_path / "nothing")}
    assert await git_state(repository, environ=environ) is None
    assert await snapshot(repository, environ=environ) is None


async def test_a_broken_repository_is_none(repository: Path) -> None:
    (repository / ".git" / "config").write_text("[core\n")
    assert await state_of(repository) is None


async def test_a_repository_that_takes_too_long_is_unknown(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    environ = {**ENVIRON, "PATH": f"{tmp_path / 'bin'}:{ENVIRON['PATH']}"}
    started = time.monotonic()
    state = await git_state(repository, timeout_s=0.2, environ=environ)
    assert time.monotonic() - started < 5
    assert state == GitState("main", "", None)
    assert str(state) == "branch main, changes unknown (the repository is too large to look at in time)"
    assert await snapshot(repository, timeout_s=0.2, environ=environ) is None


def test_unknown_lines_are_passed_over() -> None:
    listing = b"# branch.oid (initial)\0# branch.head a b\0# stash 3\0! ignored\0? new\0\0"
    assert parse_state(listing) == GitState("a b", "", 1)


async def test_a_linked_work_tree(repository: Path, tmp_path: Path) -> None:
    linked = tmp_path.resolve() / "linked"
    git(repository, "worktree", "add", "-q", "-b", "other", str(linked))
    (linked / "new").touch()
    git_dir = repository / ".git" / "worktrees" / "linked"
    assert locate(linked) is None  # whoever wrote the work tree wrote the pointer
    assert locate(linked, follow_pointers=True) == Location(linked, git_dir, repository / ".git")
    state = await git_state(linked, follow_pointers=True, timeout_s=20, environ=ENVIRON)
    assert state is not None
    assert (state.branch, state.n_changed) == ("other", 1)


async def test_variables_of_the_caller_lead_nowhere(repository: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    git(other, "checkout", "-q", "-b", "elsewhere")
    environ = {
        **ENVIRON,
        "GIT_DIR": f"{other}/.git",
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": "/nonexistent/index",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": "touch /nonexistent",
    }
    assert (await git_state(repository, environ=environ)) == (await state_of(repository))


def test_the_whole_environment() -> None:
    environ = {"PATH": "/bin", "HOME": "/h", "GIT_DIR": "/x", "GIT_SSH_COMMAND": "evil", "GIT_AUTHOR_NAME": "Ada"}
    storing = {
        "PATH": "/bin", "HOME": "/h", "GIT_AUTHOR_NAME": "Ada", "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": "/nonexistent/grafts",
        "GIT_EDITOR": "true", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C",
    }  # fmt: skip
    assert git_environment(environ, system_config=True) == storing
    assert git_environment(environ) == {**storing, "GIT_CONFIG_NOSYSTEM": "1"}


async def test_a_hostile_repository_runs_nothing(repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    make_hostile(repository, canary)
    (repository / "edited.txt").write_text("edited.txt xxx\nedited.txt two\n")  # the same size
    os.utime(repository / "kept.txt")  # git must look into it, through the filter
    state = await state_of(repository)
    before = await snapshot(repository, environ=ENVIRON)
    assert list(canary.iterdir()) == []
    assert state is not None
    assert before is not None
    assert (state.n_changed, list(before.dirty)) == (1, ["edited.txt"])
    git(repository, "-c", "core.fsmonitor=false", "status", "--short")  # the trap is armed
    assert list(canary.iterdir()) != []


async def test_a_filter_in_an_included_file_is_found(repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (repository / ".git" / "more").write_text(f'[filter "x.y"]\n\tclean = touch {canary}; cat\n\trequired = true\n')
    with (repository / ".git" / "config").open("a") as config:
        config.write("[Include]\n\tpath = more\n")
    (repository / ".gitattributes").write_text("* filter=x.y\n")
    os.utime(repository / "kept.txt")
    state = await state_of(repository)
    assert state is not None
    assert (state.n_changed, canary.exists()) == (1, False)
    location = locate(repository)
    assert location is not None
    assert "filter.x.y.required=true" in protective_options(location, ENVIRON, strict_filters=True)


async def test_a_filter_that_cannot_be_switched_off(repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with (repository / ".git" / "config").open("a") as config:
        config.write(f'[filter "a=b"]\n\tclean = touch {canary}\n')
    (repository / ".gitattributes").write_text("* filter=a=b\n")
    os.utime(repository / "kept.txt")
    location = locate(repository)
    assert location is not None
    with pytest.raises(GitRefused, match="'a=b'"):
        protective_options(location, ENVIRON)
    assert await state_of(repository) is None
    assert not canary.exists()


async def test_the_configuration_cannot_point_git_elsewhere(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "secret.txt").touch()
    git(repository, "config", "core.worktree", str(tmp_path / "private"))
    before = await snapshot(repository, environ=ENVIRON)
    assert before is not None
    assert before.dirty == {}


async def test_nothing_is_fetched_for_a_partial_clone(repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", "clone")
    clone = tmp_path / "clone"
    git(clone, "config", "remote.origin.uploadpack", f"touch {canary}; git-upload-pack")
    git(clone, "config", "protocol.file.allow", "always")
    git(clone, "reset", "-q", "--mixed")
    (clone / "kept.txt").write_text("kept.txt one\nkept.txt two\n")
    from claw.code.git import run_git

    location = locate(clone)
    assert location is not None
    assert run_git(location, ["show", "HEAD:kept.txt"], 20, ENVIRON) is None
    assert not canary.exists()
    git(clone, "show", "HEAD:kept.txt")  # the trap is armed
    assert canary.exists()
