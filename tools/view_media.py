"""Show a picture or a video to the model."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from claw.protocol.messages import Text
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tools._paths import open_regular, shown


class RegionParams(Struct):
    left: Annotated[int, Meta(ge=0, description="Left edge.")]
    top: Annotated[int, Meta(ge=0, description="Top edge.")]
    width: Annotated[int, Meta(ge=1, description="How wide.")]
    height: Annotated[int, Meta(ge=1, description="How high.")]


class ViewMediaParams(Struct):
    path: Annotated[str, Meta(description="Picture or video, relative to the working folder or absolute.")]
    region: Annotated[
        RegionParams | None, Meta(description="Show only this part, in pixels of the whole picture, upright.")
    ] = None
    full_resolution: Annotated[bool, Meta(description="Do not scale down. Default false.")] = False


class ViewMedia(Tool[ViewMediaParams]):
    name = "view_media"
    params = ViewMediaParams

    def access(self, params: ViewMediaParams, workspace: Workspace) -> Access:
        return Access(Effect.READ, reads=frozenset({workspace.resolve(params.path)}))

    def summary(self, params: ViewMediaParams) -> str:
        if not (region := params.region):
            return params.path
        return f"{params.path} {region.width}x{region.height}+{region.left}+{region.top}"

    async def run(self, params: ViewMediaParams, context: ToolContext) -> ToolResult:
        from claw.media.intake import take  # most sessions look at nothing
        from claw.media.transcode import Region

        workspace = context.workspace
        path = workspace.resolve(params.path)
        part = params.region
        region = Region(part.left, part.top, part.width, part.height) if part else None
        with open_regular(path, context.disk) as file:
            taken = await take(
                shown(workspace, path), file, workspace.media, region, full_resolution=params.full_resolution
            )
        return ToolResult((Text(taken.what), taken.part), taken.brief)
