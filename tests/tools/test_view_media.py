"""Looking at pictures and videos, as the model asks for it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from claw.protocol.messages import Image, Text
from claw.providers.dialect import Media
from claw.tooling.base import Effect, Workspace
from claw.tooling.services import HostMedia
from claw.tools.view_media import RegionParams, ViewMedia, ViewMediaParams
from tests.media.pictures import MP4, picture, shown
from tests.tools.conftest import Bench


@pytest.fixture
def seeing(workspace: Workspace) -> Bench:
    workspace.media = HostMedia("somewhere", Media(images=("png", "jpeg"), max_image_edge_px=100))
    return Bench(workspace)


async def test_a_picture_is_named_measured_and_shown(seeing: Bench) -> None:
    (seeing.cwd / "shot.txt").write_bytes(picture("PNG", (60, 40)))
    result = await seeing.run(ViewMedia(), path="shot.txt")
    words, image = result.content
    assert words == Text("shot.txt: PNG picture, 60 x 40 pixels.")
    assert isinstance(image, Image)
    assert shown(image)[1].size == (60, 40)
    assert (result.brief, result.is_error, seeing.events) == ("PNG 60x40", False, [])


async def test_a_region_of_a_large_one(seeing: Bench) -> None:
    (seeing.cwd / "big.bmp").write_bytes(picture("BMP", (400, 200)))
    assert "400 x 200 pixels. Scaled down to 100 x 50" in await seeing.text(ViewMedia(), path="big.bmp")
    region = {"left": 190, "top": 90, "width": 50, "height": 40}
    result = await seeing.run(ViewMedia(), path="big.bmp", region=region, full_resolution=True)
    assert isinstance(image := result.content[1], Image)
    assert shown(image)[1].size == (50, 40)
    assert "Ask for a smaller region" in await seeing.error(ViewMedia(), path="big.bmp", full_resolution=True)


async def test_what_cannot_be_shown(seeing: Bench) -> None:
    (seeing.cwd / "notes.md").write_text("text")
    (seeing.cwd / "clip.mp4").write_bytes(MP4)
    (seeing.cwd / "cut.png").write_bytes(picture()[:60])
    assert "notes.md is not a picture or video" in await seeing.error(ViewMedia(), path="notes.md")
    assert "somewhere takes only pictures (png, jpeg)" in await seeing.error(ViewMedia(), path="clip.mp4")
    assert "cut.png cannot be shown: it is a damaged PNG" in await seeing.error(ViewMedia(), path="cut.png")
    assert "is a folder" in await seeing.error(ViewMedia(), path=".")
    assert "cup.png does not exist. Near it: cut.png." in await seeing.error(ViewMedia(), path="cup.png")


async def test_a_session_without_eyes(bench: Bench) -> None:
    (bench.cwd / "a.png").write_bytes(picture())
    assert "can be shown to this model" in await bench.error(ViewMedia(), path="a.png")


def test_it_only_reads(workspace: Workspace, tmp_path: Path) -> None:
    access = ViewMedia().access(ViewMediaParams(str(tmp_path / "out.png")), workspace)
    assert (access.effect, access.reads, access.writes) == (Effect.READ, {tmp_path.resolve() / "out.png"}, frozenset())


def test_the_line_for_the_screen() -> None:
    assert ViewMedia().summary(ViewMediaParams("a.png")) == "a.png"
    assert ViewMedia().summary(ViewMediaParams("a.png", RegionParams(1, 2, 3, 4))) == "a.png 3x4+1+2"


@pytest.mark.parametrize("region", [{"left": -1, "top": 0, "width": 1, "height": 1}, {"left": 0}, [1, 2, 3, 4]])
def test_regions_that_are_none(region: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": "a.png", "region": region}, ViewMediaParams)
