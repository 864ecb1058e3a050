"""Pictures through Pillow: decoded, turned upright, cropped, made smaller, encoded as the host takes them.

*Source*: Pillow; the orientation tag of Exif 2.32.
"""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from claw.errors import ToolError
from claw.media.signatures import Kind

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 80_000_000  # 320 MB once decoded
PILLOW_MISSING = "this needs Pillow, which is not installed: pip install 'claw-agent[vision]'"
_HEIF_MISSING = "HEIC pictures need pillow-heif, which is not installed: pip install pillow-heif, or convert it first"
_JPEG_QUALITIES = (90, 80, 70, 60, 45)
_SHRINK_STEP = 0.75
_SMALLEST_EDGE_PX = 64
_PHOTOGRAPHIC = frozenset({"jpeg", "webp", "avif", "heic", "jp2"})
_EMBEDDED_PNG = re.compile(rb"\x89PNG\r\n\x1a\n....IHDR(.{8})", re.DOTALL)
# What Pillow's decoders have been seen to raise on broken files, beside its own errors, which are OSErrors.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, AttributeError),
    *(RuntimeError, AssertionError, struct.error, zlib.error),
)
# Two pictures side by side would need the memory of both; and the filter of warnings is the process's own.
_ONE_AT_A_TIME = threading.Lock()

T = TypeVar("T")


class Region(NamedTuple):
    """A part of the picture as it is seen, upright. *Units*: pixels."""

    left: int
    top: int
    width: int
    height: int


class Fit(NamedTuple):
    """What the result must be. `subtypes` are those that the host takes; without `may_shrink` every pixel is kept."""

    subtypes: tuple[str, ...]
    max_edge_px: int
    max_bytes: int
    may_shrink: bool = True


class Encoded(NamedTuple):
    """`source_size` is that of the whole picture, upright; `size` that of what is sent. *Units*: pixels."""

    data: bytes
    subtype: str
    size: tuple[int, int]
    source_size: tuple[int, int]


def is_installed() -> bool:
    import importlib.util

    return importlib.util.find_spec("PIL") is not None


def check_decodes(kind: Kind, data: bytes) -> None:
    """*Errors*: ToolError if the picture cannot be decoded to its last pixel."""
    with _pillow():
        _decoding(kind, lambda: _open(kind, data).load())


def transcode(kind: Kind, data: bytes, fit: Fit, region: Region | None = None) -> Encoded:
    """The picture as PNG or JPEG (or WebP, where the host takes neither) within `fit`; of several frames the first.

    *Errors*: ToolError. *Cost*: a second for a photo of 50 megapixels.
    """
    with _pillow():
        image = _decoding(kind, lambda: _upright(_open(kind, data), fit if region is None else None))
        source_size = _decoding(kind, lambda: _stored_size(kind, data, image))
        if region:
            image = image.crop(_box(region, image.size))
        image = _decoding(kind, lambda: _plain(image))
        image = _within(image, fit)
        return _encode(image, fit, kind.subtype in _PHOTOGRAPHIC, source_size)


@contextmanager
def _pillow() -> Iterator[None]:
    """One picture at a time, and none of Pillow's warnings about odd files.

    *Errors*: ToolError if Pillow is missing, or memory is.
    """
    try:
        import PIL.Image  # noqa: F401 (its absence is told here, once for all)
    except ImportError:
        raise ToolError(PILLOW_MISSING, "Pillow is missing") from None
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except MemoryError:
            raise ToolError("there is not enough memory to decode this picture.", "too large") from None


def _decoding(kind: Kind, work: Callable[[], T]) -> T:
    """*Errors*: ToolError for whatever Pillow stumbles over."""
    from PIL.Image import DecompressionBombError

    try:
        return work()
    except DecompressionBombError:
        raise _too_many_pixels() from None
    except _BROKEN as error:
        raise ToolError(f"it is no {kind.name} picture that can be decoded: {error}.", "damaged picture") from None


def _open(kind: Kind, data: bytes) -> Image:
    from PIL import Image

    if kind.decoder == "HEIF":
        _register_heif()
    if kind.decoder == "ICO":  # says 256 × 256 at most, but may hold PNGs of any size
        for found in _EMBEDDED_PNG.finditer(data):
            refuse_bomb(*struct.unpack(">II", found[1]))
    image = Image.open(io.BytesIO(data), formats=[kind.decoder])
    refuse_bomb(*image.size)
    return image


def refuse_bomb(width: int, height: int) -> None:
    """*Errors*: ToolError for a picture that would fill the memory. Asked before anything is decoded."""
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(f"{width} x {height}, ")


def _too_many_pixels(size: str = "") -> ToolError:
    return ToolError(
        f"the picture has too many pixels ({size}at most {MAX_PIXELS:,} are decoded). Make a smaller copy first.",
        "too many pixels",
    )


