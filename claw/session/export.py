"""A session for people (Markdown) and for programs (JSON)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from claw.printable import one_line, printable
from claw.protocol import events as ev
from claw.protocol.details import CommandRun, FileDiffs
from claw.protocol.messages import Content, Image, Text, ToolCall, Video
from claw.redact import Redactor
from claw.session.base import SessionState
from claw.session.fold import Fold
from claw.tooling.truncate import head_and_tail

RESULT_LIMIT_CHARS = 4_000
_LINE_LIMIT_CHARS = 200
_FENCES = re.compile(r"`{3,}|~{3,}")


def redacted(events: Iterable[ev.Event], redactor: Redactor | None = None) -> Iterator[ev.Event]:
    """`events` without what `redactor` finds; without one, without what has the shape of a key."""
    return map((redactor or Redactor()).value, events)


def to_json(events: Iterable[ev.Event], *, redactor: Redactor | None = None, raw: bool = False) -> str:
    """`{"state": …, "events": […]}` with every payload in its place; plain ASCII, so safe on a terminal.

    Secrets are left out, see `redacted`, unless it shall be `raw`.
    """
    fold = Fold()
    records: list[object] = []
    for event in events if raw else redacted(events, redactor):
        fold(event)
        records.append(_as_record(event))
    state: dict[str, Any] = msgspec.to_builtins(fold.state())
    del state["messages"], state["prefix"]  # they are in the events
    return json.dumps({"state": state, "events": records}, indent=1) + "\n"


def to_markdown(
    events: Iterable[ev.Event],
    limit_chars: int = RESULT_LIMIT_CHARS,
    *,
    redactor: Redactor | None = None,
    raw: bool = False,
) -> str:
    """The conversation as it went: prompts, reasoning folded away, calls with arguments, results and diffs.

    Anything longer than `limit_chars` keeps its head and tail. Secrets as in `to_json`.
    """
    fold = Fold()
    blocks: list[str] = []
    for event in events if raw else redacted(events, redactor):
        fold(event)
        blocks += _blocks(event, limit_chars)
    return printable("\n\n".join([*_head(fold.state()), *blocks])) + "\n"


def moment(ts: float) -> str:
    """A moment as a person reads it, in local time; empty for 0."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(ts)) if ts else ""
    except (OverflowError, ValueError, OSError):  # a log may hold any number
        return ""


def cost(cost_usd: float | None) -> str:
    return "unknown" if cost_usd is None else f"${cost_usd:.4f}"


def _as_record(event: ev.Event) -> object:
    if isinstance(event, ev.UnknownEvent):
        try:
            return json.loads(event.raw)
        except (ValueError, RecursionError):
            return {"type": "unknown_event", "seq": event.seq, "ts": event.ts}
    return msgspec.to_builtins(event)


def _head(state: SessionState) -> list[str]:
    info = state.info
    facts = {
        "Session": info.id,
        "Folder": info.cwd,
        "Model": f"{info.model} on {info.host}",
        "From": f"{moment(info.started_ts)} to {moment(info.updated_ts)}" if info.started_ts else "",
        "Status": info.status,
        "Work": f"{info.n_turns} turns, {info.n_tool_calls} tool calls, {info.usage.total} tokens, "
        f"cost {cost(info.cost_usd)}",
    }
    lines = [f"- {name}: {_code(value)}" for name, value in facts.items() if value]
    lines += [f"- Changed: {_code(path)}" for path in state.changed_files]
    return [f"# {_plain(info.title or info.id)}", "\n".join(lines)]


