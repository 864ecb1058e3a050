"""Checks of how the model speaks through this host: thinking and tool calls."""

from __future__ import annotations

import json
import re

from claw.printable import one_line
from claw.protocol.messages import (
    AssistantMessage,
    Message,
    Prefix,
    ToolCall,
    ToolMessage,
    ToolSpec,
    as_content,
)
from claw.providers.probe_checks import ask_claw, user
from claw.providers.probe_exchange import REASONING_KEYS, Exchange
from claw.providers.probe_host import Body, Probe
from claw.providers.probe_verdict import Verdict, fault, ok, unknown

WEATHER = ToolSpec(
    "get_weather",
    "The weather in a city at this moment.",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Name of the city."}},
        "required": ["city"],
    },
)
NOTE = ToolSpec(
    "read_note",
    "The text of a note.",
    {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
)
MIN_TRACE_TOKENS = 20  # by so many at least the long trace of the echo check makes a request longer
_TRACE = "I do not know the weather of today, so I have to ask the tool for Paris before I can answer. " * 4
_CANONICAL = re.compile(r"functions\.[^:\s]+:\d+")
_LEAKED = re.compile(r"<\|tool_calls?_(section_)?begin\|>|<tool_call>|functions\.get_weather:\d+")
_START_PARSER = "start the server with its tool-call parser (vLLM, SGLang: --tool-call-parser kimi_k2)"


async def reasoning(probe: Probe) -> Verdict:
    """Under which key the trace comes, and whether claw sends it back under one that the host knows."""
    question = user("What is the weather in Paris now? Ask the tool.")
    exchange = await probe.ask(probe.body([question], tools=[WEATHER], thinking=True, max_tokens=512))
    probe.first_call = exchange
    dialect = probe.endpoint.dialect
    if "<think>" in exchange.raw_text or "</think>" in exchange.raw_text:
        return fault(
            "the trace is mixed into the answer: start the server with its reasoning parser "
            "(vLLM, SGLang: --reasoning-parser kimi_k2)"
        )
    keys = exchange.reasoning_keys
    if not keys:
        if dialect.thinking == "none":
            return ok("no trace came: the model does not think, or the host keeps it to itself")
        return fault(f"thinking was asked for (thinking = {dialect.thinking!r}), and no trace came")
    found = f"the trace comes as {' and '.join(keys)}"
    if dialect.reasoning in REASONING_KEYS and dialect.reasoning not in keys:
        return fault(f"{found}, but claw sends it back as {dialect.reasoning}: set reasoning = {keys[0]!r}")
    if not exchange.message.reasoning and keys == ("reasoning_details",):
        return fault(f"{found}, which claw does not read")
    return ok(found)


async def echo(probe: Probe) -> Verdict:
    """Whether the trace must come back, and whether the host reads it: a dropped one makes no tokens."""
    keys = probe.first_call.reasoning_keys if probe.first_call else ()
    received = keys[0] if keys and keys[0] != "reasoning_content" else ""
    call = ToolCall("functions.get_weather:0", "get_weather", '{"city": "Paris"}')
    history: list[Message] = [
        user("What is the weather in Paris now? Ask the tool."),
        AssistantMessage(reasoning=_TRACE, tool_calls=(call,), reasoning_key=received),
        ToolMessage(call.id, call.name, as_content("18 degrees, light rain")),
    ]
    body = probe.body(history, tools=[WEATHER], thinking=True, max_tokens=16, exact=True)
    with_trace = await probe.ask_or_refusal(body)
    if isinstance(with_trace, str):
        return fault(f"a history as claw sends it is refused: {with_trace}")
    sent = sorted({name for message in body["messages"] for name in REASONING_KEYS if name in message})
    for message in body["messages"]:
        for name in REASONING_KEYS:
            message.pop(name, None)
    without = await probe.ask_or_refusal(body)
    if isinstance(without, str):
        return ok(f"required, and sent as {' and '.join(sent)}; without it: {without}")
    if not keys:
        return ok("accepted with and without the trace")
    if not sent:
        return ok("claw sends this host no trace, and it asks for none")
    if with_trace.usage and without.usage:
        n_more = with_trace.usage.input - without.usage.input
        if n_more < MIN_TRACE_TOKENS:
            return fault(
                f"the trace sent back as {' and '.join(sent)} is dropped: with it the request has {n_more} tokens "
                'more; the model forgets why it called a tool; try reasoning = "both"'
            )
        return ok(f"accepted without the trace; sent as {' and '.join(sent)} it is read ({n_more} tokens)")
    return ok("accepted with and without the trace; no usage tells whether it is read")


async def tool_run(probe: Probe) -> Verdict:
    """Two turns through claw's own client: a call, its result, an answer that uses it."""
    code = f"K-{probe.dice.randrange(1000, 9999)}"
    prefix = Prefix("You answer from notes, which you read with the tool.", (NOTE,))
    messages: list[Message] = [user("Which code is written in the note named 'safe'? Answer with the code alone.")]
    provider = probe.provider(thinking=True, max_tokens=512)
    try:
        chat = provider.open(prefix, session=f"doctor-{code}")
        _, first = await ask_claw(probe, chat, messages, prefix)
        if not first.tool_calls:
            return fault(f"the tool was not called; the model said {one_line(first.content, 80)!r}")
        messages.append(first)
        messages += (ToolMessage(each.id, each.name, as_content(f"The code is {code}.")) for each in first.tool_calls)
        _, last = await ask_claw(probe, chat, messages, prefix)
    finally:
        await provider.close()
    if code not in last.content:
        return fault(f"the answer does not use the tool's result: {one_line(last.content, 80)!r}")
    return ok("a call, its result and the answer went through claw's client")


async def parallel(probe: Probe) -> Verdict:
    question = user("What is the weather in Paris and in Tokyo? Ask the tool for both cities at once, in one reply.")
    n_calls = 0
    for _ in range(2):  # the model may have chosen otherwise once
        exchange = await probe.ask(probe.body([question], tools=[WEATHER], max_tokens=256))
        if leaked := _leak(exchange):
            return fault(leaked)
        calls = exchange.message.tool_calls
        n_calls = max(n_calls, len(calls))
        if len(calls) < 2:
            continue
        broken = [call.arguments for call in calls if _city(call) is None]
        if broken:
            return fault(f"arguments of parallel calls are mixed up: {one_line(broken[0], 80)!r}")
        if len(set(map(str, exchange.raw_ids))) < len(calls):
            return fault(f"{len(calls)} calls came with {len(set(map(str, exchange.raw_ids)))} different id(s)")
        return ok(f"{len(calls)} calls in one reply")
    if n_calls:
        return fault("calls come one at a time, so every tool costs a turn")
    return fault("no tool was called")


async def call_ids(probe: Probe) -> Verdict:
    """What ids look like here, and whether one of another form in the history spoils the next call."""
    seen = probe.first_call.raw_ids if probe.first_call else []
    form = "none"
    if seen:
        form = "functions.NAME:INDEX" if _CANONICAL.fullmatch(str(seen[0])) else one_line(str(seen[0]), 40)
    body = _second_call(probe)
    foreign = f"call_{probe.dice.getrandbits(48):012x}"
    problem = await _problem_with(probe, _with_id(body, foreign))
    if not problem:
        return ok(f"form {form}; an id of another form does no harm")
    if second := await _problem_with(probe, _with_id(body, "functions.get_weather:0")):
        return fault(f"form {form}; after a call in the history the next one fails: {second}")
    if probe.endpoint.dialect.canonical_call_ids:
        return ok(f"form {form}; others do harm ({problem}), and claw sends the canonical form")
    return fault(f"form {form}; an id of another form spoils the next call ({problem}): set canonical_call_ids = true")


def _second_call(probe: Probe) -> Body:
    call = ToolCall("functions.get_weather:0", "get_weather", '{"city": "Paris"}')
    history: list[Message] = [
        user("What is the weather in Paris now? Ask the tool."),
        AssistantMessage(reasoning="", tool_calls=(call,)),
        ToolMessage(call.id, call.name, as_content("18 degrees, light rain")),
        AssistantMessage("In Paris it is 18 degrees, with light rain."),
        user("And in Tokyo? Ask the tool again."),
    ]
    return probe.body(history, tools=[WEATHER], max_tokens=256)


def _with_id(body: Body, call_id: str) -> Body:
    changed: Body = json.loads(json.dumps(body))
    for message in changed["messages"]:
        for call in message.get("tool_calls", ()):
            call["id"] = call_id
        if message["role"] == "tool":
            message["tool_call_id"] = call_id
    return changed


async def _problem_with(probe: Probe, body: Body) -> str:
    """Empty if the model calls the tool for Tokyo."""
    exchange = await probe.ask_or_refusal(body)
    if isinstance(exchange, str):
        return exchange
    if leaked := _leak(exchange):
        return leaked
    calls = exchange.message.tool_calls
    if not calls:
        return f"no call, but {one_line(exchange.message.content, 60)!r}"
    if calls[0].name != "get_weather" or (_city(calls[0]) or "").casefold() != "tokyo":
        return f"the call is {one_line(f'{calls[0].name} {calls[0].arguments}', 80)}"
    return ""


def _leak(exchange: Exchange) -> str:
    """The host streamed the model's own tokens as text; claw reads them, but it must guess."""
    return f"calls come as text: {_START_PARSER}" if _LEAKED.search(exchange.raw_text) else ""


def _city(call: ToolCall) -> str | None:
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    city = arguments.get("city") if isinstance(arguments, dict) else None
    return city if isinstance(city, str) and city else None


async def thinking_off(probe: Probe) -> Verdict:
    exchange = await probe.ask(probe.body([user("What is 17 times 23? Answer with the number.")], max_tokens=64))
    content, trace = exchange.message.content, exchange.message.reasoning
    if (trace and trace.strip()) or "<think>" in exchange.raw_text:
        switch = probe.endpoint.dialect.thinking
        hint = (
            'try thinking = "chat_template" or "moonshot"' if switch == "none" else f"thinking = {switch!r} did nothing"
        )
        return fault(f"--thinking off has no effect: a trace of {len(trace or content)} characters came; {hint}")
    if not content.strip():
        return unknown(f"no answer came; the reply ended with {one_line(exchange.finish_reason, 40)!r}")
    return ok("no trace came")
