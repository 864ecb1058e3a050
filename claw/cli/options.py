"""Options as one table with two readers.

`typer` reads it for help, completion and every error message. A plain reader of 30 lines takes the
command lines that need none of these: importing typer costs as much as a third of the whole way to
the first request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from keyword import iskeyword
from typing import Annotated, Any, NamedTuple

from claw.errors import UsageError


class Option(NamedTuple):
    """One option of a command. `type` is str, int, float, Path or bool (a flag without a value).

    `choices` are the values allowed; `many` lets the option stand several times.
    """

    flag: str
    type: type
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    many: bool = False
    default: Any = None

    @property
    def name(self) -> str:
        """As Python can say it: `--add-dir` → `add_dir`, `--continue` → `continue_`."""
        name = self.flag.lstrip("-").replace("-", "_")
        return name + "_" if iskeyword(name) else name

    def convert(self, text: str) -> Any:
        """*Errors*: ValueError."""
        if self.choices and text not in self.choices:
            raise ValueError(text)
        return self.type(text)


def read_plainly(options: Sequence[Option], argv: Sequence[str]) -> tuple[dict[str, Any], str | None] | None:
    """The options' values by name and the one positional argument; None where typer should look at it."""
    by_flag = {option.flag: option for option in options}
    values: dict[str, Any] = {option.name: [] if option.many else option.default for option in options}
    positional: str | None = None
    words = iter(argv)
    for word in words:
        if word == "-" or not word.startswith("-"):
            if positional is not None:
                return None
            positional = word
            continue
        flag, equals, text = word.partition("=")
        option = by_flag.get(flag)
        if option is None or (option.type is bool and equals):
            return None
        try:
            if option.type is bool:
                values[option.name] = True
                continue
            value = option.convert(text if equals else next(words))
        except (ValueError, StopIteration):
            return None
        if option.many:
            values[option.name].append(value)
        else:
            values[option.name] = value
    return values, positional


def typer_callback(options: Sequence[Option], run: Callable[..., None], doc: str) -> Callable[..., None]:
    """`run` as a function whose signature typer can read: `prompt` and every option, by name."""
    import inspect

    import typer

    def parameter(option: Option) -> inspect.Parameter:
        kind: Any = option.type
        # `float | None` and the like, so that an option that is not given is None.
        annotation = list[kind] if option.many else kind if kind is bool else kind | None
        info = typer.Option(
            option.flag,
            help=option.help,
            metavar=option.metavar or ("|".join(option.choices) or None),
            callback=_choice_checker(option) if option.choices else None,
            show_default=False,
        )
        return inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=[] if option.many else option.default,
            annotation=Annotated[annotation, info],
        )

    def callback(prompt: str | None = None, **values: Any) -> None:
        run(prompt, values)

    argument = typer.Argument(help="What to do; `-` reads it from stdin.", show_default=False)
    prompt = inspect.Parameter(
        "prompt", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Annotated[str | None, argument]
    )
    parameters = [prompt, *map(parameter, options)]
    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {each.name: each.annotation for each in parameters}
    callback.__doc__ = doc
    return callback


def _choice_checker(option: Option) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is not None and value not in option.choices:
            raise UsageError(f"{option.flag} {value}: allowed are {', '.join(option.choices)}")
        return value

    return check