def _blocks(event: ev.Event, limit_chars: int) -> Iterator[str]:
    match event:
        case ev.UserMessageAdded(message=message, source=source):
            yield f"## {'User' if source == 'user' else f'User ({_plain(source)})'}"
            yield _quote(_text_of(message.content))
        case ev.ReplyFinished(message=message):
            yield "## Assistant" + " (interrupted)" * message.interrupted
            if message.reasoning:
                yield f"<details><summary>Reasoning</summary>\n\n{_fenced(message.reasoning, 'text')}\n\n</details>"
            if message.content:
                yield _close_fences(message.content)
            for call in message.tool_calls:
                yield f"### Call of {_code(call.name)} {_code(call.id)}"
                yield from _arguments(call, limit_chars)
        case ev.ToolFinished():
            yield from _result(event, limit_chars)
        case ev.VerifyFinished(command=command, passed=passed, output=output):
            yield f"## Verification {'passed' if passed else 'failed'}: {_code(command)}"
            yield _fenced(head_and_tail(output, limit_chars), "text")
        case ev.Notice(text=text, level=level):
            yield _quote(f"{level}: {text}")
        case ev.RunFinished(run=run, status=status, error=error, duration_s=duration_s):
            reason = f": {_plain(error)}" if error else ""
            yield f"---\n\nRun {run} ended after {duration_s:.1f} s: {_code(status)}{reason}"


def _arguments(call: ToolCall, limit_chars: int) -> Iterator[str]:
    """One line an argument, text of several lines as a block; as received where it is no JSON object."""
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        yield _fenced(head_and_tail(call.arguments, limit_chars), "text")
        return
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if "\n" not in text and len(text) <= _LINE_LIMIT_CHARS:
            yield f"- {_plain(name)}: {_code(text)}"
        else:
            if not isinstance(value, str):
                text = json.dumps(value, ensure_ascii=False, indent=2)
            yield f"- {_plain(name)}:\n\n{_fenced(head_and_tail(text, limit_chars), 'text')}"


def _result(event: ev.ToolFinished, limit_chars: int) -> Iterator[str]:
    word = "Denied" if event.denied else "Error" if event.is_error else "Result"
    brief = f": {_plain(event.brief)}" if event.brief else ""
    yield f"### {word} of {_code(event.name)} {_code(event.call_id)} ({event.duration_s:.2f} s){brief}"
    if isinstance(event.details, FileDiffs):
        for change in event.details.changes:
            yield f"{_code(change.path)} {_plain(change.kind)}, +{change.n_added} -{change.n_removed}"
            if change.diff:
                yield _fenced(head_and_tail(change.diff, limit_chars), "diff")
        return
    if isinstance(event.details, CommandRun) and event.details.exit_code is not None:
        yield f"Exit code {event.details.exit_code}"
    if text := _text_of(event.content):
        yield _fenced(head_and_tail(text, limit_chars), "text")


def _text_of(content: Content) -> str:
    return "\n".join(part.text if isinstance(part, Text) else _media(part) for part in content)


def _media(part: Image | Video) -> str:
    what = "picture" if isinstance(part, Image) else "video"
    return f"({what}: {one_line(part.url.partition(',')[0], 80)})"


def _fenced(text: str, language: str) -> str:
    """A block that `text` cannot end: its fence is longer than any run of backticks within."""
    fence = "`" * max(3, 1 + _longest_run(text))
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"


def _code(text: str) -> str:
    """`text` as code within a line."""
    text = " ".join(text.split())
    fence = "`" * (1 + _longest_run(text))
    pad = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)


def _plain(text: str) -> str:
    """One line of text that stands for itself: nothing in it is markup."""
    return re.sub(r"([\\`*_\[\]<>#|&])", r"\\\1", " ".join(text.split()))


def _quote(text: str) -> str:
    """A quotation. A fence that is left open ends with it."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or ">"


def _close_fences(text: str) -> str:
    """The model's Markdown as it is, with a code block that it left open closed, so that ours still count."""
    opened = ""
    for line in text.splitlines():
        stripped = line.lstrip()
        if not (found := _FENCES.match(stripped)):
            continue
        if not opened:
            opened = found[0]
        elif stripped.rstrip() == found[0] and found[0].startswith(opened):
            opened = ""
    return f"{text}\n{opened}" if opened else text
