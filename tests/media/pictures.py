"""Pictures made on the spot: by Pillow, and by hand where no library would make them."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

from PIL import Image

from claw.protocol.messages import Image as ImagePart
from claw.protocol.messages import Video

RED = (200, 30, 30)
MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + b"\0\0\0\x08mdat" + b"film " * 20


def picture(decoder: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **options: Any) -> bytes:
    """Its upper left quarter is red, the rest white."""
    image = Image.new("RGB", size, "white")
    image.paste(RED, (0, 0, size[0] // 2, size[1] // 2))
    return encoded(image.convert(mode), decoder, **options)


def noise(decoder: str, size: tuple[int, int], **options: Any) -> bytes:
    """Hardly compressible, so that it is as many bytes as a picture of its size can be."""
    return encoded(Image.effect_noise(size, 100).convert("RGB"), decoder, **options)


def encoded(image: Image.Image, decoder: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, decoder, **options)
    return buffer.getvalue()


def turned(orientation: int, decoder: str = "JPEG", size: tuple[int, int] = (60, 40)) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture(decoder, size, exif=exif)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(width: int, height: int) -> bytes:
    """A whole PNG that claims to be far larger than its data."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")


def shown(part: ImagePart | Video) -> tuple[str, Image.Image]:
    """The media type of what is sent, and what a host would see in it."""
    head, _, data = part.url.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    image.load()
    return head.removeprefix("data:"), image


def is_red(image: Image.Image, x: int, y: int) -> bool:
    pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return all(abs(seen - meant) < 40 for seen, meant in zip(pixel, RED, strict=True))
