"""Twenty tools of rising difficulty, each called once: how many of the calls fit their schema?"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from claw.errors import TemporaryError
from claw.printable import one_line
from claw.protocol.messages import ToolSpec
from claw.providers.base import JsonSchema
from claw.providers.probe_checks import user
from claw.providers.probe_host import Probe
from claw.providers.probe_purse import MoneySpent
from claw.providers.probe_verdict import Verdict, fault, ok, unknown

N_AT_ONCE = 4
MIN_FITTING_SHARE = 0.95  # good hosts of Kimi keep every schema; 95 in 100 is where users begin to notice
MIN_ANSWERED = 10

STRING: JsonSchema = {"type": "string"}
INTEGER: JsonSchema = {"type": "integer"}
NUMBER: JsonSchema = {"type": "number"}
BOOLEAN: JsonSchema = {"type": "boolean"}
DATE: JsonSchema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "description": "YYYY-MM-DD"}


def enum(*values: str) -> JsonSchema:
    return {"type": "string", "enum": list(values)}


def array(items: JsonSchema, **limits: int) -> JsonSchema:
    return {"type": "array", "items": items, **limits}


def record(optional: tuple[str, ...] = (), **properties: JsonSchema) -> JsonSchema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


class Case(NamedTuple):
    tool: str
    parameters: JsonSchema
    wish: str


_POINT = record(x=NUMBER, y=NUMBER)
_PERSON = record(name=STRING, email={"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$"})
CASES = (
    Case("open_file", record(path=STRING), "Open the file src/main.py."),
    Case("set_volume", record(percent={"type": "integer", "minimum": 0, "maximum": 100}), "Set the volume to 35 %."),
    Case("switch_lamp", record(room=STRING, on=BOOLEAN), "Switch the lamp in the kitchen off."),
    Case("convert", record(amount=NUMBER, unit=enum("kg", "lb", "oz")), "Convert 2.5 kilograms."),
    Case("set_level", record(level={"type": "integer", "enum": [1, 2, 3]}), "Set the level to two."),
    Case("book_room", record(date=DATE, seats=INTEGER), "Book a room with 12 seats for 3 February 2027."),
    Case("add_tags", record(id=INTEGER, tags=array(STRING, minItems=2)), "Give entry 7 the tags 'red' and 'urgent'."),
    Case("find_files", record(("limit",), glob=STRING, limit=INTEGER), "Find all files that end in .md."),
    Case("draw_line", record(start=_POINT, end=_POINT), "Draw a line from 0,0 to 3.5,-2."),
    Case("send_mail", record(to=array(_PERSON, minItems=1), subject=STRING, body=STRING),
         "Mail Ann (ann@example.org) and Bo (bo@example.org) the subject 'Lunch' and the body 'At noon?'."),
    Case("write_file", record(path=STRING, text=STRING),
         'Write a file q.py whose only line is: print("it\'s", \'a "quote"\', "\\n")'),
    Case("replace_text", record(path=STRING, edits=array(record(old=STRING, new=STRING), minItems=2)),
         "In a.txt replace 'one' by 'two' and then 'x\\y' by 'x/y'."),
    Case("set_colour", record(rgb=array({"type": "integer", "minimum": 0, "maximum": 255}, minItems=3, maxItems=3)),
         "Set the colour to pure orange: red 255, green 165, blue 0."),
    Case("order", record(("note",), items=array(record(sku={"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
         quantity={"type": "integer", "minimum": 1}), minItems=3), note=STRING, express=BOOLEAN),
         "Order two of ABC-0001, one of XYZ-1234 and five of KLM-0077, by express."),
    Case("query", record(where=array(record(field=STRING, op=enum("eq", "lt", "gt"), value=STRING),
         minItems=2)), "Query the people whose age is above 30 and whose city equals Oslo."),
    Case("set_label", record(language=enum("日本語", "中文", "한국어"), text=STRING),
         "Set the Japanese label to こんにちは世界."),
    Case("plan_week", record(days=array(record(day=enum("mon", "tue", "wed", "thu", "fri"),
         tasks=array(record(title=STRING, minutes=INTEGER), minItems=1)), minItems=2)),
         "Plan: on Monday 'read' for 30 minutes and 'write' for 90, on Thursday 'rest' for 45."),
    Case("configure", record(server=record(host=STRING, ports=array(INTEGER, minItems=2), tls=record(enabled=BOOLEAN,
         versions=array(enum("1.2", "1.3"), minItems=1))), retries=INTEGER),
         "Configure the server db.example.org with ports 5432 and 5433, TLS on with version 1.3 only, and 3 retries."),
    Case("shift_cells", record(cells=array(record(row=INTEGER, column=INTEGER), minItems=2),
         by=record(rows=INTEGER, columns=INTEGER), wrap=BOOLEAN),
         "Shift the cells at row 1, column 2 and at row 3, column 4 by -1 rows and 0 columns, without wrapping."),
    Case("build_tree", record(root=record(name=STRING, children=array(record(name=STRING,
         children=array(record(name=STRING), minItems=1)), minItems=2))),
         "Build a tree: root 'a' with the children 'b' and 'c'; 'b' has the child 'd', 'c' has the child 'e'."),
)  # fmt: skip


class _Unanswered(NamedTuple):
    reason: str


async def schemas(probe: Probe) -> Verdict:
    bound = asyncio.Semaphore(N_AT_ONCE)

    async def one(case: Case) -> str | _Unanswered:
        async with bound:
            return await _call(probe, case)

    results = await asyncio.gather(*map(one, CASES), return_exceptions=True)
    if errors := [result for result in results if isinstance(result, BaseException)]:
        raise errors[0]  # only now that no request is under way any more
    answered = [result for result in results if isinstance(result, str)]
    missing = [result.reason for result in results if isinstance(result, _Unanswered)]
    misfits = [result for result in answered if result]
    said = f"{len(answered) - len(misfits)}/{len(answered)} calls fit their schema"
    if missing:
        said += f"; {len(missing)} without an answer ({missing[0]})"
    if len(answered) < MIN_ANSWERED:
        return unknown(said)
    if misfits:
        said += f"; {'; '.join(misfits[:3])}"
    fits = len(answered) - len(misfits) >= MIN_FITTING_SHARE * len(answered)
    if not fits:
        return fault(said)
    return unknown(said) if missing else ok(said)


async def _call(probe: Probe, case: Case) -> str | _Unanswered:
    """Empty if the model made one call that fits; else what is wrong with it."""
    tool = ToolSpec(case.tool, f"Does this: {case.tool.replace('_', ' ')}.", case.parameters)
    body = probe.body([user(f"{case.wish} Use the tool, once.")], tools=[tool], max_tokens=400)
    try:
        exchange = await probe.ask_or_refusal(body)
    except MoneySpent:
        return _Unanswered("the money ran out")
    except TemporaryError as error:
        return _Unanswered(str(error))
    if isinstance(exchange, str):
        return f"{case.tool} is refused: {one_line(exchange, 160)}"
    calls = exchange.message.tool_calls
    if len(calls) != 1:
        return f"{case.tool}: {len(calls)} calls"
    if calls[0].name != case.tool:
        return f"{case.tool}: {one_line(calls[0].name, 40)} was called instead"
    return _misfit(case, calls[0].arguments)


def _misfit(case: Case, arguments: str) -> str:
    import jsonschema

    try:
        value: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        return f"{case.tool}: not JSON: {one_line(arguments, 60)!r}"
    first = next(iter(jsonschema.Draft202012Validator(case.parameters).iter_errors(value)), None)
    return f"{case.tool}: {first.json_path}: {one_line(first.message, 80)}" if first else ""
