"""Pictures and videos on the wire: `--image`, `@picture` and `view_media`, through the whole of claw."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Claw
from tests.fakes.model_server import Answer, ModelServer, Request, call, raw, say
from tests.media.pictures import MP4, picture

PNG = picture("PNG")


def url_of(data: bytes, subtype: str = "png") -> str:
    return f"data:image/{subtype};base64,{base64.b64encode(data).decode()}"


def seen(server: ModelServer, role: str = "user", request: int = -1) -> list[dict[str, Any]]:
    """The parts of the last message of `role`, less the context that claw adds."""
    content = [m["content"] for m in server.requests[request].messages if m["role"] == role][-1]
    return [part for part in content if not part.get("text", "").startswith("<context>")]


def image(data: bytes, subtype: str = "png") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url_of(data, subtype)}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def configure(claw: Claw, server: ModelServer, media: str) -> None:
    """A host of the user's own, which takes what `media` says."""
    folder = Path(claw.environ["CLAW_HOME"]) / "config"
    folder.mkdir(parents=True)
    table = f'[hosts.eyes]\nbase_url = "{server.url}"\n[hosts.eyes.dialect.media]\n{media}\n'
    (folder / "config.toml").write_text(table)


def test_image_options_go_with_the_prompt_in_order(claw: Claw) -> None:
    jpeg = picture("JPEG")
    (claw.repository / "a.png").write_bytes(PNG)
    (claw.repository / "b").write_bytes(jpeg)
    with ModelServer([say("Seen.")]) as server:
        done = claw.exec(server, "compare", "--image", "b", "--image=a.png")
    assert (done.code, done.json["result"]) == (0, "Seen.")
    assert seen(server) == [text("compare"), image(jpeg, "jpeg"), image(PNG)]


def test_mentions_in_the_prompt(claw: Claw) -> None:
    gif, webp = picture("GIF"), picture("WEBP")
    (claw.repository / "with space.gif").write_bytes(gif)
    (claw.repository / "in").mkdir()
    (claw.repository / "in" / "c.webp").write_bytes(webp)
    (claw.home / "home.png").write_bytes(PNG)
    prompt = 'look at @"with space.gif", (@in/c.webp). And @~/home.png, @calc/add.py, @gone.png, me@in/c.webp'
    with ModelServer([say("Seen.")]) as server:
        assert claw.exec(server, prompt).code == 0
    assert seen(server) == [text(prompt), image(gif, "gif"), image(webp, "webp"), image(PNG)]


def test_a_mention_on_stdin_picks_no_file(claw: Claw) -> None:
    """What is piped in may be anyone's text; only where it is the prompt itself do its mentions count."""
    (claw.repository / "a.png").write_bytes(PNG)
    with ModelServer([say("One."), say("Two.")]) as server:
        claw.exec(server, "review", stdin="see @a.png")
        assert isinstance(server.requests[0].messages[-1]["content"], str)
        claw.exec(server, "-", stdin="see @a.png")
        assert seen(server) == [text("see @a.png"), image(PNG)]


def test_a_picture_in_a_format_that_no_host_takes(claw: Claw) -> None:
    (claw.repository / "shot.tiff").write_bytes(picture("TIFF", (2600, 100)))
    with ModelServer([say("Seen.")]) as server:
        claw.exec(server, "look", "--image", "shot.tiff")
    _, sent = seen(server)
    assert sent["image_url"]["url"].startswith("data:image/png;base64,")


def test_view_media_in_a_run_and_after_it(claw: Claw) -> None:
    large = picture("BMP", (300, 200))
    (claw.repository / "shot.bmp").write_bytes(large)
    (claw.repository / "cut.png").write_bytes(PNG[:60])
    answers = [
        call(("view_media", {"path": "shot.bmp"}), ("view_media", {"path": "cut.png"})),
        say("Seen."),
        say("Yes."),
    ]
    with ModelServer(answers) as server:
        done = claw.exec(server, "look")
        first = [m for m in server.requests[1].messages if m["role"] == "tool"]
        again = claw.exec(server, "sure?", "--continue")
        second = [m for m in server.requests[2].messages if m["role"] == "tool"]
    assert (done.code, again.code) == (0, 0)
    words, sent = first[0]["content"]
    assert words == text("shot.bmp: BMP picture, 300 x 200 pixels.")
    assert sent["image_url"]["url"].startswith("data:image/png;base64,")
    assert first[1]["content"].startswith("cut.png cannot be shown: it is a damaged PNG picture")
    assert second == first


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("gone.png", None, "gone.png cannot be read: No such file"),
        ("notes.md", b"text", "notes.md is not a picture or video"),
        ("a.svg", b"<svg xmlns='x'/>", "SVG drawing"),
        ("empty.png", b"", "empty.png is empty"),
        ("cut.png", PNG[:70], "damaged PNG picture"),
        ("clip.mp4", MP4, "takes only pictures (png, jpeg, webp, gif)"),
    ],
)
def test_what_cannot_be_shown_ends_before_the_model_is_asked(
    claw: Claw, name: str, data: bytes | None, words: str
) -> None:
    if data is not None:
        (claw.repository / name).write_bytes(data)
    with ModelServer([say("Never.")]) as server:
        done = claw.exec(server, "look", "--image", name, "--output-format", "text")
        assert not server.requests
    assert done.code == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_needs_a_prompt_to_go_with(claw: Claw) -> None:
    (claw.repository / "a.png").write_bytes(PNG)
    with ModelServer([]) as server:
        done = claw.exec(server, "--image", "a.png", "--input-format", "stream-json", stdin="")
    assert (done.code, "--image goes with a prompt" in done.stderr) == (2, True)


def files_and_answers(*answers: Answer) -> Any:
    """A host with a `/files` endpoint beside its model."""
    left = list(answers)

    def answer(request: Request) -> Answer:
        if request.target == "/v1/files":
            return raw(b'{"id": "vid-1", "object": "file"}', "application/json")
        return left.pop(0)

    return answer


def test_a_video_is_uploaded_once_and_named_by_its_id(claw: Claw) -> None:
    pytest.importorskip("openai", reason="uploads need the openai extra")
    (claw.repository / "clip.mp4").write_bytes(MP4)
    script = files_and_answers(call(("view_media", {"path": "clip.mp4"})), say("Seen."))
    with ModelServer(script) as server:
        configure(claw, server, 'images = ["png"]\nvideo = "upload"')
        done = claw.run("exec", "--host", "eyes", "what happens in @clip.mp4?", "--output-format", "json")
        uploads = [request for request in server.requests if request.target == "/v1/files"]
        assert (done.code, done.json["result"]) == (0, "Seen."), done.stderr
    assert len(uploads) == 1
    assert MP4 in uploads[0].raw
    assert b'name="purpose"\r\n\r\nvideo' in uploads[0].raw
    video = {"type": "video_url", "video_url": {"url": "ms://vid-1"}}
    assert seen(server) == [text("what happens in @clip.mp4?"), video]
    assert seen(server, "tool") == [text(f"clip.mp4: MP4 video, {len(MP4)} bytes."), video]


def test_the_limits_are_those_of_the_host(claw: Claw) -> None:
    (claw.repository / "a.png").write_bytes(picture("PNG", (400, 300)))
    with ModelServer([say("Seen.")]) as server:
        configure(claw, server, 'images = ["jpeg"]\nmax_image_edge_px = 64')
        claw.run("exec", "--host", "eyes", "look at @a.png")
    _, sent = seen(server)
    assert sent["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert len(sent["image_url"]["url"]) < 4_000
