"""What becomes of a file on its way to the model, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import random
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from claw.errors import ToolError, UsageError
from claw.media.attach import attach
from claw.media.intake import Taken, open_regular, take
from claw.media.transcode import MAX_PIXELS, Region
from claw.providers.dialect import Media
from claw.tooling.services import HostMedia
from tests.media.pictures import MP4, encoded, is_red, noise, picture, png_bomb, shown, turned

FOUR = ("png", "jpeg", "webp", "gif")
HOST = HostMedia("somewhere", Media(images=FOUR))


def host(images: tuple[str, ...] = FOUR, **limits: Any) -> HostMedia:
    return HostMedia("somewhere", Media(images=images, **limits))


async def taken(data: bytes, at: HostMedia | None = HOST, region: Region | None = None, **options: Any) -> Taken:
    return await take("pic", io.BytesIO(data), at, region, **options)


async def refusal(data: bytes, at: HostMedia | None = HOST, region: Region | None = None, **options: Any) -> str:
    with pytest.raises(ToolError) as caught:
        await taken(data, at, region, **options)
    return str(caught.value)


@pytest.mark.parametrize(("decoder", "subtype"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp"), ("GIF", "gif")])
async def test_what_the_host_takes_goes_byte_for_byte(decoder: str, subtype: str) -> None:
    data = picture(decoder)
    name = {"JPEG": "JPEG", "WEBP": "WebP"}.get(decoder, decoder)
    part, what, brief = await taken(data)
    assert part.url == f"data:image/{subtype};base64,{base64.b64encode(data).decode()}"
    assert (what, brief) == (f"pic: {name} picture, 60 x 40 pixels.", f"{name} 60x40")


@pytest.mark.parametrize(
    ("decoder", "mode"),
    [("BMP", "RGB"), ("TIFF", "RGB"), ("TIFF", "CMYK"), ("TIFF", "1"), ("TIFF", "F"), ("TIFF", "LAB"), ("PPM", "L"),
     ("ICO", "RGBA"), ("AVIF", "RGB"), ("JPEG2000", "RGB"), ("BMP", "P")],
)  # fmt: skip
async def test_everything_else_is_transcoded(decoder: str, mode: str) -> None:
    options: dict[str, Any] = {"sizes": [(60, 40)]} if decoder == "ICO" else {}
    kind, image = shown((await taken(picture(decoder, mode=mode, **options))).part)
    assert kind in ("image/png", "image/jpeg")
    assert image.size == (60, 40)
    assert image.mode in ("L", "RGB", "RGBA")
    if mode in ("RGB", "RGBA", "CMYK", "P"):
        assert is_red(image, 5, 5)
    corner = image.convert("L").getpixel((55, 35))
    assert isinstance(corner, (int, float))
    assert corner > 200


@pytest.mark.parametrize("decoder", ["GIF", "WEBP", "PNG"])
async def test_of_an_animation_the_first_frame(decoder: str) -> None:
    first, second = Image.new("RGB", (30, 30), "red"), Image.new("RGB", (30, 30), "blue")
    data = encoded(first, decoder, save_all=True, append_images=[second], lossless=True)
    _, image = shown((await taken(data, host(("jpeg",)))).part)
    assert (image.size, getattr(image, "n_frames", 1)) == ((30, 30), 1)
    red, _, blue = image.convert("RGB").split()
    assert red.getextrema()[0] > 200 > 60 > blue.getextrema()[1]  # type: ignore[operator]


async def test_sixteen_bits_keep_their_greys() -> None:
    image = Image.new("I;16", (2, 1))
    image.putpixel((0, 0), 65535)
    image.putpixel((1, 0), 32768)
    _, seen = shown((await taken(encoded(image, "TIFF"))).part)
    assert [seen.getpixel((0, 0)), seen.getpixel((1, 0))] == [255, 127]


@pytest.mark.parametrize("decoder", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
async def test_a_larger_one_is_scaled_down_to_the_edge(decoder: str) -> None:
    part, what, _ = await taken(picture(decoder, (900, 300)), host(max_image_edge_px=300))
    _, image = shown(part)
    assert image.size == (300, 100)
    assert is_red(image, 40, 20)
    assert not is_red(image, 200, 80)
    assert "900 x 300 pixels. Scaled down to 300 x 100; for details ask for a region" in what


@pytest.mark.parametrize("limit", [20_000, 60_000, 250_000])
async def test_one_of_too_many_bytes_is_made_to_fit(limit: int) -> None:
    data = noise("PNG", (700, 500))
    assert len(data) > limit
    part, _, _ = await taken(data, host(max_image_bytes=limit))
    kind, image = shown(part)
    assert kind == "image/jpeg"
    assert len(base64.b64decode(part.url.partition(",")[2])) <= limit
    assert abs(image.width / image.height - 1.4) < 0.02


async def test_one_that_can_never_fit_is_refused() -> None:
    assert "cannot be made to fit in 100 bytes" in await refusal(noise("PNG", (300, 300)), host(max_image_bytes=100))


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("decoder", ["JPEG", "PNG", "WEBP"])
async def test_a_turned_photo_is_put_upright(orientation: int, decoder: str) -> None:
    part, what, _ = await taken(turned(orientation, decoder))
    _, image = shown(part)
    size = (40, 60) if orientation >= 5 else (60, 40)
    assert image.size == size
    assert f"{size[0]} x {size[1]} pixels." in what
    x, y = {2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    assert is_red(image, 5 if x == 0 else size[0] - 6, 5 if y == 0 else size[1] - 6)
    assert image.getexif().get(0x0112, 1) == 1


async def test_a_large_turned_photo() -> None:
    part, what, _ = await taken(turned(6, size=(1200, 800)), host(max_image_edge_px=300))
    assert shown(part)[1].size == (200, 300)
    assert "800 x 1200 pixels. Scaled down to 200 x 300" in what


async def test_transparency_survives_and_becomes_white_in_jpeg() -> None:
    data = encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "TIFF")
    assert shown((await taken(data)).part)[1].mode == "RGBA"
    seen = shown((await taken(data, host(("jpeg",)))).part)[1]
    assert seen.getpixel((3, 3)) == (255, 255, 255)


async def test_the_target_is_what_the_host_takes() -> None:
    assert shown((await taken(picture("PNG"), host(("webp", "gif")))).part)[0] == "image/webp"
    assert shown((await taken(picture("WEBP"), host(("png",)))).part)[0] == "image/png"
    assert "somewhere takes only gif" in await refusal(picture("PNG"), host(("gif",)))


async def test_a_region_in_full_resolution() -> None:
    data = picture("PNG", (4000, 3000))
    part, what, _ = await taken(data, region=Region(1990, 1490, 20, 20), full_resolution=True)
    _, image = shown(part)
    assert image.size == (20, 20)
    assert is_red(image, 5, 5)
    assert not is_red(image, 15, 15)
    assert what == "pic: PNG picture, 4000 x 3000 pixels. Shown is the region 20 x 20 at 1990, 1490."
    part, what, _ = await taken(data, region=Region(3900, 0, 500, 500))
    assert shown(part)[1].size == (100, 500)
    assert "Shown is the region 100 x 500 at 3900, 0." in what


async def test_regions_and_resolutions_that_cannot_be() -> None:
    data = picture("PNG", (400, 300))
    assert "which is 400 x 300 pixels" in await refusal(data, region=Region(400, 0, 10, 10))
    assert "Ask for a smaller region" in await refusal(data, host(max_image_edge_px=300), full_resolution=True)
    full = await refusal(noise("PNG", (400, 300)), host(max_image_bytes=9_000), full_resolution=True)
    assert "does not fit in the 9,000 bytes" in full


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "pic is empty"),
        (b"just some text", "not a picture or video of a kind that claw knows"),
        (b"BM is how a text may begin", "not a picture or video"),
        (b"%PDF-1.7 ...", "not a picture or video"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture or video"),
        (b'<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="x"/>', "SVG drawing"),
        (b"\xef\xbb\xbf <svg/>", "SVG drawing"),
        (picture()[:50], "damaged PNG picture: it is cut off"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 100, "does not begin with its size"),
        (b"\xff\xd8\xff", "damaged JPEG picture: it is cut off"),
        (b"GIF89a", "damaged GIF picture: it is cut off"),
        (b"RIFF\xff\xff\xff\xffWEBPVP8 ", "damaged WebP picture: it is cut off"),
        (b"II*\0\x08\0\0\0", "no TIFF picture that can be decoded"),
        (png_bomb(30_000, 30_000), "too many pixels (30000 x 30000"),
        (png_bomb(2_000_000_000, 1), "too many pixels"),
        (png_bomb(0, 10), "it has no pixels"),
        (png_bomb(1900, 1900), "no PNG picture that can be decoded"),
    ],
)
async def test_hostile_files(data: bytes, words: str) -> None:
    assert words in await refusal(data)


async def test_a_bomb_inside_an_icon() -> None:
    bomb = png_bomb(10_000, 10_000)  # fewer than Pillow itself refuses
    head = b"\0\0\1\0\1\0" + bytes([32, 32, 0, 0, 1, 0, 32, 0]) + len(bomb).to_bytes(4, "little") + b"\x16\0\0\0"
    assert "too many pixels" in await refusal(head + bomb)


async def test_a_tiff_that_claims_too_many_pixels() -> None:
    data = bytearray(picture("TIFF"))
    start = int.from_bytes(data[4:8], "little") + 2
    for i in range(2):  # width and length are the first two entries
        entry = start + 12 * i
        data[entry + 2 : entry + 12] = b"\4\0\1\0\0\0" + (15_000).to_bytes(4, "little")
    assert MAX_PIXELS < 15_000**2
    assert "too many pixels" in await refusal(bytes(data))


@pytest.mark.parametrize("decoder", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "AVIF", "JPEG2000"])
async def test_a_cut_file_is_refused_or_whole(decoder: str) -> None:
    """Wherever it is cut: an error in words, or a picture that a host can decode."""
    data = picture(decoder, (48, 32))
    cuts = sorted({*range(1, 40), *range(40, len(data), max(1, len(data) // 40)), len(data) - 1})
    for cut in cuts:
        try:
            part = (await taken(data[:cut])).part
        except ToolError:
            continue
        assert shown(part)[1].size[0] <= 256, cut


@pytest.mark.parametrize("decoder", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "AVIF", "JPEG2000", "PPM"])
async def test_damaged_bytes_never_crash(decoder: str) -> None:
    data, dice = picture(decoder, (48, 32)), random.Random(decoder)
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(dice.randrange(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        try:
            part = (await taken(bytes(broken))).part
        except ToolError:
            continue
        shown(part)


async def test_a_host_without_eyes() -> None:
    assert await refusal(picture(), host(())) == "pic cannot be shown: somewhere takes no pictures."
    assert "no pictures or videos can be shown to this model" in await refusal(picture(), None)


class Keeping:
    """Uploads that keep what they are given."""

    def __init__(self) -> None:
        self.files: list[tuple[str, bytes, str, str]] = []

    async def upload(self, name: str, data: bytes, media_type: str, purpose: str) -> str:
        self.files.append((name, data, media_type, purpose))
        return f"ms://file-{len(self.files)}"


async def test_videos_by_upload_by_data_and_not_at_all() -> None:
    uploads = Keeping()
    part, what, brief = await taken(MP4, HostMedia("there", Media(video="upload"), uploads))
    assert part.url == "ms://file-1"
    assert (what, brief) == (f"pic: MP4 video, {len(MP4)} bytes.", "MP4 video")
    assert uploads.files == [("pic", MP4, "video/mp4", "video")]
    inline = await taken(MP4, host(video="data"))
    assert inline.part.url == f"data:video/mp4;base64,{base64.b64encode(MP4).decode()}"
    assert await refusal(MP4) == (
        "pic is a video, and somewhere takes only pictures (png, jpeg, webp, gif). Extract frames with a command such "
        "as ffmpeg."
    )
    assert "more than the 50 bytes that somewhere takes" in await refusal(MP4, host(video="data", max_video_bytes=50))
    assert "a region and full_resolution are for pictures" in await refusal(MP4, region=Region(0, 0, 1, 1))
    matroska = b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x23\x42\x82\x88matroska"
    assert "Matroska video, which is not taken" in await refusal(matroska, host(video="data"))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    for name, words in (
        ("pipe", "not a regular"),
        ("socket", "not a regular"),
        (".", "not a regular"),
        ("no", "No such"),
    ):
        with pytest.raises(ToolError, match=words):
            open_regular(tmp_path / name)
    with pytest.raises(ToolError, match="not a regular"):
        open_regular(Path("/dev/zero"))


async def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(10 * 2**30)
    with open_regular(path) as opened, pytest.raises(ToolError, match="more than 67,108,864 bytes"):
        await take("huge.png", opened, HOST)


async def test_attached_files_come_once_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    (tmp_path / "b.txt").write_bytes(picture("JPEG"))
    (tmp_path / "c.py").write_text("print()")
    (tmp_path / "link").symlink_to("a.png")
    names = [tmp_path / name for name in ("b.txt", "a.png", "link", "c.py", "gone")]
    parts = await attach([tmp_path / "a.png"], names, HOST)
    assert [part.url[:16] for part in parts if not hasattr(part, "text")] == ["data:image/png;b", "data:image/jpeg;"]
    with pytest.raises(UsageError, match=r"gone cannot be read: No such file"):
        await attach([tmp_path / "gone"], [], HOST)
    with pytest.raises(UsageError, match=r"c\.py is not a picture"):
        await attach([tmp_path / "c.py"], [], HOST)
    with pytest.raises(UsageError, match="2 pictures in one message, but somewhere takes at most 1"):
        await attach([], names, host(max_images=1))


async def test_pictures_side_by_side() -> None:
    """The limit of one decoder at a time must not lock up, nor mix results up."""
    sizes = [(400 + 10 * i, 300) for i in range(12)]
    results = await asyncio.gather(*(taken(picture("BMP", size)) for size in sizes))
    assert [shown(result.part)[1].size for result in results] == sizes


def test_without_pillow(tmp_path: Path) -> None:
    """In a process of its own, with no site-packages that hold Pillow."""
    import subprocess

    (tmp_path / "ok.png").write_bytes(picture("PNG"))
    (tmp_path / "big.png").write_bytes(picture("PNG", (3000, 10)))
    (tmp_path / "turned.jpg").write_bytes(turned(6))
    code = f"""
import asyncio, importlib.abc, sys
class NoPillow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "PIL":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoPillow())
import importlib.util
real = importlib.util.find_spec
def find_spec(name, package=None):
    try:
        return real(name, package)
    except ModuleNotFoundError:
        return None
importlib.util.find_spec = find_spec
from pathlib import Path
from claw.errors import UsageError
from claw.media.attach import attach
from claw.providers.dialect import Media
from claw.tooling.services import HostMedia
host = HostMedia("x", Media(images=("png", "jpeg")))
folder = Path({str(tmp_path)!r})
for name in ("ok.png", "turned.jpg", "big.png"):
    try:
        print(asyncio.run(attach([folder / name], [], host))[0].url[:15])
    except UsageError as error:
        print(str(error).partition("cannot be shown: ")[2])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "data:image/png;",
        "data:image/jpeg",
        "this needs Pillow, which is not installed: pip install 'claw-agent[vision]'",
    ], done.stderr
