"""A parameter struct as the JSON schema that Moonshot accepts.

Moonshot refuses properties without a `type` and does not follow `$ref`; other hosts refuse nothing of
what is produced here, so there is one form for all.
"""

from __future__ import annotations

from typing import Any

import msgspec

JsonSchema = dict[str, Any]


def schema_of(params: type[msgspec.Struct]) -> JsonSchema:
    """JSON schema of type object: references resolved, a `type` on every property, no titles."""
    (schema,), components = msgspec.json.schema_components([params], ref_template="{name}")
    return normalise(_resolve(schema, components, ()))


def _resolve(node: Any, components: dict[str, Any], path: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_resolve(item, components, path) for item in node]
    if not isinstance(node, dict):
        return node
    if name := node.get("$ref"):
        if name in path:
            raise TypeError(f"{name} refers to itself: {' → '.join(path)}; parameters must be finite")
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**_resolve(components[name], components, (*path, name)), **beside}
    return {key: _resolve(value, components, path) for key, value in node.items()}


def normalise(schema: JsonSchema) -> JsonSchema:
    """Give every property a `type`, drop titles and null defaults, turn `X or null` into plain X."""
    schema = {key: value for key, value in schema.items() if key != "title"}
    if options := schema.pop("anyOf", None):
        real = [option for option in options if option.get("type") != "null"]
        if len(real) == 1:
            schema = {**real[0], **schema}
        else:
            schema["anyOf"] = [normalise(option) for option in real]
    if schema.get("default", "") is None:
        del schema["default"]
    if "properties" in schema:
        schema["properties"] = {name: normalise(prop) for name, prop in schema["properties"].items()}
        schema.setdefault("required", [])
    if isinstance(schema.get("items"), dict):
        schema["items"] = normalise(schema["items"])
    if "type" not in schema:
        schema["type"] = _infer_type(schema)
    schema.pop("title", None)
    return schema


_JSON_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def _infer_type(schema: JsonSchema) -> Any:
    """From `enum`, `const`, the members of `anyOf`, or the structure; `string` where nothing tells."""
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    kinds = {_JSON_TYPES.get(type(value), "string") for value in values}
    kinds |= {option["type"] for option in schema.get("anyOf", [])}
    if not kinds:
        kinds = {"object" if "properties" in schema else "array" if "items" in schema else "string"}
    return kinds.pop() if len(kinds) == 1 else sorted(kinds)
