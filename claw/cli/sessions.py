"""`claw sessions`: what was done before, in plain text."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from claw.cli.tables import print_table
from claw.errors import UsageError
from claw.paths import find_home
from claw.printable import one_line, printable
from claw.protocol import events as ev
from claw.providers.keys import KeyStore
from claw.redact import Redactor, secret_values
from claw.session.base import SessionInfo, SessionState
from claw.session.export import cost, moment, redacted, to_json, to_markdown
from claw.session.fold import Fold
from claw.session.journal import LogReader
from claw.session.store import SessionStore

FORMATS = ("md", "json")
_EVENT_WIDTH = 120

app = typer.Typer(help="List, show, export and delete sessions.", no_args_is_help=True, rich_markup_mode=None)

SessionId = Annotated[str, typer.Argument(metavar="ID", help="The id of a session, or enough of its beginning.")]


@app.command("list")
def list_sessions(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    here: Annotated[bool, typer.Option("--here", help="Only those of the current folder.")] = False,
) -> None:
    """All sessions, the last used first."""
    infos = _redactor().value(list(_store().list()))
    if here:
        cwd = str(Path.cwd().resolve())
        infos = [info for info in infos if info.cwd == cwd]
    if as_json:
        for info in infos:
            _print_json(info)
        return
    if not infos:
        print("There are no sessions yet.")
        return
    print_table([("ID", "LAST USED", "STATUS", "TURNS", "COST", "FOLDER", "TITLE"), *map(_row, infos)])


@app.command()
def show(
    id: SessionId,
    events: Annotated[bool, typer.Option("--events", help="Every event of the log, one a line.")] = False,
    costs: Annotated[bool, typer.Option("--cost", help="Tokens and dollars by run and by tool.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --cost: one JSON object.")] = False,
) -> None:
    """What a session did: prompts, status, use, changed files, tests."""
    if events and costs:
        raise UsageError("--events and --cost show different things: give one of them")
    if as_json and not costs:
        raise UsageError("--json goes with --cost; for a whole session see `claw sessions export --format json`")
    reader = LogReader(_store().open(id))
    if costs:
        from claw.cli.costs import show_costs  # it brings the runtime

        show_costs(reader, as_json=as_json)
    elif events:
        for event in redacted(reader, _redactor()):
            print(_event_line(event))
    else:
        fold, prompts = Fold(), []
        for event in redacted(reader, _redactor()):
            fold(event)
            if isinstance(event, ev.UserMessageAdded) and event.source in ("user", "steer"):
                prompts.append(event.message.text)
        for name, value in _summary(fold.state(), prompts):
            print(f"{name:<14}{value}".rstrip())
    _warn_of_damage(reader)


@app.command()
def export(
    id: SessionId,
    format: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="Markdown or JSON.")] = "md",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Else to stdout.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="As it was kept: leave nothing out that looks secret.")] = False,
) -> None:
    """A whole session, to read or to process. What is secret, or looks so, is left out."""
    if format not in FORMATS:
        raise UsageError(f"--format {format}: allowed are {', '.join(FORMATS)}")
    reader = LogReader(_store().open(id))
    write = to_markdown if format == "md" else to_json
    text = write(reader, redactor=_redactor(), raw=raw)
    _warn_of_damage(reader)
    if output is None and sys.stdout.isatty():
        text = printable(text)
    data = text.encode("utf-8", "backslashreplace")
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None


@app.command()
def delete(
    id: SessionId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a session for good, with its log and blobs."""
    store = _store()
    folder = store.open(id)
    if not yes:
        title = next((info.title for info in store.list() if info.id == folder.id), "")
        typer.confirm(f"Delete session {folder.id} ({one_line(title, 60) or 'empty'})?", abort=True)
    store.delete(folder.id)
    print(f"deleted {folder.id}")


def _redactor() -> Redactor:
    """Knows the keys of today; those of former times by their shape alone."""
    kept = KeyStore(find_home(os.environ).config).values()
    return Redactor([*secret_values(os.environ), *kept])


def _store() -> SessionStore:
    return SessionStore(find_home(os.environ))


def _row(info: SessionInfo) -> tuple[str, ...]:
    cells = (
        info.id,
        moment(info.updated_ts),
        info.status,
        str(info.n_turns),
        cost(info.cost_usd),
        info.cwd,
        info.title,
    )
    return tuple(one_line(cell, 200) for cell in cells)


def _print_json(info: SessionInfo) -> None:
    """With every field, in ASCII: what a log holds must not steer a terminal."""
    print(json.dumps({name: msgspec.to_builtins(getattr(info, name)) for name in info.__struct_fields__}))


def _summary(state: SessionState, prompts: list[str]) -> list[tuple[str, str]]:
    info, usage = state.info, state.info.usage
    lines = [
        ("session", info.id),
        ("folder", info.cwd),
        ("model", f"{info.model} on {info.host}, mode {state.mode}, sandbox {state.sandbox}"),
        ("from", f"{moment(info.started_ts)} to {moment(info.updated_ts)}"),
        ("status", info.status),
        (
            "work",
            f"{_many(info.n_runs, 'run')}, {_many(info.n_turns, 'turn')}, {_many(info.n_tool_calls, 'tool call')}",
        ),
        ("tokens", f"{usage.input} in ({usage.cached} cached), {usage.output} out ({usage.reasoning} reasoning)"),
        ("cost", cost(info.cost_usd)),
        *_listed("prompts", prompts),
        *_listed("todo", [f"[{item.status}] {item.text}" for item in state.todo]),
        *_listed("changed", state.changed_files),
    ]
    if run := state.last_run:
        lines.append(("tests", _tests(run.tests)))
        lines += _listed("error", [run.error] if run.error else [])
        lines += _listed("result", run.result.splitlines())
    return [(name, printable(value)) for name, value in lines]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _listed(name: str, items: tuple[str, ...] | list[str]) -> list[tuple[str, str]]:
    """One line an item, named once."""
    return [(name if i == 0 else "", one_line(item, 400)) for i, item in enumerate(items)]


def _tests(tests: ev.Tests) -> str:
    if not tests.ran:
        return "none seen"
    verdict = {True: "passed", False: "failed", None: "ran, outcome not seen"}[tests.passed]
    counts = "" if tests.total is None else f", {tests.failed or 0} of {tests.total} failed"
    stale = ", but files were changed after that" if tests.stale else ""
    return f"{verdict}{counts}: {one_line(tests.command or '', 200)}{stale}"


def _event_line(event: ev.Event) -> str:
    record = msgspec.to_builtins(event, builtin_types=(bytes,))
    kind = record.pop("type")
    for name in ("session", "seq", "ts"):
        del record[name]
    content = event.raw if isinstance(event, ev.UnknownEvent) else msgspec.json.encode(record)
    line = one_line(content.decode("utf-8", "replace"), _EVENT_WIDTH)
    return f"{event.seq:>5}  {moment(event.ts)}  {kind:<20}  {line}"


def _warn_of_damage(reader: LogReader) -> None:
    if reader.damage:
        print(f"claw: {printable(reader.damage)}", file=sys.stderr)
