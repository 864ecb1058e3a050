"""Checks of the host as a server: there at all, key, model, stream, cache, limits."""

from __future__ import annotations

import difflib
import re
import time
from contextlib import aclosing
from typing import Any

import msgspec

from claw.errors import AuthError, HostUnavailable, ProviderError, QuotaExceeded, TemporaryError
from claw.printable import one_line
from claw.protocol.messages import AssistantMessage, Message, Prefix, Usage, UserMessage, as_content
from claw.providers.base import Chat, Reply
from claw.providers.probe_host import THINKING_ROOM_TOKENS, Probe
from claw.providers.probe_verdict import Hopeless, Verdict, fault, ok, unknown

MIN_STREAMED_DELTAS = 5
MIN_CACHED_SHARE = 0.5
TOKEN_SLACK = 8  # some hosts count the end of the reply too
_ABOUT_THE_KEY = re.compile(r"api[ _-]?key|unauthori[sz]ed|authenticat|credential", re.IGNORECASE)


def user(text: str) -> UserMessage:
    return UserMessage(as_content(text))


async def reachable(probe: Probe) -> Verdict:
    """Any answer will do: many hosts have no list of models."""
    started = time.monotonic()
    try:
        status, content_type, body = await probe.get("models")
    except HostUnavailable as error:
        raise Hopeless(str(error), unreachable=True) from None
    elapsed_ms = (time.monotonic() - started) * 1000
    said = f"answered in {elapsed_ms:.0f} ms"
    if status == 200:
        try:
            probe.listing = msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            if content_type.startswith("text/html"):
                return fault(f"{said} with a web page: the URL should end in /v1")
    if 300 <= status < 400:
        return fault(f"{said} with a redirect ({status}): give the URL that it redirects to as the host")
    return ok(said if status == 200 else f"{said}, {status} to GET /models")


async def key(probe: Probe) -> Verdict:
    variable = probe.endpoint.key_variable
    accepted = f"the key in {variable} is accepted" if probe.endpoint.key else "no key is set, and none is needed"
    try:
        exchange = await probe.ask(probe.body([user("Answer with the one word: ready")], max_tokens=16))
    except AuthError as error:
        raise Hopeless(f"{error}" if probe.endpoint.key else f"no key is set in {variable}, and {error}") from None
    except HostUnavailable as error:
        raise Hopeless(str(error), unreachable=True) from None
    except (TemporaryError, QuotaExceeded):
        raise
    except ProviderError as error:
        if _ABOUT_THE_KEY.search(str(error).replace(variable, "")):
            raise Hopeless(str(error)) from None
        return ok(f"{accepted}, but the request was refused: {error}")
    probe.served_as = exchange.model or probe.wire_model
    return ok(accepted)


async def model(probe: Probe) -> Verdict:
    asked = probe.wire_model
    served = f"served as {one_line(probe.served_as, 80)!r}" if probe.served_as not in ("", asked) else "served"
    entries = _models(probe.listing)
    if not entries:
        if probe.served_as:
            return ok(f"{served}; the host lists no models")
        return await _try_model(probe, "the host lists no models")
    entry = next((each for each in entries if each.get("id") == asked), None)
    if entry is None:
        ids = [str(each["id"]) for each in entries]
        near = difflib.get_close_matches(asked, ids, 3, cutoff=0.3) or ids[:3]
        names = ", ".join(one_line(name, 80) for name in near)
        missing = f"{asked!r} is not among the {len(ids)} that the host lists, such as {names}"
        return ok(f"{served}, though {missing}") if probe.served_as else await _try_model(probe, missing)
    if not probe.served_as:
        return await _try_model(probe, "the host lists it")
    window = next(
        (entry[name] for name in ("max_model_len", "context_length", "context_window") if name in entry), None
    )
    if isinstance(window, int) and 0 < window < probe.endpoint.context_window:
        return fault(
            f"the host holds {window:,} tokens where claw counts on {probe.endpoint.context_window:,}: "
            f"set context_window = {window} in [models.{msgspec.json.encode(probe.endpoint.model).decode()}]"
        )
    return ok(f"listed, {served}" + (f", a window of {window:,} tokens" if isinstance(window, int) else ""))


async def _try_model(probe: Probe, doubt: str) -> Verdict:
    """The first request did not get through; perhaps this one tells why."""
    answer = await probe.ask_or_refusal(probe.body([user("Answer with the one word: ready")], max_tokens=16))
    if isinstance(answer, str):
        return fault(f"{doubt}; {answer}")
    probe.served_as = answer.model or probe.wire_model
    return ok(f"served; {doubt}")


def _models(listing: Any) -> list[dict[str, Any]]:
    data = listing.get("data") if isinstance(listing, dict) else listing
    entries = data if isinstance(data, list) else []
    return [each for each in entries if isinstance(each, dict) and isinstance(each.get("id"), str)]


