"""The `claw` command: one line per error, and the exit codes of `claw.errors.ExitCode`.

Nothing heavy is imported here: `claw --version` and the way to the first request of `claw exec` are
measured (see `benchmarks/`), and `tests/test_startup.py` holds the list of modules they may load.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from claw import __version__

if TYPE_CHECKING:
    import typer


COMMANDS = ("open", "exec", "demo", "doctor", "trust", "login", "logout", "sessions")
_OF_TYPER = ("--help", "--version", "--install-completion", "--show-completion")


def main() -> NoReturn:
    """Entry point of the `claw` script and of `python -m claw`."""
    argv = sys.argv[1:]
    if argv == ["--version"]:
        print(f"claw {__version__}")
        sys.exit(0)
    from claw.errors import ClawError

    try:
        sys.exit(_run(argv))
    except ClawError as error:
        from claw.printable import printable

        print(f"claw: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone; say nothing more, and keep Python from trying at exit.
        sys.stdout = None
        sys.exit(141)


def _run(argv: list[str]) -> int:
    _refuse_keys(argv)
    if argv[:1] == ["-p"]:
        argv = ["exec", *argv[1:]]
    if argv[:1] == ["exec"]:
        from claw.cli.exec import EXEC_OPTIONS, run_exec
        from claw.cli.options import read_plainly

        if (read := read_plainly(EXEC_OPTIONS, argv[1:])) is not None:
            values, prompt = read
            return run_exec(prompt, values)
    if not argv or (argv[0] not in COMMANDS and argv[0] not in _OF_TYPER):
        _refuse_near_misses(argv)
        from claw.cli.open import OPEN_OPTIONS, open_terminal
        from claw.cli.options import read_plainly

        if (read := read_plainly(OPEN_OPTIONS, argv)) is not None:
            values, prompt = read
            return open_terminal(prompt, values)
        argv = ["open", *argv]
    result = _build_app()(args=argv, prog_name="claw", standalone_mode=True)
    return int(result or 0)


def _refuse_near_misses(argv: list[str]) -> None:
    """A single word that is nearly a command is no prompt. *Errors*: UsageError."""
    if len(argv) == 1 and not argv[0].startswith("-") and len(argv[0].split()) == 1:
        import difflib

        if near := difflib.get_close_matches(argv[0], COMMANDS, 1, 0.75):
            from claw.errors import UsageError

            raise UsageError(f"there is no command {argv[0]!r}; did you mean `claw {near[0]}`?")


def _refuse_keys(argv: list[str]) -> None:
    from claw.errors import UsageError

    for word in argv:
        if word.partition("=")[0] in ("--api-key", "--key", "--token"):
            raise UsageError(
                "a key on the command line can be read by every process of the machine; "
                "set it in the environment instead, for example MOONSHOT_API_KEY"
            )


def _build_app() -> typer.Typer:
    """Typer, for help, completion, errors and the sub-commands that no script waits for."""
    import typer

    from claw.cli import demo, doctor, exec, login, open, sessions, trust
    from claw.cli.options import typer_callback

    app = typer.Typer(
        help="claw: a terminal coding agent for Kimi K2.6. Without a command it opens the terminal, with a prompt if "
        "there is one: `claw [OPTIONS] [PROMPT]`; the options are those of `claw open --help`.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            print(f"claw {__version__}")
            raise typer.Exit

    @app.callback()
    def root(
        version: bool = typer.Option(
            False, "--version", help="Show the version.", callback=show_version, is_eager=True
        ),
    ) -> None: ...

    def exec_and_exit(prompt: str | None, values: dict[str, object]) -> None:
        raise typer.Exit(exec.run_exec(prompt, values))

    def open_and_exit(prompt: str | None, values: dict[str, object]) -> None:
        raise typer.Exit(open.open_terminal(prompt, values))

    app.command("open", help=open.HELP)(typer_callback(open.OPEN_OPTIONS, open_and_exit, open.HELP))
    app.command("exec", help=exec.HELP)(typer_callback(exec.EXEC_OPTIONS, exec_and_exit, exec.HELP))
    app.command("demo", help=demo.HELP)(demo.demo)
    app.command("doctor", help=doctor.HELP)(doctor.doctor)
    app.command("trust", help=trust.HELP)(trust.trust)
    app.command("login", help=login.HELP)(login.login)
    app.command("logout", help=login.LOGOUT_HELP)(login.logout)
    app.add_typer(sessions.app, name="sessions")
    return app
