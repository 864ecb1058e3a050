"""The environment of commands: the user's own, without its secrets and without what waits for a keyboard."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|_PASS$|_PAT$|_PWD$", re.IGNORECASE)

# What would change how the shell runs a command, which repository git works on (claw may be started
# from a hook), or colour output in spite of NO_COLOR.
_DROPPED = frozenset({
    "BASH_ENV", "ENV", "PROMPT_COMMAND", "SHELLOPTS", "BASHOPTS", "CDPATH", "GLOBIGNORE", "POSIXLY_CORRECT",
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_EXTERNAL_DIFF",
    "FORCE_COLOR", "CLICOLOR_FORCE",
})  # fmt: skip

# Nobody sits at a keyboard: no pager, no prompt, no editor, no colours; and Python prints at once, so
# that its output can be watched.
_SET = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "MANPAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "PYTHONUNBUFFERED": "1",
}


def looks_secret(name: str) -> bool:
    """Whether a variable of this name is kept from commands. Its value is not looked at."""
    return _SECRET.search(name) is not None


def command_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` as commands get it; everything that is not dropped here stays, `PYTHONPATH` too."""
    kept = {name: value for name, value in environ.items() if name not in _DROPPED and not looks_secret(name)}
    return kept | _SET
