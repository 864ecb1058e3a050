"""What kind of picture or video a file is, told by its first bytes; its name does not count.

*Source*: the signatures that the formats define; `ftyp` brands as registered for ISO base media files.
"""

from __future__ import annotations

from typing import NamedTuple

HEAD_BYTES = 4096  # enough for every signature, and for the comments that may stand before `<svg`


class Kind(NamedTuple):
    """`subtype` is that of the media type, `png` of `image/png`; `decoder` is Pillow's name of the format."""

    name: str
    subtype: str
    decoder: str = ""
    is_video: bool = False

    @property
    def media_type(self) -> str:
        return f"{'video' if self.is_video else 'image'}/{self.subtype}"


def _video(name: str, subtype: str) -> Kind:
    return Kind(name, subtype, is_video=True)


PNG = Kind("PNG", "png", "PNG")
JPEG = Kind("JPEG", "jpeg", "JPEG")
GIF = Kind("GIF", "gif", "GIF")
WEBP = Kind("WebP", "webp", "WEBP")
SVG = Kind("SVG", "svg+xml")
AVIF = Kind("AVIF", "avif", "AVIF")
HEIC = Kind("HEIC", "heic", "HEIF")
JPEG_2000 = Kind("JPEG 2000", "jp2", "JPEG2000")
MP4 = _video("MP4", "mp4")
QUICKTIME = _video("QuickTime", "quicktime")
THREE_GPP = _video("3GPP", "3gpp")
AVI = _video("AVI", "x-msvideo")
WEBM = _video("WebM", "webm")
MATROSKA = _video("Matroska", "x-matroska")
MPEG = _video("MPEG", "mpeg")

# Formats that can run a program or fetch a file when they are drawn (EPS, PDF, WMF) are not among these.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"BM", Kind("BMP", "bmp", "BMP")),
    (b"II*\0", Kind("TIFF", "tiff", "TIFF")),
    (b"MM\0*", Kind("TIFF", "tiff", "TIFF")),
    (b"\0\0\1\0", Kind("ICO", "x-icon", "ICO")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"8BPS\0\1", Kind("Photoshop", "vnd.adobe.photoshop", "PSD")),
    (b"FLV\x01", _video("Flash video", "x-flv")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _video("Windows Media", "x-ms-wmv")),
    (b"\0\0\1\xba", MPEG),
    (b"\0\0\1\xb3", MPEG),
)
_BRANDS = {b"avif": AVIF, b"avis": AVIF, b"qt  ": QUICKTIME} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), HEIC
)
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
VIDEOS_TAKEN = frozenset({"mp4", "quicktime", "3gpp", "x-msvideo", "webm", "mpeg", "x-flv", "x-ms-wmv"})


def recognise(head: bytes) -> Kind | None:
    """The kind of the file that begins with `head` (`HEAD_BYTES` of it), None for anything else."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return None if signature == b"BM" and not _is_bitmap(head) else kind
    if head[:4] == b"RIFF":
        return {b"WEBP": WEBP, b"AVI ": AVI}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return WEBM if b"webm" in head[:64] else MATROSKA if b"matroska" in head[:64] else None
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in (b" ", b"\n", b"\t", b"\r", b"#"):
        return Kind("Netpbm", "x-portable-anymap", "PPM")
    return SVG if _is_svg(head) else None


def _is_bitmap(head: bytes) -> bool:
    """`BM` alone begins many a text: the reserved bytes and the size of the header that follows tell."""
    return head[6:10] == b"\0\0\0\0" and int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)


def _of_brands(head: bytes) -> Kind | None:
    """By the major brand, then by the compatible ones: `mif1` says only that it is a HEIF of some codec."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major, others = head[8:12], [head[i : i + 4] for i in range(16, end - 3, 4)]
    if major == b"mif1" and b"avif" in others:
        return AVIF
    if major in _BRANDS:
        return _BRANDS[major]
    if major in _AUDIO_BRANDS:
        return None
    return THREE_GPP if major[:2] == b"3g" else MP4


def _is_svg(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith((b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")):
        return False
    return b"<svg" in text and b"<html" not in text[: text.find(b"<svg")].lower()
