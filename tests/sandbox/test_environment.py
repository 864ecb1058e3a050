from __future__ import annotations

from pathlib import Path

import pytest

from claw.sandbox.environment import command_environment, looks_secret
from claw.sandbox.plain import Plain
from claw.sandbox.process import ShellCommands


@pytest.mark.parametrize(
    "name",
    ["MOONSHOT_API_KEY", "CLOUDFLARE_API_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "MYSQL_PWD", "GH_PAT",
     "GOOGLE_APPLICATION_CREDENTIALS", "SMTP_PASS", "CLAW_API_KEY"],
)  # fmt: skip
def test_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["PATH", "HOME", "PWD", "OLDPWD", "SSH_AUTH_SOCK", "PYTHONPATH", "LANG", "PATTERN"])
def test_no_secrets(name: str) -> None:
    assert not looks_secret(name)


def test_the_whole_environment() -> None:
    environ = {
        "PATH": "/bin", "PYTHONPATH": "src", "X_TOKEN": "t", "BASH_ENV": "evil.sh", "GIT_DIR": "/elsewhere",
        "GIT_AUTHOR_NAME": "Ada", "PAGER": "less", "FORCE_COLOR": "1",
    }  # fmt: skip
    assert command_environment(environ) == {
        "PATH": "/bin", "PYTHONPATH": "src", "GIT_AUTHOR_NAME": "Ada", "PAGER": "cat", "MANPAGER": "cat",
        "GIT_PAGER": "cat", "GIT_EDITOR": "true", "GIT_TERMINAL_PROMPT": "0", "TERM": "dumb", "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip


async def test_commands_get_it_and_what_the_caller_adds(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "API_KEY": "k", "BASH_ENV": str(tmp_path / "evil.sh")}
    (tmp_path / "evil.sh").write_text("echo evil\n")
    commands = ShellCommands(environ, tmp_path, Plain())
    command = await commands.start('echo "$API_KEY|$ADDED|$TERM"', cwd=tmp_path, env={"ADDED": "yes"})
    await command.wait()
    assert command.output.text(100) == "|yes|dumb\n"


def test_sh_where_there_is_no_bash(tmp_path: Path) -> None:
    launch = Plain(search_path=str(tmp_path)).launch("echo hi", cwd=tmp_path, env={})
    assert launch.argv == ("/bin/sh", "-c", "--", "echo hi")


async def test_sh_runs_commands_too(tmp_path: Path) -> None:
    commands = ShellCommands({"PATH": "/usr/bin:/bin"}, tmp_path, Plain(search_path=str(tmp_path)))
    command = await commands.start("echo hi; exit 3", cwd=tmp_path)
    assert (await command.wait(), command.output.text(100)) == (3, "hi\n")
