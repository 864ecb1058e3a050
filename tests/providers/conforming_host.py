"""A host that does all that `claw doctor` asks for, and can be told to fail at one thing."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

from claw.providers.probe_forms import COLOURS
from tests.fakes.answers import DONE, Answer, call, chunk, raw, say, slow, status
from tests.fakes.model_server import Request

KEY = "sk-right"
PATTERNS = {r"^\d{4}-\d{2}-\d{2}$": "2027-02-03", r"^[^@\s]+@[^@\s]+$": "ann@example.org", "^[A-Z]": "ABC-0001"}
LEAK = "<|tool_calls_section_begin|><|tool_call_begin|>functions.{name}:0<|tool_call_argument_begin|>{arguments}"
LEAK += "<|tool_call_end|><|tool_calls_section_end|>"


@dataclass
class ConformingHost:
    """A script for `ModelServer`. `quirks` names what it does wrong; `key_name` is how it calls its trace."""

    quirks: frozenset[str] = frozenset()
    key_name: str = "reasoning_content"
    key: str = KEY
    model: str = "kimi-k2.6"
    systems: set[str] = field(default_factory=set)
    n_requests: int = 0

    def __call__(self, request: Request) -> Answer:
        answer = self._answer(request)
        return replace(answer, headers={"x-ratelimit-limit-requests": "60", **answer.headers})

    def _answer(self, request: Request) -> Answer:
        if request.method == "GET":
            return self._models(request)
        self.n_requests += 1
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return status(401, "invalid_authentication_error", f"Invalid key {request.headers.get('authorization')}")
        n_paid = 3 if "quota" in self.quirks else 12 if "quota later" in self.quirks else 1_000
        if self.n_requests > n_paid:
            return status(429, "exceeded_current_quota_error", "Your account has no balance")
        if "busy" in self.quirks and self.n_requests == 4:
            return status(429, "rate_limit_reached_error", "max RPM: 3", {"Retry-After": "0"})
        if "wrong model" in self.quirks:
            return status(404, "resource_not_found_error", "Not found the model kimi-k2.6 or Permission denied")
        return self._dressed(self._reply(request.body), request.body)

    def _models(self, request: Request) -> Answer:
        if "no models" in self.quirks:
            return status(404)
        if "web page" in self.quirks:
            return raw(b"<html>Welcome</html>", "text/html")
        name = "kimi-k9" if "wrong model" in self.quirks else self.model
        window = 32_768 if "small window" in self.quirks else 262_144
        return raw(json.dumps({"data": [{"id": name, "max_model_len": window}]}).encode(), "application/json")

    def _thinks(self, body: dict[str, Any]) -> bool:
        return "always thinks" in self.quirks or body.get("thinking", {}).get("type") == "enabled"

    def _reply(self, body: dict[str, Any]) -> Answer:
        messages = body["messages"]
        last = messages[-1]
        text = last["content"] if isinstance(last["content"], str) else last["content"][0]["text"]
        usage = self._usage(body)
        if refusal := self._refusal(messages):
            return refusal
        if "response_format" in body and "no json_schema" not in self.quirks:
            return say('{"city": "Paris", "inhabitants": 2100000}', usage=usage)
        if isinstance(last["content"], list):
            return say(self._colour(last["content"][1]["image_url"]["url"]), usage=usage)
        if "one to sixty" in text:
            name = "max_tokens" if "other limit" in self.quirks else "max_completion_tokens"
            stopped = name in body and "no limit" not in self.quirks
            return say("one, two", usage=usage, finish_reason="length" if stopped else "stop")
        if "one to forty" in text:
            numbers = say(", ".join(map(str, range(40))), usage=usage, n_pieces=12)
            return slow(numbers, 0.003) if "held back" not in self.quirks else raw(numbers.body)
        if last["role"] == "tool":
            return say("nothing" if "deaf" in self.quirks else last["content"], self._trace(body), usage=usage)
        if tools := body.get("tools"):
            return self._calls(body, tools[0]["function"], text, usage)
        return say("391" if "17 times 23" in text else "ready", self._trace(body), usage=usage)

    def _refusal(self, messages: list[dict[str, Any]]) -> Answer | None:
        with_calls = [(index, each) for index, each in enumerate(messages) if each.get("tool_calls")]
        for index, message in with_calls:
            missing = self.key_name not in message
            if ("echo required" in self.quirks and missing) or "echo refused" in self.quirks:
                why = f"thinking is enabled but {self.key_name} is missing in assistant tool call message at index"
                return status(400, "invalid_request_error", f"{why} {index}")
        return None

    def _trace(self, body: dict[str, Any]) -> str | None:
        return "Let me see what is asked here." if self._thinks(body) and "no trace" not in self.quirks else None

    def _usage(self, body: dict[str, Any]) -> dict[str, int]:
        """A trace that comes back counts only under the right name."""
        messages = body["messages"]
        n_input = sum(len(str(each["content"])) // 4 for each in messages if "content" in each) + 50
        n_input += sum(len(each.get(self.key_name, "")) // 4 for each in messages)
        system = messages[0]["content"] if messages[0]["role"] == "system" else ""
        cached = n_input * 9 // 10 if system in self.systems and "no cache" not in self.quirks else 0
        self.systems.add(system)
        return {"prompt_tokens": n_input, "completion_tokens": 16, "cached_tokens": cached}

    def _colour(self, url: str) -> str:
        data = base64.b64decode(url.partition("base64,")[2])
        start = data.index(b"IDAT") + 4
        pixel = tuple(zlib.decompress(data[start : start + int.from_bytes(data[start - 8 : start - 4], "big")])[1:4])
        (name,) = (name for name, colour in COLOURS.items() if colour == pixel)
        return "violet" if "blind" in self.quirks else f"{name.capitalize()}."

    def _calls(self, body: dict[str, Any], function: dict[str, Any], text: str, usage: dict[str, int]) -> Answer:
        name = function["name"]
        if name == "get_weather":
            cities = ["Paris", "Tokyo"] if "both cities" in text else ["Tokyo" if "Tokyo" in text else "Paris"]
            cities = cities[:1] if "one at a time" in self.quirks else cities
            calls = [(name, {"city": city}) for city in cities]
        else:
            calls = [(name, instance_of(function["parameters"]))]
        first = calls[0][1]
        if "call as text" in self.quirks:
            return say(LEAK.format(name=name, arguments=json.dumps(first)), self._trace(body), usage=usage)
        foreign = [
            each["id"] for message in body["messages"] for each in message.get("tool_calls", ())
            if not each["id"].startswith("functions.")
        ]  # fmt: skip
        if foreign and "canonical only" in self.quirks:
            return say("I would call get_weather", usage=usage)
        if "sloppy" in self.quirks and name in ("set_level", "set_volume"):
            calls = [(name, {key: str(value) for key, value in first.items()})]
        ids = ["functions.get_weather:0"] * len(calls) if "same id" in self.quirks else None
        return call(*calls, reasoning=self._trace(body), usage=usage, ids=ids)

    def _dressed(self, answer: Answer, body: dict[str, Any]) -> Answer:
        """What concerns every answer alike."""
        if "one piece" in self.quirks and answer.status == 200 and "tools" not in body:
            return raw(_in_one_piece(answer.body), "application/json")
        pieces = [
            piece.replace(b"reasoning_content", self.key_name.encode()) if isinstance(piece, bytes) else piece
            for piece in answer.pieces
        ]
        if "no usage" in self.quirks:
            pieces = [each for each in pieces if not isinstance(each, bytes) or b'"usage"' not in each]
        if "no end" in self.quirks and "one to forty" in str(body["messages"]):
            pieces = [each for each in pieces if each != DONE and b'"finish_reason":"stop"' not in _bytes(each)]
        if "think tags" in self.quirks and self._thinks(body) and answer.status == 200:
            pieces.insert(1, chunk({"content": "<think>well</think>"}))
        return replace(answer, pieces=tuple(pieces))


def _bytes(piece: bytes | float) -> bytes:
    return piece if isinstance(piece, bytes) else b""


def _in_one_piece(stream: bytes) -> bytes:
    chunks = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: {")]
    choices = [choice for each in chunks for choice in each["choices"]]
    words = "".join(choice["delta"].get("content") or "" for choice in choices)
    whole = {"message": {"role": "assistant", "content": words}, "finish_reason": choices[-1]["finish_reason"]}
    return json.dumps({"choices": [{"index": 0, **whole}], "usage": chunks[-1]["usage"]}).encode()


def instance_of(schema: dict[str, Any]) -> Any:
    """The smallest value that fits a schema of the probe."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {name: instance_of(schema["properties"][name]) for name in schema["required"]}
        case "array":
            return [instance_of(schema["items"])] * schema.get("minItems", 1)
        case "string":
            pattern = schema.get("pattern", "")
            return next((text for start, text in PATTERNS.items() if pattern.startswith(start)), "text")
        case "boolean":
            return True
        case _:
            return max(1, schema.get("minimum", 1))