async def streaming(probe: Probe) -> Verdict:
    """Words one by one, a finish reason, and what they cost."""
    question = user("Write the numbers from one to forty in words, separated by commas, and nothing else.")
    exchange = await probe.ask(probe.body([question], max_tokens=400))
    faults = []
    times = exchange.read_ms
    if not exchange.is_stream or exchange.n_text_deltas == 1:
        faults.append("the answer came in one piece")
    elif exchange.n_text_deltas >= MIN_STREAMED_DELTAS and (
        len(times) == 1 or times[-1] - times[0] < 0.02 * times[0]
    ):  # fmt: skip
        faults.append(
            f"{exchange.n_text_deltas} deltas came all at once after {times[0]:.0f} ms: does a proxy hold them back?"
        )
    if not exchange.complete:
        faults.append("the stream ended without a finish reason and without [DONE], so no reply counts as whole")
    elif not exchange.finish_reason:
        faults.append("no finish reason")
    if not exchange.usage_place:
        faults.append("no usage is reported, so tokens and cost can only be estimated")
    if faults:
        return fault("; ".join(faults))
    if not exchange.n_text_deltas:
        return unknown(f"no words came; the reply ended with {one_line(exchange.finish_reason, 40)!r}")
    return ok(
        f"first byte after {exchange.first_byte_ms:.0f} ms, {exchange.n_text_deltas} deltas in {len(times)} reads, "
        f"usage {exchange.usage_place}"
    )


async def cache(probe: Probe) -> Verdict:
    """The same long beginning twice, through claw's own client; a second try if the host is slow to keep it."""
    nonce = f"{probe.dice.getrandbits(64):016x}"
    rules = (f"Rule {number}: the drawer numbered {number * 7919} holds only blue paper." for number in range(1, 161))
    provider = probe.provider(thinking=False, max_tokens=32)
    try:
        prefix = Prefix(f"Session {nonce}. You keep an archive.\n" + "\n".join(rules))
        chat = provider.open(prefix, session=nonce)
        messages: list[Message] = []
        shares: list[str] = []
        for attempt in range(3):
            if attempt:
                await probe.retry.sleep(probe.settle_s)
            messages.append(user("Answer with the one word: ready"))
            usage, reply = await ask_claw(probe, chat, messages, prefix)
            messages.append(reply if reply.content.strip() else AssistantMessage("ready"))
            if usage is None:
                return unknown("no usage is reported")
            if attempt:
                shares.append(f"{usage.cached:,} of {usage.input:,} tokens")
                if usage.cached >= MIN_CACHED_SHARE * usage.input:
                    return ok(f"{shares[-1]} from the cache on the {('second', 'third')[attempt - 1]} request")
    finally:
        await provider.close()
    return fault(
        f"{' and '.join(shares)} from the cache, so every turn is paid in full; or the host does not tell "
        "(vLLM does with --enable-prompt-tokens-details)"
    )


async def max_tokens(probe: Probe) -> Verdict:
    """A long answer under a short limit; the other spelling of the limit where this one does nothing."""
    name = probe.endpoint.dialect.max_tokens_field
    limit = 16
    body = probe.body(
        [user("Write the numbers from one to sixty in words, and nothing else.")], max_tokens=limit, exact=True
    )
    if name not in body:
        return ok("claw sends this host no limit, so there is none to honour")
    if await _stops(probe, body, limit):
        return ok(f"{name} is honoured")
    other = "max_tokens" if name == "max_completion_tokens" else "max_completion_tokens"
    body[other] = body.pop(name)
    if await _stops(probe, body, limit):
        return fault(f"{name} is ignored and {other} honoured: set max_tokens_field = {other!r}")
    return fault(f"neither {name} nor {other} ends a reply: a runaway reply costs what the host allows")


async def _stops(probe: Probe, body: dict[str, Any], limit: int) -> bool:
    exchange = await probe.ask(body)
    n_output = exchange.usage.output if exchange.usage else 0
    return exchange.finish_reason == "length" and n_output <= limit + TOKEN_SLACK


async def rate_limits(probe: Probe) -> Verdict:
    """Asks nothing: what the answers of the other checks said."""
    headers = ", ".join(f"{name}: {one_line(value, 40)}" for name, value in sorted(probe.rate_headers.items())[:8])
    told = f"the host tells {headers}" if headers else "the host tells no limits"
    if probe.refusals_429:
        n_refusals = len(probe.refusals_429)
        return ok(f"{n_refusals} request(s) met a 429, the first: {probe.refusals_429[0]}; {told}")
    return ok(f"no 429 was met; {told}")


async def ask_claw(
    probe: Probe, chat: Chat, messages: list[Message], prefix: Prefix
) -> tuple[Usage | None, AssistantMessage]:
    """One turn through claw's own client, on the probe's bill. Usage is None where the host reported none.

    *Errors*: ProviderError, MoneySpent.
    """
    n_input = probe.n_tokens(prefix.system) + sum(probe.n_tokens(str(message)) for message in messages)
    async with aclosing(chat.ask(messages)) as stream:
        with probe.purse.reserve(n_input, THINKING_ROOM_TOKENS) as bill:
            async for item in stream:
                if isinstance(item, Reply):
                    usage = None if item.is_estimate else item.usage
                    bill.pay(usage, item.message)
                    return usage, item.message
    raise AssertionError("a stream ends with a Reply")
