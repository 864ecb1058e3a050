"""The size of a picture, and whether the file is whole, for the four types that hosts take as they are.

Nothing is decoded: most pictures need no imaging library at all. A broken one must be found before it is
in the conversation, since a host that cannot open it refuses every later request too.

*Source*: PNG (ISO/IEC 15948), JPEG (ITU T.81), GIF89a, WebP (RFC 9649), Exif 2.32 for the orientation.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from claw.media.signatures import GIF, JPEG, PNG, WEBP, Kind

_ORIENTATION = 0x0112
_SOF = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what decoders agree on
_OTHER_SOF = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})


class Header(NamedTuple):
    """*Units*: pixels, as stored. `orientation` is Exif's 1 … 8; from 5 on, the sides are exchanged."""

    width: int
    height: int
    orientation: int = 1


class Damaged(Exception):
    """The bytes are not a whole picture of their kind; says why."""


def read_header(kind: Kind, data: bytes) -> Header:
    """For PNG, JPEG, GIF and WebP.

    *Errors*: Damaged. *Cost*: PNG is read once for its checksums, the others are skipped through.
    """
    readers = {PNG: _png, JPEG: _jpeg, GIF: _gif, WEBP: _webp}
    try:
        header = readers[kind](data)
    except (IndexError, struct.error):
        raise Damaged("it is cut off") from None
    if header.width < 1 or header.height < 1:
        raise Damaged("it has no pixels")
    return header


def _png(data: bytes) -> Header:
    if data[8:16] != b"\0\0\0\rIHDR":
        raise Damaged("it does not begin with its size")
    width, height = struct.unpack_from(">II", data, 16)
    orientation, has_pixels, position = 1, False, 8
    while True:
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(memoryview(data)[position + 4 : end]) != checksum:
            raise Damaged(f"the checksum at byte {position} is wrong")
        if name == b"IEND":
            break
        has_pixels |= name == b"IDAT"
        if name == b"eXIf":
            orientation = _orientation(data[position + 8 : end])
        position = end + 4
    if not has_pixels:
        raise Damaged("it has no pixels")
    return Header(width, height, orientation)


def _jpeg(data: bytes) -> Header:
    width = height = 0
    orientation, position = 1, 2
    while True:
        if data[position] != 0xFF:
            raise Damaged(f"there is no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # a marker may be padded
            position += 1
            continue
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        if marker == 0xD9:
            raise Damaged("it has no pixels")
        (length,) = struct.unpack_from(">H", data, position + 2)
        if length < 2:
            raise Damaged(f"the segment at byte {position} is shorter than its own length")
        if marker in _OTHER_SOF:
            raise Damaged("its way of compression (lossless, hierarchical or arithmetic) is not in common use")
        if marker in _SOF:
            height, width = struct.unpack_from(">HH", data, position + 5)
        elif marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0" and orientation == 1:
            orientation = _orientation(data[position + 10 : position + 2 + length])
        elif marker == 0xDA:
            break
        position += 2 + length
    if data.find(b"\xff\xd9", position) < 0:
        raise Damaged("it is cut off")
    return Header(width, height, orientation)


def _gif(data: bytes) -> Header:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _colour_table_bytes(flags)
    has_frame = False
    while data[position] != 0x3B:  # the trailer
        match data[position]:
            case 0x21:
                position = _after_blocks(data, position + 2)
            case 0x2C:
                position = _after_blocks(data, position + 11 + _colour_table_bytes(data[position + 9]))
                has_frame = True
            case _:
                raise Damaged(f"there is no block at byte {position}")
    if not has_frame:
        raise Damaged("it has no pixels")
    return Header(width, height)


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    while n_bytes := data[position]:
        position += n_bytes + 1
    return position + 1


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise Damaged("it is cut off")
    canvas: tuple[int, int] | None = None
    frame: tuple[int, int] | None = None
    orientation, position = 1, 12
    while position + 8 <= size + 8:
        name, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if body + length > len(data):
            raise Damaged("it is cut off")
        if name == b"VP8X":
            canvas = _uint24(data, body + 4) + 1, _uint24(data, body + 7) + 1
        elif name == b"VP8 ":
            if data[body + 3 : body + 6] != b"\x9d\x01\x2a":
                raise Damaged("its picture does not begin as one")
            wide, high = struct.unpack_from("<HH", data, body + 6)
            frame = frame or (wide & 0x3FFF, high & 0x3FFF)
        elif name == b"VP8L":
            (bits,) = struct.unpack_from("<I", data, body + 1)
            if data[body] != 0x2F:
                raise Damaged("its picture does not begin as one")
            frame = frame or ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif name == b"ANMF":
            frame = frame or (_uint24(data, body + 6) + 1, _uint24(data, body + 9) + 1)
        elif name == b"EXIF":
            orientation = _orientation(data[body : body + length].removeprefix(b"Exif\0\0"))
        position = body + length + length % 2
    if not frame:
        raise Damaged("it has no pixels")
    return Header(*(canvas or frame), orientation)


def _uint24(data: bytes, position: int) -> int:
    if position + 3 > len(data):
        raise IndexError
    return int.from_bytes(data[position : position + 3], "little")


def _orientation(exif: bytes) -> int:
    """1 where the Exif block says nothing, or nonsense."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (position,) = struct.unpack_from(order + "I", exif, 4)
        (n_entries,) = struct.unpack_from(order + "H", exif, position)
        for i in range(n_entries):
            tag, _type, _count, value = struct.unpack_from(order + "HHIH", exif, position + 2 + 12 * i)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
