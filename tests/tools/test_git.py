"""The git tool on real repositories, friendly and hostile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from claw.protocol.details import Lines
from claw.tooling.base import Access, Effect, ToolResult, Workspace
from claw.tooling.registry import ToolRegistry
from claw.tools.git import Git
from tests.code.conftest import ENVIRON, git, make_hostile, make_repository
from tests.tools.conftest import Bench

GIT = Git()


@pytest.fixture
def repository(bench: Bench) -> Path:
    return make_repository(bench.cwd)


async def test_status(bench: Bench, repository: Path) -> None:
    clean = "## main\nnothing to commit, the work tree is clean\n"
    assert await bench.run(GIT, action="status") == ToolResult.of(clean, "2 lines", Lines("git status", 2))
    (repository / "edited.txt").write_text("new\n")
    (repository / "ä b.txt").touch()
    assert await bench.text(GIT, action="status") == '## main\n M edited.txt\n?? "ä b.txt"\n'


async def test_diff(bench: Bench, repository: Path) -> None:
    (repository / "edited.txt").write_text("edited.txt one\nnew\n")
    git(repository, "rm", "-q", "gone.txt")
    unstaged = await bench.text(GIT, action="diff")
    assert "-edited.txt two\n+new\n" in unstaged
    assert "gone.txt" not in unstaged
    assert "deleted file mode" in await bench.text(GIT, action="diff", staged=True)
    both = await bench.text(GIT, action="diff", revision="HEAD", stat=True)
    assert "2 files changed, 1 insertion(+), 3 deletions(-)" in both
    assert await bench.text(GIT, action="diff", paths=["kept.txt"]) == "(nothing)"
    assert await bench.text(GIT, action="diff", paths=["*.txt"]) == "(nothing)"  # literal


async def test_log_show_blame(bench: Bench, repository: Path) -> None:
    (repository / "edited.txt").write_text("edited.txt one\nnew\n")
    git(repository, "commit", "-qam", "second\n\nwith a body")
    log = (await bench.text(GIT, action="log")).splitlines()
    assert [line.partition(" Ada: ")[2] for line in log][1:] == ["first"]
    assert log[0].endswith(" Ada: (HEAD -> main) second") or log[0].endswith("second")
    assert len((await bench.text(GIT, action="log", max_count=1)).splitlines()) == 1
    assert "second" not in await bench.text(GIT, action="log", paths=["kept.txt"])
    assert "second" not in await bench.text(GIT, action="log", revision="HEAD~1")
    shown = await bench.text(GIT, action="show")
    assert "with a body" in shown
    assert "+new" in shown
    assert await bench.text(GIT, action="show", revision="HEAD~1:edited.txt") == "edited.txt one\nedited.txt two\n"
    assert "1 file changed" in await bench.text(GIT, action="show", revision="HEAD", stat=True)
    blame = await bench.text(GIT, action="blame", paths=["edited.txt"], start_line=2)
    assert blame.endswith(" 2) new\n")
    assert blame.count("\n") == 1
    assert (await bench.text(GIT, action="blame", paths=["edited.txt"], end_line=1)).count("\n") == 1


async def test_commit_takes_exactly_the_paths(bench: Bench, repository: Path) -> None:
    (repository / "new.txt").touch()
    (repository / "gone.txt").unlink()
    (repository / "kept.txt").write_text("staged by the user\n")
    git(repository, "add", "kept.txt")
    (repository / "edited.txt").write_text("not asked for\n")
    text = await bench.text(GIT, action="commit", message="- odd\n\n# kept\n", paths=["new.txt", "gone.txt"])
    assert "2 files changed" in text
    assert git(repository, "show", "--format=%an%n%B", "--name-status", "HEAD") == (
        "Ada\n- odd\n\n# kept\n\n\nD\tgone.txt\nA\tnew.txt\n"
    )
    assert git(repository, "status", "--short") == " M edited.txt\nM  kept.txt\n"


async def test_commit_without_paths_takes_what_is_staged(bench: Bench, repository: Path) -> None:
    (repository / "edited.txt").write_text("new\n")
    assert "no changes added to commit" in await bench.error(GIT, action="commit", message="m")
    git(repository, "add", "edited.txt")
    await bench.run(GIT, action="commit", message="staged")
    assert git(repository, "status", "--short") == ""


async def test_commit_errors(bench: Bench, repository: Path) -> None:
    assert await bench.error(GIT, action="commit") == "a commit needs a message."
    assert "did not match any files" in await bench.error(GIT, action="commit", message="m", paths=["nix"])
    assert "outside repository" in await bench.error(GIT, action="commit", message="m", paths=["../x"])
    (repository / "x.log").touch()
    assert "ignored" in await bench.error(GIT, action="commit", message="m", paths=["x.log"])
    assert git(repository, "log", "--format=%s") == "first\n"


def test_a_missing_author_is_told_and_nothing_is_staged(repository: Path, workspace: Workspace) -> None:
    """In a process of its own: the author comes from the environment too."""
    git(repository, "config", "--unset", "user.email")
    (repository / "edited.txt").write_text("new\n")
    code = f"""
from pathlib import Path
from claw.code.repository import Repository
from claw.errors import ToolError
try:
    Repository(Path({str(repository)!r})).commit(message="m", paths=["edited.txt"])
except ToolError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRON, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("git knows no author for the commit, and nothing was committed.")
    assert git(repository, "status", "--short") == " M edited.txt\n"


