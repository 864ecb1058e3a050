"""A real workspace over a temporary folder, and a bench that calls tools in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claw.errors import ToolError
from claw.protocol.events import Event
from claw.protocol.messages import text_of
from claw.tooling.base import Tool, ToolContext, ToolResult, Workspace
from tests.fakes.blobs import FakeBlobs
from tests.fakes.services import FakeCommands, FakeJobs


def make_workspace(folder: Path, blobs: Path) -> Workspace:
    """*Shapes*: `folder` must be canonical; `blobs` lies outside it."""
    return Workspace(folder, (folder,), FakeBlobs(blobs), FakeCommands(), FakeJobs())


@dataclass
class Bench:
    """Calls tools as the executor does: arguments as JSON-like values, events collected."""

    workspace: Workspace
    events: list[Event] = field(default_factory=list, repr=False)

    @property
    def cwd(self) -> Path:
        return self.workspace.cwd

    @property
    def context(self) -> ToolContext:
        return ToolContext("call_1", self.workspace, self.events.append)

    def params(self, tool: Tool[Any], **arguments: Any) -> Any:
        return msgspec.convert(arguments, tool.params)

    async def run(self, tool: Tool[Any], **arguments: Any) -> ToolResult:
        return await tool.run(self.params(tool, **arguments), self.context)

    async def text(self, tool: Tool[Any], **arguments: Any) -> str:
        return text_of((await self.run(tool, **arguments)).content)

    async def error(self, tool: Tool[Any], **arguments: Any) -> str:
        with pytest.raises(ToolError) as caught:
            await self.run(tool, **arguments)
        return str(caught.value)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path.resolve() / "work"
    folder.mkdir()
    return make_workspace(folder, tmp_path / "blobs")


@pytest.fixture
def bench(workspace: Workspace) -> Bench:
    return Bench(workspace)
