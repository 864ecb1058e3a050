"""Small pictures, and a tool that shows one."""

from __future__ import annotations

import base64
import struct
import zlib

from msgspec import Struct

from claw.protocol.messages import Image, Text
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace


class Look(Struct):
    path: str


class ViewMedia(Tool[Look]):
    """Gives a picture back as it is; what the real tool does to pictures is tested with that tool."""

    name = "view_media"
    params = Look

    def access(self, params: Look, workspace: Workspace) -> Access:
        return Access(Effect.READ, reads=frozenset({workspace.resolve(params.path)}))

    def summary(self, params: Look) -> str:
        return params.path

    async def run(self, params: Look, context: ToolContext) -> ToolResult:
        data = context.workspace.resolve(params.path).read_bytes()
        return ToolResult((Text(params.path), Image(data_url(data))))


def png(colour: tuple[int, int, int] = (220, 20, 60)) -> bytes:
    """A picture of 8 by 8 pixels."""

    def block(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * 8) * 8
    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", head) + block(b"IDAT", zlib.compress(rows)) + block(b"IEND", b"")


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
