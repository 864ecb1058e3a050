"""Checks of pictures in and of structure out."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from collections.abc import Sequence

from claw.printable import one_line
from claw.protocol.messages import Image, Text, UserMessage
from claw.providers.probe_checks import user
from claw.providers.probe_host import Probe
from claw.providers.probe_verdict import Verdict, fault, ok

COLOURS = {"red": (214, 24, 24), "green": (24, 160, 40), "blue": (24, 48, 214), "yellow": (244, 220, 24)}
IMAGE_EDGE_PX = 64


async def image(probe: Probe) -> Verdict:
    """One colour, chosen anew each time, so that it cannot be guessed."""
    colour = probe.dice.choice(sorted(COLOURS))
    url = "data:image/png;base64," + base64.b64encode(png(COLOURS[colour], IMAGE_EDGE_PX)).decode()
    question = f"Which colour fills this picture? Answer with one word out of: {', '.join(sorted(COLOURS))}."
    known = "png" in probe.endpoint.dialect.media.images
    message = UserMessage((Text(question), Image(url)))
    exchange = await probe.ask_or_refusal(probe.body([message], max_tokens=32))
    if isinstance(exchange, str):
        refused = f"a png is refused: {exchange}"
        return fault(refused) if known else ok(f"no pictures here, as claw's table says: {refused}")
    answer = exchange.message.content
    named = [name for name in COLOURS if re.search(rf"\b{name}\b", answer, re.IGNORECASE)]
    if named != [colour]:
        said = f"the picture is {colour}, and the model said {one_line(answer, 60)!r}"
        return fault(said) if known else ok(f"no pictures here, as claw's table says: {said}")
    return ok(f"a {colour} png was seen" + ("" if known else '; to use it, set media = { images = ["png", "jpeg"] }'))


def png(colour: Sequence[int], edge_px: int) -> bytes:
    """A square of one colour. *Source*: the PNG specification, colour type 2."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * edge_px) * edge_px
    head = struct.pack(">IIBBBBB", edge_px, edge_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")


CITY_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["city", "inhabitants"],
    "additionalProperties": False,
}


async def json_schema(probe: Probe) -> Verdict:
    """The prompt does not ask for JSON: only a host that holds the model to the schema gives it."""
    native = probe.endpoint.dialect.json_schema
    body = probe.body([user("Tell me in a few words about Paris.")], max_tokens=256)
    wanted = {"name": "city", "strict": True, "schema": CITY_SCHEMA}
    body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    exchange = await probe.ask_or_refusal(body)
    problem = f"refused: {exchange}" if isinstance(exchange, str) else _misfit(exchange.message.content)
    if not problem:
        return ok("held" if native else "held; claw only asks for it after json_schema = true")
    if native:
        return fault(f"claw counts on it, and it is not held: {problem}; set json_schema = false")
    return ok(f"not held, and claw does not count on it: {problem}")


def _misfit(text: str) -> str:
    import jsonschema

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return f"the answer is no JSON: {one_line(text, 60)!r}"
    error = jsonschema.Draft202012Validator(CITY_SCHEMA).iter_errors(value)
    first = next(iter(error), None)
    return f"the answer does not fit: {one_line(first.message, 80)}" if first else ""
