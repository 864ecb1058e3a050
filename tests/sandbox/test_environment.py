from __future__ import annotations

from pathlib import Path

import pytest

from claw.sandbox.environment import command_environment, folder_variables, looks_secret
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


SET = {
    "PAGER": "cat", "MANPAGER": "cat", "GIT_PAGER": "cat", "GIT_EDITOR": "true", "GIT_TERMINAL_PROMPT": "0",
    "TERM": "dumb", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1",
}  # fmt: skip


def test_the_whole_environment() -> None:
    environ = {
        "PATH": "/bin", "PYTHONPATH": "src", "LC_ALL": "C", "CONDA_PREFIX": "/c", "TZ": "UTC", "PAGER": "less",
        "X_TOKEN": "t", "CONDA_TOKEN": "t", "BASH_ENV": "evil.sh", "ENV": "evil.sh", "GIT_DIR": "/elsewhere",
        "GIT_AUTHOR_NAME": "Ada", "FORCE_COLOR": "1", "LD_PRELOAD": "x.so", "NODE_OPTIONS": "-r x", "DB_HOST": "h",
        "PYTHONSTARTUP": "x.py", "SSH_AUTH_SOCK": "/s", "CLAW_API_KEY": "k", "http_proxy": "http://u:p@proxy",
        "HTTPS_PROXY": "http://proxy",
    }  # fmt: skip
    assert command_environment(environ) == SET | {
        "PATH": "/bin", "PYTHONPATH": "src", "LC_ALL": "C", "CONDA_PREFIX": "/c", "TZ": "UTC",
        "HTTPS_PROXY": "http://proxy",
    }  # fmt: skip


def test_the_users_wishes() -> None:
    environ = {
        "DB_HOST": "h", "DB_PASSWORD": "p", "APP_TOKEN": "t", "LD_PRELOAD": "x", "LD_LIBRARY_PATH": "/l",
        "TMPDIR": "/t", "CLAW_HOME": "/c", "MOONSHOT_API_KEY": "k",
    }  # fmt: skip
    names = ("DB_*", "APP_TOKEN", "LD_LIBRARY_PATH", "TMPDIR", "MOONSHOT_API_KEY", "*")
    made = command_environment(environ, names=names, withheld={"MOONSHOT_API_KEY"}, added={"TMPDIR": "/p", "X": "1"})
    assert made == SET | {
        "DB_HOST": "h", "APP_TOKEN": "t", "LD_LIBRARY_PATH": "/l", "TMPDIR": "/t", "X": "1"
    }  # fmt: skip


def test_caches_and_temporary_files_have_folders_of_their_own() -> None:
    made = folder_variables(Path("/t"), Path("/c"))
    assert (made["TMPDIR"], made["XDG_CACHE_HOME"], made["npm_config_cache"]) == ("/t", "/c", "/c/npm")


async def test_commands_get_it_and_what_the_caller_adds(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "API_KEY": "k", "BASH_ENV": str(tmp_path / "evil.sh")}
    (tmp_path / "evil.sh").write_text("echo evil\n")
    commands = ShellCommands(environ, tmp_path, Plain())
    command = await commands.start('echo "$API_KEY|$ADDED|$TERM"', cwd=tmp_path, env={"ADDED": "yes"})
    await command.wait()
    assert command.output.text(100) == "|yes|dumb\n"


async def test_sh_runs_commands_where_there_is_no_bash(tmp_path: Path) -> None:
    commands = ShellCommands({"PATH": str(tmp_path)}, tmp_path, Plain())
    command = await commands.start('echo "hi $BASH_VERSION"; exit 3', cwd=tmp_path)
    assert (await command.wait(), command.output.text(100)) == (3, "hi \n")
