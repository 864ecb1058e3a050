"""Programs that start another one, taken off a command: `env A=1 timeout 60 uv run pytest -q` → `pytest -q`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from claw.agent.evidence.commandline import MAX_DEPTH, SimpleCommand, split_commands


class Launcher(Struct, frozen=True):
    """How a launcher's own words end.

    `verbs`: the subcommands that start a program, empty if it always does. `valued`: options that take
    the next word as their value. `n_operands`: its own words before the program (the seconds of `timeout`).
    """

    verbs: tuple[str, ...] = ()
    valued: str = ""
    n_operands: int = 0


_ENV_MANAGER = "-n --name -p --prefix --cwd -C --directory --project --python --env-file -e --env --environment"
_JS_OPTIONS = "-p --package -w --workspace -C --dir --filter -F --prefix --cwd --call -c"

_LAUNCHERS = {
    "command": Launcher(),
    "exec": Launcher(valued="-a"),
    "builtin": Launcher(),
    "nohup": Launcher(),
    "env": Launcher(valued="-u --unset -C --chdir"),
    "time": Launcher(valued="-f --format -o --output"),
    "timeout": Launcher(valued="-k --kill-after -s --signal", n_operands=1),
    "gtimeout": Launcher(valued="-k --kill-after -s --signal", n_operands=1),
    "nice": Launcher(valued="-n --adjustment"),
    "ionice": Launcher(valued="-c --class -n --classdata"),
    "taskset": Launcher(n_operands=1),
    "stdbuf": Launcher(valued="-i -o -e"),
    "unbuffer": Launcher(),
    "setsid": Launcher(),
    "chronic": Launcher(),
    "xvfb-run": Launcher(valued="-s --server-args -n --server-num -e --error-file -f --auth-file -w --wait"),
    "sudo": Launcher(valued="-u --user -g --group -D --chdir -C -h --host -p --prompt"),
    "doas": Launcher(valued="-u -C"),
    "xargs": Launcher(valued="-n -I -P -L -d -a -s --max-args --max-procs --delimiter --arg-file"),
    "uv": Launcher(
        ("run",),
        "--with --with-requirements --with-editable --extra --group --only-group --no-group --package --index -p "
        + _ENV_MANAGER,
    ),
    "uvx": Launcher(valued="--from --with --python -p"),
    "pipx": Launcher(("run",), "--spec --python"),
    "poetry": Launcher(("run",), _ENV_MANAGER),
    "pipenv": Launcher(("run",), _ENV_MANAGER),
    "pdm": Launcher(("run",), _ENV_MANAGER),
    "rye": Launcher(("run",), _ENV_MANAGER),
    "hatch": Launcher(("run",), _ENV_MANAGER),
    "pixi": Launcher(("run",), _ENV_MANAGER),
    "conda": Launcher(("run",), _ENV_MANAGER),
    "mamba": Launcher(("run",), _ENV_MANAGER),
    "micromamba": Launcher(("run",), _ENV_MANAGER),
    "direnv": Launcher(("exec",), n_operands=1),
    "bundle": Launcher(("exec",)),
    "npx": Launcher(valued=_JS_OPTIONS),
    "bunx": Launcher(valued=_JS_OPTIONS),
    "pnpx": Launcher(valued=_JS_OPTIONS),
    "npm": Launcher(("exec", "x"), _JS_OPTIONS),
    "pnpm": Launcher(("exec", "dlx"), _JS_OPTIONS),
    "yarn": Launcher(("exec", "dlx"), _JS_OPTIONS),
    "bun": Launcher(("x",), _JS_OPTIONS),
    "c8": Launcher(valued="-r --reporter -o --reports-dir -x --exclude -n --include"),
    "nyc": Launcher(valued="-r --reporter -x --exclude -n --include"),
    "cross-env": Launcher(),
}
# What stands in a container cannot be told apart without docker's own option table, so the first word
# that looks like a program to the caller is taken.
_CONTAINERS = frozenset({"docker", "docker-compose", "podman", "nerdctl", "kubectl"})
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
_ASSIGNMENT = r"[A-Za-z_][A-Za-z0-9_]*\+?="


def program_of(words: Sequence[str]) -> str:
    """The name of the program that `words` start, without its folder: `.venv/bin/pytest` → `pytest`."""
    return words[0].rsplit("/", 1)[-1] if words else ""


def without_launchers(words: Sequence[str]) -> Sequence[str]:
    """`words` from the program on that does the work; empty if nothing is started."""
    for _ in range(2 * MAX_DEPTH):
        while words and re.match(_ASSIGNMENT, words[0]):
            words = words[1:]
        launcher = _LAUNCHERS.get(program_of(words))
        if launcher is None:
            return words
        rest = _after_own_words(words, launcher)
        if rest is None:
            return words
        words = rest
    return words


def _after_own_words(words: Sequence[str], launcher: Launcher) -> Sequence[str] | None:
    """What the launcher starts, or None if this call of it starts nothing."""
    program, valued = program_of(words), launcher.valued.split()
    n_operands = launcher.n_operands + (1 if launcher.verbs else 0)
    at = 1
    while at < len(words):
        word = words[at]
        if program == "command" and word in ("-v", "-V"):
            return None
        if program in ("uv", "uvx") and word in ("-m", "--module") and n_operands == 0:
            return ("python", "-m", *words[at + 1 :])
        if word == "--":
            at += 1
            if n_operands == 0:
                break
        elif word.startswith("-") and len(word) > 1:
            at += 2 if word in valued else 1
        elif program in ("env", "sudo", "doas", "cross-env") and re.match(_ASSIGNMENT, word):
            at += 1
        elif n_operands > 0:
            if launcher.verbs and n_operands == launcher.n_operands + 1 and word not in launcher.verbs:
                return None
            n_operands -= 1
            at += 1
        else:
            break
    if launcher.verbs and n_operands > launcher.n_operands:
        return None
    return words[at:]


def in_container(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Each way to read the words after `docker run` or `exec` as a program with its arguments."""
    if program_of(words) in _CONTAINERS and any(verb in words for verb in ("run", "exec")):
        for at in range(3, min(len(words), 64)):
            yield words[at:]


def open_shells(commands: Sequence[SimpleCommand], depth: int = 0) -> Iterator[SimpleCommand]:
    """`commands` with every `bash -c "…"`, `eval "…"` and shell fed by a here-document replaced by what it runs."""
    for command in commands:
        words = without_launchers(command.words)
        if (script := _script_of(words, command.here_doc)) is None or depth >= MAX_DEPTH:
            yield command
            continue
        for i, inner in enumerate(open_shells(split_commands(script), depth + 1)):
            joined = command.joined if i == 0 else inner.joined
            yield SimpleCommand(inner.words, joined, inner.stdout_to or command.stdout_to, inner.here_doc)


def _script_of(words: Sequence[str], here_doc: str) -> str | None:
    program = program_of(words)
    if program == "eval":
        return " ".join(words[1:])
    if program not in _SHELLS:
        return None
    for at, word in enumerate(words[1:], 1):
        if re.fullmatch(r"[-+][a-z]*c[a-z]*", word):
            return next((w for w in words[at + 1 :] if not w.startswith("-")), "")
        if word in ("-o", "+o"):
            continue
        if not word.startswith(("-", "+")) and words[at - 1] not in ("-o", "+o"):
            return None
    return here_doc or None
