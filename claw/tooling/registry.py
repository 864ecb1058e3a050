"""The tools of a session: what the model is told of them, and how a call becomes parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from claw.errors import ToolError
from claw.protocol.messages import ToolCall, ToolSpec
from claw.tooling.base import Tool
from claw.tooling.describe import description_of
from claw.tooling.schema import schema_of

AnyTool = Tool[Any]


class ToolRegistry:
    """Tools by name, in alphabetical order: the order is part of the byte-stable prefix."""

    def __init__(self, tools: Iterable[AnyTool]) -> None:
        self._tools = {tool.name: tool for tool in sorted(tools, key=lambda tool: tool.name)}
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}

    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(ToolSpec(tool.name, description_of(tool), schema_of(tool.params)) for tool in self._tools.values())

    def find(self, call: ToolCall) -> AnyTool:
        """*Errors*: ToolError that names the tools there are."""
        if tool := self._tools.get(call.name):
            return tool
        raise ToolError(f"there is no tool {call.name!r}. The tools are: {', '.join(self._tools)}.", "unknown tool")

    def parse(self, tool: AnyTool, call: ToolCall) -> Any:
        """The call's arguments as the tool's parameter struct.

        *Errors*: ToolError with the reason and the schema, so that the model can correct itself.
        """
        decoder = self._decoders.get(tool.name)
        if decoder is None:
            decoder = self._decoders[tool.name] = msgspec.json.Decoder(tool.params)
        try:
            return decoder.decode(call.arguments or "{}")
        except msgspec.MsgspecError as error:
            schema = msgspec.json.encode(schema_of(tool.params)).decode()
            reason = (
                "are not valid JSON"
                if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError)
                else "do not fit the schema"
            )
            raise ToolError(
                f"the arguments of {tool.name} {reason}: {error}. Nothing was run. The schema is: {schema}",
                "bad arguments",
            ) from None
