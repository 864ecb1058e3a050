from __future__ import annotations

from typing import Annotated, Any, Literal

import jsonschema
import pytest
from msgspec import Meta, Struct

from claw.tooling.registry import ToolRegistry
from claw.tooling.schema import normalise, schema_of
from claw.tools import all_tools


class Inner(Struct):
    old: Annotated[str, Meta(description="What is there.")]
    count: int | None = None


class Params(Struct):
    path: Annotated[str, Meta(description="Where.")]
    edits: Annotated[list[Inner], Meta(description="What.")]
    mode: Annotated[Literal["a", "b"], Meta(description="How.")] = "a"


class Endless(Struct):
    next: Endless | None = None


def properties(node: Any) -> list[dict[str, Any]]:
    """Every property of a schema, at any depth."""
    if isinstance(node, list):
        return [found for item in node for found in properties(item)]
    if not isinstance(node, dict):
        return []
    here = list(node["properties"].values()) if isinstance(node.get("properties"), dict) else []
    return here + [found for value in node.values() for found in properties(value)]


def test_references_are_resolved_and_null_is_dropped() -> None:
    assert schema_of(Params) == {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Where."},
            "edits": {
                "type": "array",
                "description": "What.",
                "items": {
                    "type": "object",
                    "properties": {
                        "old": {"type": "string", "description": "What is there."},
                        "count": {"type": "integer"},
                    },
                    "required": ["old"],
                },
            },
            "mode": {"type": "string", "description": "How.", "enum": ["a", "b"], "default": "a"},
        },
        "required": ["path", "edits"],
    }


def test_parameters_that_contain_themselves_are_refused() -> None:
    with pytest.raises(TypeError, match="refers to itself"):
        schema_of(Endless)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"enum": [1, 2]}, "integer"),
        ({"const": "x"}, "string"),
        ({"enum": [1, "a"]}, ["integer", "string"]),
        ({"items": {"enum": [True]}}, "array"),
        ({"properties": {}}, "object"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string"),
        ({}, "string"),
    ],
)
def test_a_missing_type_is_inferred(given: dict[str, Any], kind: object) -> None:
    assert normalise(given)["type"] == kind


def test_every_tool_has_a_schema_that_moonshot_takes() -> None:
    for spec in ToolRegistry(all_tools()).specs():
        jsonschema.Draft202012Validator.check_schema(spec.parameters)
        assert spec.parameters["type"] == "object"
        assert "$ref" not in str(spec.parameters)
        for prop in properties(spec.parameters):
            assert prop.get("type"), f"{spec.name}: {prop}"
        for name, prop in spec.parameters["properties"].items():  # type: ignore[attr-defined]
            assert prop.get("description"), f"{spec.name}.{name} is not described"
        assert spec.description


def test_tools_stand_in_alphabetical_order() -> None:
    names = [spec.name for spec in ToolRegistry(reversed(all_tools())).specs()]
    assert names == sorted(names)