def test_variables_of_the_caller_lead_nowhere(repository: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other")
    code = f"""
from pathlib import Path
from claw.code.repository import Repository
print(Repository(Path({str(repository)!r})).status())
"""
    environ = {
        **ENVIRON,
        "GIT_DIR": f"{other}/.git",
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_EXTERNAL_DIFF": "false",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "## main\nnothing to commit, the work tree is clean\n\n"


@pytest.mark.parametrize("revision", ["--output=canary", "-O/etc/passwd", "--ext-diff", "HEAD\n--all", "a\0b"])
@pytest.mark.parametrize("action", ["diff", "log", "show", "blame"])
async def test_a_revision_is_never_an_option(bench: Bench, repository: Path, action: str, revision: str) -> None:
    assert "not a revision" in await bench.error(GIT, action=action, revision=revision, paths=["kept.txt"])
    assert not (repository / "canary").exists()


@pytest.mark.parametrize("action", ["diff", "log", "show", "blame", "commit"])
async def test_a_path_is_never_an_option(bench: Bench, repository: Path, action: str) -> None:
    (repository / "--output=canary").write_text("a\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "odd")
    (repository / "--output=canary").write_text("b\n")
    assert "odd" in await bench.text(GIT, action="log", paths=["--output=canary"])
    await bench.run(GIT, action=action, message="m", paths=["--output=canary"])
    assert not (repository / "canary").exists()


@pytest.mark.parametrize("path", ["", "a\0b"])
async def test_no_path(bench: Bench, repository: Path, path: str) -> None:
    assert "not a path" in await bench.error(GIT, action="commit", message="m", paths=[path])


async def test_other_errors(bench: Bench, repository: Path) -> None:
    assert "git refused: fatal: bad revision 'nix'" in await bench.error(GIT, action="log", revision="nix")
    assert "blame needs one path" in await bench.error(GIT, action="blame")
    (repository / "image").write_bytes(b"\x89PNG\0\0")
    git(repository, "add", ".")
    assert "binary file" in await bench.error(GIT, action="show", revision=":image")


async def test_no_repository(bench: Bench) -> None:
    message = f"git features are off here: {bench.cwd} is not in a git repository."
    assert await bench.error(GIT, action="status") == message


async def test_output_is_cut(bench: Bench, repository: Path) -> None:
    (repository / "edited.txt").write_text("".join(f"line {number}\n" for number in range(20_000)))
    text = await bench.text(GIT, action="diff")
    assert len(text) < 51_000
    whole = Path(text.partition("the whole is in ")[2].partition(" …]")[0])
    assert "+line 19999\n" in whole.read_text()
    (repository / "edited.txt").write_text("x" * 79 + "\n")
    (repository / "huge.txt").write_text(("x" * 79 + "\n") * 200_000)
    git(repository, "add", ".")
    assert "cut after 8388608 bytes" in (await bench.text(GIT, action="diff", staged=True))[-200:]


async def test_a_hostile_repository_runs_nothing(bench: Bench, repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    make_hostile(repository, canary)
    (repository / "edited.txt").write_text("edited.txt xxx\nedited.txt two\n")
    os.utime(repository / "kept.txt")
    assert "edited.txt" in await bench.text(GIT, action="status")
    assert "+edited.txt xxx" in await bench.text(GIT, action="diff")
    assert "first" in await bench.text(GIT, action="log", revision="main")
    assert "+kept.txt one" in await bench.text(GIT, action="show")
    assert "edited.txt xxx" in await bench.text(GIT, action="blame", paths=["edited.txt"])
    assert "'evil' is set up by this repository itself" in await bench.error(
        GIT, action="commit", message="m", paths=["edited.txt"]
    )
    # Without the filter the commit goes through, past hooks, signing and editor.
    (repository / ".git" / "info" / "attributes").write_text("* diff=evil\n")
    await bench.run(GIT, action="commit", message="second", paths=["edited.txt"])
    assert list(canary.iterdir()) == []
    assert git(repository, "-c", "core.fsmonitor=false", "log", "--no-show-signature", "--format=%s") == (
        "second\nfirst\n"
    )


def test_access(bench: Bench, repository: Path) -> None:
    git_dir = frozenset({repository / ".git"})

    def access(action: str) -> Access:
        return GIT.access(bench.params(GIT, action=action), bench.workspace)

    assert access("commit") == Access(Effect.WRITE, writes=git_dir, reads_all=True)
    assert access("diff") == Access(Effect.READ, reads=git_dir, reads_all=True)
    assert access("log") == Access(Effect.READ, reads=git_dir)
    edit = Access(Effect.WRITE, writes=frozenset({repository / "kept.txt"}))
    assert access("commit").conflicts(edit)
    assert access("log").conflicts(access("commit"))
    assert not access("log").conflicts(edit)


def test_summary_and_spec(bench: Bench) -> None:
    commit = bench.params(GIT, action="commit", message="Mend\n\nit", paths=["a", "b"])
    assert GIT.summary(commit) == "commit Mend a b"
    assert GIT.summary(bench.params(GIT, action="log", revision="a..b")) == "log a..b"
    (spec,) = ToolRegistry([GIT]).specs()
    assert spec.parameters["required"] == ["action"]
    assert all("type" in prop for prop in spec.parameters["properties"].values())  # type: ignore[attr-defined]
