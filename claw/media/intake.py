"""A file becomes a part of a message: as it is where the host takes it, else in another form, or not at all."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from claw.errors import ClawError, ToolError
from claw.media.headers import Damaged, Header, read_header
from claw.media.signatures import HEAD_BYTES, SVG, VIDEOS_TAKEN, Kind, recognise
from claw.media.transcode import Encoded, Fit, Region, check_decodes, is_installed, refuse_bomb, transcode
from claw.protocol.messages import Image, Video
from claw.tooling.services import HostMedia

PICTURE_LIMIT_BYTES = 64 * 1024 * 1024
_READABLE_WITHOUT_PILLOW = frozenset({"png", "jpeg", "gif", "webp"})


class Taken(NamedTuple):
    """`what` describes the part for the model in a sentence or two, `brief` for the screen."""

    part: Image | Video
    what: str
    brief: str


def open_regular(path: Path) -> BinaryIO:
    """Never waits for a writer or a device.

    *Errors*: ToolError for what is missing, not a regular file or not readable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ToolError(f"{path} is not a regular file.", "not a file")
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        return open(os.open(path, flags), "rb", buffering=0)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise ToolError(f"{path} cannot be read: {getattr(error, 'strerror', '') or error}.", "not readable") from None


async def take(
    name: str, file: BinaryIO, host: HostMedia | None, region: Region | None = None, *, full_resolution: bool = False
) -> Taken:
    """The picture or video in `file`, which is called `name`, ready to be sent to `host`.

    `region` and `full_resolution` are for pictures; the latter refuses to give up a pixel.

    *Errors*: ToolError for what is neither, is damaged, or is not taken by the host.
    """
    if host is None:
        raise ToolError("no pictures or videos can be shown to this model.", "no pictures here")
    head = _read(file, HEAD_BYTES)
    kind = recognise(head)
    if not head:
        raise ToolError(f"{name} is empty: there is no picture in it.", "empty file")
    if kind is None:
        raise ToolError(f"{name} is not a picture or video of a kind that claw knows.", "no picture")
    if kind == SVG:
        raise ToolError(
            f"{name} is an SVG drawing, which no host takes as a picture. It is text: read it as such, or render it "
            "to a PNG first.",
            "SVG is text",
        )
    if kind.is_video:
        if region or full_resolution:
            raise ToolError("a region and full_resolution are for pictures; a video is sent whole.", "a video")
        return await _take_video(name, kind, head, file, host)
    if not host.takes.images:
        raise ToolError(f"{name} cannot be shown: {host.host} takes no pictures.", "no pictures here")
    data = head + _read(file, PICTURE_LIMIT_BYTES + 1 - len(head))
    if len(data) > PICTURE_LIMIT_BYTES:
        raise ToolError(
            f"{name} has more than {PICTURE_LIMIT_BYTES:,} bytes; make a smaller copy of the picture first.",
            "too large",
        )
    try:
        return await asyncio.to_thread(_take_picture, name, kind, data, host, region, full_resolution)
    except ToolError as error:
        raise ToolError(f"{name} cannot be shown: {error}", error.brief) from None


def _take_picture(
    name: str, kind: Kind, data: bytes, host: HostMedia, region: Region | None, full_resolution: bool
) -> Taken:
    """In a thread: a large picture takes a second."""
    header, damage = _header(kind, data)
    if header and region is None and _fits(kind, header, data, host):
        if is_installed():
            check_decodes(kind, data)
        size = header.width, header.height
        encoded = Encoded(data, kind.subtype, size, size)
    else:
        takes = host.takes
        fit = Fit(tuple(takes.images), takes.max_image_edge_px, takes.max_image_bytes, not full_resolution)
        if not {"png", "jpeg", "webp"} & set(fit.subtypes):
            raise ToolError(f"{host.host} takes only {_listed(fit.subtypes)}.", "not taken here")
        try:
            encoded = transcode(kind, data, fit, region)
        except ToolError as error:
            raise (
                ToolError(f"it is a damaged {kind.name} picture: {damage}.", error.brief) if damage else error
            ) from None
    url = f"data:image/{encoded.subtype};base64,{base64.b64encode(encoded.data).decode()}"
    return Taken(Image(url), *_describe(name, kind, encoded, region))