def _register_heif() -> None:
    try:
        import pillow_heif  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise ToolError(_HEIF_MISSING, "pillow-heif is missing") from None
    pillow_heif.register_heif_opener()


def _upright(image: Image, fit: Fit | None) -> Image:
    """Decoded, and turned as Exif says. With `fit`, a JPEG is decoded at a fraction of its size where that will do."""
    from PIL import ImageOps

    if fit and fit.may_shrink and image.format == "JPEG":
        scale = fit.max_edge_px / max(image.size)
        if scale < 0.5:
            image.draft(None, (int(image.width * scale * 2), int(image.height * scale * 2)))
    image.load()
    return ImageOps.exif_transpose(image)


def _stored_size(kind: Kind, data: bytes, upright: Image) -> tuple[int, int]:
    """Of the whole picture: a JPEG may have been decoded at a fraction of it."""
    width, height = _open(kind, data).size if kind.decoder == "JPEG" else upright.size
    is_turned = (width > height) != (upright.width > upright.height)
    return (height, width) if is_turned else (width, height)


def _box(region: Region, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, width, height = region
    if left < 0 or top < 0 or width < 1 or height < 1 or left >= size[0] or top >= size[1]:
        raise ToolError(
            f"the region {width} x {height} at {left}, {top} does not lie in the picture, which is "
            f"{size[0]} x {size[1]} pixels.",
            "bad region",
        )
    return left, top, min(left + width, size[0]), min(top + height, size[1])


def _plain(image: Image) -> Image:
    """As one of the modes that every encoder takes: L, RGB, RGBA."""
    if image.mode in ("L", "RGB", "RGBA"):
        return image.convert("RGBA") if image.has_transparency_data and image.mode != "RGBA" else image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "F" or image.mode.startswith("I"):
        return _in_eight_bits(image)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_eight_bits(image: Image) -> Image:
    """Samples of 16 bits over their whole range, wider ones and floats from the darkest to the brightest."""
    wide = image.convert("F")
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        low, high = (float(limit) for limit in _extrema(wide))
        if not low < high or high - low == float("inf"):
            low, high = 0.0, 255.0
    scale = 255.0 / (high - low)
    return wide.point(lambda sample: sample * scale - low * scale).convert("L")


def _extrema(image: Image) -> tuple[Any, Any]:
    low, high = image.getextrema()
    return low, high


def _within(image: Image, fit: Fit) -> Image:
    edge = max(image.size)
    if edge <= fit.max_edge_px:
        return image
    if not fit.may_shrink:
        raise ToolError(
            f"{image.width} x {image.height} pixels are more than the host takes in full resolution "
            f"({fit.max_edge_px} along the longer edge). Ask for a smaller region.",
            "too large",
        )
    return _scaled(image, fit.max_edge_px / edge)


def _scaled(image: Image, factor: float) -> Image:
    from PIL.Image import Resampling

    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Resampling.LANCZOS, reducing_gap=3.0)


def _encode(image: Image, fit: Fit, is_photo: bool, source_size: tuple[int, int]) -> Encoded:
    """The first way that is small enough; where none is, the same with fewer pixels."""
    while True:
        for subtype, options in _ways(fit.subtypes, is_photo and image.mode != "RGBA"):
            data = _save(image, subtype, options)
            if len(data) <= fit.max_bytes:
                return Encoded(data, subtype, image.size, source_size)
        if not fit.may_shrink:
            raise ToolError(
                f"in full resolution the picture does not fit in the {fit.max_bytes:,} bytes that the host takes. "
                "Ask for a smaller region.",
                "too large",
            )
        if max(image.size) <= _SMALLEST_EDGE_PX:
            raise ToolError(f"the picture cannot be made to fit in {fit.max_bytes:,} bytes.", "too large")
        image = _scaled(image, _SHRINK_STEP)


def _ways(subtypes: tuple[str, ...], is_photo: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Without loss for what was drawn, JPEG for photos."""
    if "png" in subtypes and not (is_photo and "jpeg" in subtypes):
        yield "png", {"compress_level": 6}
    lossy = "jpeg" if "jpeg" in subtypes else "webp" if "webp" in subtypes else ""
    if lossy:
        yield from ((lossy, {"quality": quality}) for quality in _JPEG_QUALITIES)


def _save(image: Image, subtype: str, options: dict[str, Any]) -> bytes:
    if subtype == "jpeg" and image.mode == "RGBA":
        image = _on_white(image)
    buffer = io.BytesIO()
    image.save(buffer, subtype.upper(), **options)
    return buffer.getvalue()


def _on_white(image: Image) -> Image:
    from PIL import Image as Images

    return Images.alpha_composite(Images.new("RGBA", image.size, "white"), image).convert("RGB")
