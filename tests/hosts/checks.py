"""The checks that a host makes on a request before any model sees it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from tests.fakes.model_server import Request
from tests.hosts.rules import HostRules

Wire = dict[str, Any]
SAMPLING = {"temperature": "1", "top_p": "0.95", "n": "1", "presence_penalty": "0", "frequency_penalty": "0"}
_MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "gif": b"GIF8", "webp": b"RIFF"}


class Refused(Exception):
    """The host answers with `status` and these words."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message


def check(rules: HostRules, request: Request) -> None:
    """*Errors*: Refused, for the first rule that is broken."""
    _check_address(rules, request)
    body = request.body
    if not body.get("stream"):
        raise _bad("this simulator only streams")
    if body.get("model") != rules.model:
        raise Refused(404, "resource_not_found_error", f"Not found the model {body.get('model')} or Permission denied")
    _check_parameters(rules, body)
    _check_pairs(body["messages"])
    _check_media(rules, body["messages"])
    if rules.strict:
        _check_tools(body.get("tools", ()))
        _check_texts(body["messages"])
        _check_order(body["messages"])
    if rules.refuses_missing_reasoning and thinks(rules, body):
        _check_reasoning(rules, body["messages"])


def thinks(rules: HostRules, body: Wire) -> bool:
    """Whether thinking is on: it is, unless the host's own switch is set to off."""
    match rules.thinking_switch:
        case "moonshot":
            return bool(body.get("thinking", {}).get("type", "enabled") == "enabled")
        case "chat_template":
            return bool(body.get("chat_template_kwargs", {}).get("thinking", True))
        case "reasoning_effort":
            return body.get("reasoning_effort") != "none"
    return True


def _bad(message: str) -> Refused:
    return Refused(400, "invalid_request_error", message)


def _check_address(rules: HostRules, request: Request) -> None:
    if request.target != f"{rules.path}/chat/completions":
        raise Refused(404, "resource_not_found_error", f"The requested resource was not found: {request.target}")
    if rules.key and request.headers.get("authorization") != f"Bearer {rules.key}":
        raise Refused(401, "invalid_authentication_error", "Invalid Authentication")


def _check_parameters(rules: HostRules, body: Wire) -> None:
    for name in SAMPLING if rules.sampling == "fixed" else ():
        if name in body:
            raise _bad(f"invalid {name}: only {SAMPLING[name]} is allowed for this model")
    if body.get("tool_choice", "auto") not in ("auto", "none") and thinks(rules, body):
        raise _bad(f"tool_choice '{body['tool_choice']}' is incompatible with thinking enabled")
    form = body.get("response_format", {"type": "text"})
    if form["type"] == "json_schema" and rules.schemas == "refused":
        raise _bad("invalid response_format: json_schema is not supported by this model")
    if form["type"] == "json_schema" and not (form["json_schema"].get("name") and form["json_schema"].get("schema")):
        raise _bad("invalid response_format: json_schema needs a name and a schema")


def _check_tools(tools: Iterable[Wire]) -> None:
    for tool in tools:
        name, parameters = tool["function"]["name"], tool["function"].get("parameters")
        if parameters is not None:
            for path, prop in _properties(parameters, "parameters"):
                where = (
                    f"tools.function.parameters is not a valid moonshot flavored json schema, details: <{name}.{path}"
                )
                if "$ref" in prop:
                    raise _bad(f"{where}: $ref is not supported>")
                if "type" not in prop:
                    raise _bad(f"{where}: type is not defined>")


def _properties(schema: Wire, path: str) -> Iterator[tuple[str, Wire]]:
    for name, prop in schema.get("properties", {}).items():
        yield f"{path}.{name}", prop
        yield from _properties(prop, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(inner := schema.get(key), dict):
            yield f"{path}.{key}", inner
            yield from _properties(inner, f"{path}.{key}")


def _check_texts(messages: list[Wire]) -> None:
    for message in messages:
        content = message.get("content")
        if content is None:
            if message["role"] != "assistant" or not message.get("tool_calls"):
                raise _bad("text content is empty")
            continue
        texts = [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]
        if not content or not all(text.strip() for text in texts):
            raise _bad("text content is empty")
        if isinstance(content, str) and _is_encoded_list(content):
            raise _bad("invalid content: a list of parts was sent as a JSON string")


def _is_encoded_list(text: str) -> bool:
    if not text.startswith("[{"):
        return False
    try:
        parts = json.loads(text)
    except ValueError:
        return False
    return all(isinstance(part, dict) and part.get("type") in ("text", "image_url", "video_url") for part in parts)


def _check_order(messages: list[Wire]) -> None:
    for index, (before, message) in enumerate(pairwise(messages), 1):
        if before["role"] == message["role"] == "user":
            raise _bad(f"invalid message at index {index}: two user messages in a row")


def _check_pairs(messages: list[Wire]) -> None:
    open_ids: list[str] = []
    for message in [*messages, {"role": "end"}]:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_ids:
                raise _bad(f"tool_call_id {message.get('tool_call_id')} is not found")
            open_ids.remove(message["tool_call_id"])
            continue
        if open_ids:
            raise _bad(
                "an assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_ids)}"
            )
        open_ids = [call["id"] for call in message.get("tool_calls", ())]
        if len(set(open_ids)) < len(open_ids):
            raise _bad("tool_call_id is duplicated")


def _check_reasoning(rules: HostRules, messages: list[Wire]) -> None:
    for index, message in enumerate(messages):
        if message.get("tool_calls") and not any(isinstance(message.get(key), str) for key in rules.reasoning_in):
            raise _bad(
                f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {index}"
            )


def _check_media(rules: HostRules, messages: list[Wire]) -> None:
    n_images = 0
    for message in messages:
        for part in message.get("content") or () if isinstance(message.get("content"), list) else ():
            if part["type"] == "image_url":
                n_images += 1
                _check_image(rules, part["image_url"])
    if n_images > rules.max_images:
        raise _bad(f"At most {rules.max_images} image(s) may be provided in one prompt.")


def _check_image(rules: HostRules, image: Wire | str) -> None:
    url = image if isinstance(image, str) else image["url"]
    if url.startswith("ms://") and rules.strict:
        return
    if url.startswith(("http://", "https://")) and rules.public_images:
        return
    if not url.startswith("data:image/"):
        raise _bad(f"unsupported image url: {url[:40]}")
    kind, _, data = url.removeprefix("data:image/").partition(";base64,")
    try:
        decoded = base64.b64decode(data, validate=True)
    except binascii.Error:
        decoded = b""
    if kind not in rules.images or not decoded.startswith(_MAGIC[kind]):
        raise _bad(f"unsupported image format: image/{kind[:20]}")