def _header(kind: Kind, data: bytes) -> tuple[Header | None, str]:
    """None where only Pillow can tell, and what is wrong with a file that is not whole.

    *Errors*: ToolError for a bomb.
    """
    if kind.subtype not in _READABLE_WITHOUT_PILLOW:
        return None, ""
    try:
        header = read_header(kind, data)
    except Damaged as damage:
        return None, str(damage)
    refuse_bomb(header.width, header.height)
    return header, ""


def _fits(kind: Kind, header: Header, data: bytes, host: HostMedia) -> bool:
    """Whether the file can go as it is. A sideways photo could not be put upright without Pillow: better than none."""
    takes = host.takes
    return (
        kind.subtype in takes.images
        and max(header.width, header.height) <= takes.max_image_edge_px
        and len(data) <= takes.max_image_bytes
        and (header.orientation == 1 or not is_installed())
    )


def _describe(name: str, kind: Kind, encoded: Encoded, region: Region | None) -> tuple[str, str]:
    width, height = encoded.source_size
    what = [f"{name}: {kind.name} picture, {width} x {height} pixels."]
    if region:
        shown = min(region.width, width - region.left), min(region.height, height - region.top)
        what.append(f"Shown is the region {shown[0]} x {shown[1]} at {region.left}, {region.top}.")
    else:
        shown = encoded.source_size
    if encoded.size != shown:
        what.append(
            f"Scaled down to {encoded.size[0]} x {encoded.size[1]}; for details ask for a region, "
            f"in pixels of the {width} x {height}."
        )
    return " ".join(what), f"{kind.name} {width}x{height}"


async def _take_video(name: str, kind: Kind, head: bytes, file: BinaryIO, host: HostMedia) -> Taken:
    takes = host.takes
    if takes.video == "none" or (takes.video == "upload" and not host.uploads):
        what = f"only pictures ({_listed(takes.images)})" if takes.images else "neither pictures nor videos"
        raise ToolError(
            f"{name} is a video, and {host.host} takes {what}. Extract frames with a command such as ffmpeg.",
            "no videos here",
        )
    if kind.subtype not in VIDEOS_TAKEN:
        raise ToolError(f"{name} is a {kind.name} video, which is not taken: convert it to MP4 first.", "not taken")
    data = head + _read(file, takes.max_video_bytes + 1 - len(head))
    if len(data) > takes.max_video_bytes:
        raise ToolError(
            f"{name} has more than the {takes.max_video_bytes:,} bytes that {host.host} takes of a video. "
            "Cut or compress it with a command such as ffmpeg.",
            "too large",
        )
    if takes.video == "upload":
        assert host.uploads
        try:
            url = await host.uploads.upload(os.path.basename(name), data, kind.media_type, "video")
        except ToolError:
            raise
        except ClawError as error:
            raise ToolError(f"{name} could not be uploaded: {error}", "upload failed") from error
    else:
        url = f"data:{kind.media_type};base64,{base64.b64encode(data).decode()}"
    return Taken(Video(url), f"{name}: {kind.name} video, {len(data):,} bytes.", f"{kind.name} video")


def _listed(subtypes: tuple[str, ...]) -> str:
    return ", ".join(subtypes)


def _read(file: BinaryIO, limit_bytes: int) -> bytes:
    """Fewer than `limit_bytes` only at the end of the file, whatever size it claims to have.

    *Errors*: ToolError.
    """
    chunks: list[bytes] = []
    n_left = limit_bytes
    try:
        while n_left > 0 and (chunk := file.read(min(n_left, 1 << 20))):
            chunks.append(chunk)
            n_left -= len(chunk)
    except OSError as error:
        raise ToolError(f"the file cannot be read: {error.strerror or error}.", "not readable") from None
    return b"".join(chunks)
