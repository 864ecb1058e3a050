"""A host of Kimi K2.6 on loopback that holds every request to its own rules."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.answers import DONE, Answer, chunk, status
from tests.fakes.model_server import Request
from tests.hosts.checks import Refused, Wire, check, thinks
from tests.hosts.conversation import Heard, History, Said, SimulatedModel
from tests.hosts.rules import HostRules

CUT_AT_TOKENS = 16
MAX_REPLY_TOKENS = 262_144
DEFAULT_LIMIT_TOKENS = 32_768
_SECTION = "<|tool_calls_section_begin|>"

Fault = Callable[[Answer], Answer]


class EnforcingHost:
    """The script of a `ModelServer`: checks a request, lets the model answer, and says it in the host's form.

    `faults` makes of the n-th answer to a request that keeps the rules (counted from 0) another one, as a 429.
    `refusals` are the refusals so far, `degraded` what was no reason to refuse and made the model worse.
    """

    def __init__(self, rules: HostRules, model: SimulatedModel, faults: Mapping[int, Fault] | None = None) -> None:
        self.rules = rules
        self.model = model
        self.refusals: list[str] = []
        self.degraded: list[str] = []
        self.affinities: set[str] = set()
        self.n_cached_tokens = 0
        self.n_requests = 0
        self.n_thoughts = 0
        self._faults = faults or {}
        self._cache: dict[str, bytes] = {}

    def __call__(self, request: Request) -> Answer:
        try:
            check(self.rules, request)
        except Refused as refused:
            self.refusals.append(refused.message)
            return status(
                refused.status, refused.error_type, refused.message, {"x-trace-id": f"trace-{self.n_requests}"}
            )
        answer = self._answer(request)
        self.n_requests += 1
        fault = self._faults.get(self.n_requests - 1)
        return fault(answer) if fault else answer

    def _answer(self, request: Request) -> Answer:
        body = request.body
        usage = self._usage(request)
        thinking = thinks(self.rules, body)
        if fault := self._sampling_fault(body, thinking):
            self.degraded.append(fault)
            return self._encode(Said("the the the the the the", "the the" if thinking else None), usage)
        if fault := self._id_fault(body["messages"]):
            self.degraded.append(fault)
            # The parser found no call in this; nor can anyone else: there is no name, and no end.
            return self._encode(Said(f'{_SECTION}<|tool_call_begin|>3<|tool_call_argument_begin|>{{"pa'), usage)
        if self.rules.schemas == "blocks_tools" and "response_format" in body:
            self.degraded.append("the grammar of the schema left no room for a call")
            return self._encode(Said("{}"), usage)
        limit = self._limit(body)
        said = self.model.reply(_history(self.rules, body))
        if not thinking and said.reasoning is not None:
            said = Said(said.content, None, said.calls, said.expects, said.image, said.raw)
        if limit <= CUT_AT_TOKENS:
            self.degraded.append(f"the reply was cut at {limit} tokens")
            words = " ".join((said.reasoning or said.content).split()[:limit])
            return self._encode(Said("", words), usage, "length")
        n_calls = sum(len(message.get("tool_calls", ())) for message in body["messages"])
        return self._encode(said, usage, first_index=n_calls)

    def _limit(self, body: Wire) -> int:
        """The longest reply in tokens. A field that is not honoured leaves the gateway's own small number."""
        fields = [name for name in ("max_tokens", "max_completion_tokens") if name in body]
        honoured = [body[name] for name in fields if name in self.rules.limit_fields]
        if honoured:
            return int(min(honoured))
        return CUT_AT_TOKENS if fields else DEFAULT_LIMIT_TOKENS

    def _sampling_fault(self, body: Wire, thinking: bool) -> str:
        if self.rules.sampling != "expected":
            return ""
        wanted = {"temperature": 1.0 if thinking else 0.6, "top_p": 0.95}
        got = {name: body.get(name) for name in wanted}
        return "" if got == wanted else f"sampling with {got} instead of {wanted} degenerates"

    def _id_fault(self, messages: Sequence[Wire]) -> str:
        """*Source*: the vendor's note on renaming ids; the index counts over the whole conversation."""
        if not self.rules.canonical_ids:
            return ""
        calls = [call for message in messages for call in message.get("tool_calls", ())]
        for index, call in enumerate(calls):
            if call["id"] != (wanted := f"functions.{call['function']['name']}:{index}"):
                return f"the parser stumbles over the foreign id {call['id']!r}, which should be {wanted!r}"
        return ""

    def _usage(self, request: Request) -> Wire:
        """Tokens of four bytes; those in the cache are what the last request of this client began with, too."""
        client = request.headers.get(self.rules.affinity, "") if self.rules.affinity else "any"
        if client:
            self.affinities.add(client)
        before = self._cache.get(client, b"") if client else b""
        messages, _, tools = request.raw.partition(b'"tools":')
        sent = tools + messages  # the model's template puts the tools first
        n_cached = _n_same_bytes(before, sent) // 4
        self._cache[client] = sent
        self.n_cached_tokens += n_cached
        n_input = len(request.raw) // 4
        usage: Wire = {"prompt_tokens": n_input, "completion_tokens": 20, "total_tokens": n_input + 20}
        if self.rules.strict:
            return {**usage, "cached_tokens": n_cached}
        return {**usage, "prompt_tokens_details": {"cached_tokens": n_cached}}

    def _encode(self, said: Said, usage: Wire, finish_reason: str = "", first_index: int = 0) -> Answer:
        rules = self.rules
        ids = [self._id(name, index, first_index) for index, (name, _) in enumerate(said.calls)]
        deltas: list[Wire] = [{"role": "assistant", "content": ""}]
        if said.reasoning is not None:
            self.n_thoughts += 1
            deltas += [{rules.reasoning_out: piece} for piece in _thirds(said.reasoning)]
        content = said.content
        if said.raw:
            content += _raw_calls(said.calls, first_index)
        deltas += [{"content": piece} for piece in _thirds(content) if piece]
        for index, (name, arguments) in enumerate(() if said.raw else said.calls):
            place = {"index": 0 if rules.one_index else index}
            head = {**place, "id": ids[index], "type": "function"}
            if rules.one_index:
                deltas.append({"tool_calls": [{**head, "function": {"name": name, "arguments": arguments}}]})
                continue
            deltas.append({"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]})
            deltas += [{"tool_calls": [{**place, "function": {"arguments": part}}]} for part in _thirds(arguments)]
        reason = finish_reason or ("tool_calls" if said.calls and not said.raw else "stop")
        pieces = [chunk(delta) for delta in deltas]
        if rules.usage_in_choice:
            choice = {"index": 0, "delta": {}, "finish_reason": reason, "usage": usage}
            pieces.append(chunk(choices=[choice]))
        else:
            pieces += [chunk({}, reason), chunk(usage=usage)]
        return Answer((b"".join(pieces), DONE), headers={"Content-Type": "text/event-stream; charset=utf-8"})

    def _id(self, name: str, index: int, first_index: int) -> str:
        if self.rules.ids == "opaque":
            seed = f"{first_index + index}".encode()
            return self.rules.id_prefix + hashlib.sha256(seed).hexdigest()[:24]
        return f"functions.{name}:{index + (first_index if self.rules.ids == 'global' else 0)}"


def _history(rules: HostRules, body: Wire) -> History:
    replies: list[Heard] = []
    user_texts: list[str] = []
    slots: dict[str, int] = {}
    n_images = 0
    for message in body["messages"]:
        content = message.get("content") or ""
        if isinstance(content, list):
            n_images += sum(part["type"] == "image_url" for part in content)
        if message["role"] == "user":
            texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
            user_texts.append("\n".join(texts))
        elif message["role"] == "assistant":
            calls = message.get("tool_calls", ())
            slots = {call["id"]: index for index, call in enumerate(calls)}
            reasoning = next((message[key] for key in rules.reasoning_in if key in message), None)
            names = [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
            replies.append(Heard(content, reasoning, names, [""] * len(names)))
        elif message["role"] == "tool":
            replies[-1].results[slots[message["tool_call_id"]]] = content
    form = body.get("response_format", {})
    held = rules.schemas == "held" and form.get("type") == "json_schema"
    schema = form["json_schema"]["schema"] if held else None
    return History(replies, user_texts, n_images, schema, thinks(rules, body))


def _n_same_bytes(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _raw_calls(calls: Sequence[tuple[str, str]], first_index: int) -> str:
    inner = "".join(
        f"<|tool_call_begin|>functions.{name}:{index}<|tool_call_argument_begin|>{arguments}<|tool_call_end|>"
        for index, (name, arguments) in enumerate(calls, first_index)
    )
    return f"{_SECTION}{inner}<|tool_calls_section_end|>"


def _thirds(text: str) -> list[Any]:
    size = max(1, -(-len(text) // 3))
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
