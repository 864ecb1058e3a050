"""A real workspace over a temporary folder, and a bench that calls tools in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claw.errors import ToolError
from claw.protocol.details import Preview
from claw.protocol.events import Event
from claw.protocol.messages import text_of
from claw.tooling.base import Access, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.boundary import Boundary
from tests.fakes.blobs import FakeBlobs
from tests.fakes.services import FakeCommands, FakeJobs


def make_workspace(folder: Path, blobs: Path) -> Workspace:
    """*Shapes*: `folder` must be canonical; `blobs` lies outside it."""
    return Workspace(folder, Boundary((folder,)), FakeBlobs(blobs), FakeCommands(), FakeJobs())


@dataclass
class Bench:
    """Calls tools as the executor does: arguments as JSON-like values, events collected."""

    workspace: Workspace
    events: list[Event] = field(default_factory=list, repr=False)

    @property
    def cwd(self) -> Path:
        return self.workspace.cwd

    def context(self, access: Access) -> ToolContext:
        return ToolContext("call_1", self.workspace, self.events.append, access)

    def params(self, tool: Tool[Any], **arguments: Any) -> Any:
        return msgspec.convert(arguments, tool.params)

    async def run(self, tool: Tool[Any], **arguments: Any) -> ToolResult:
        params = self.params(tool, **arguments)
        return await tool.run(params, self.context(tool.access(params, self.workspace)))

    async def preview(self, tool: Tool[Any], **arguments: Any) -> Preview:
        return await tool.preview(self.params(tool, **arguments), self.workspace)

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
