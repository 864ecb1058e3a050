"""Pictures that a host would refuse, and more of them than it takes."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw.protocol.messages import AssistantMessage, Image, Message, Text, ToolCall, ToolMessage, UserMessage
from claw.providers.dialect import Media
from claw.providers.sanitize import Sanitizer, sanitize
from tests.providers.history import PNG

MEDIA = Media(images=("png", "jpeg"), video="upload")


def _kept(url: str, media: Media = MEDIA) -> str:
    """What becomes of a picture: nothing, or the text in its place."""
    (message,) = sanitize([UserMessage((Text("see"), Image(url)))], media)
    assert isinstance(message, UserMessage)
    part = message.content[1]
    return part.text if isinstance(part, Text) else ""


@pytest.mark.parametrize("url", [PNG, "data:image/jpeg;base64,/9j/", "data:image/JPG;base64,/9j/4A==", "ms://f-1"])
def test_what_the_host_takes_stays_the_very_same(url: str) -> None:
    history: list[Message] = [UserMessage((Text("see"), Image(url)))]
    assert sanitize(history, MEDIA)[0] is history[0]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("data:image/bmp;base64,AAAA", "[picture left out: image/bmp, where this model host takes png, jpeg]"),
        ("data:image/png;base64,", "[picture left out: image/png of 0 bytes]"),
        ("data:image/png;base64,A", "[picture left out: image/png whose base64 is broken]"),
        ("data:image/png;base64,AA\nAA", "[picture left out: image/png whose base64 is broken]"),
        ("data:image/png;base64,ä", "[picture left out: image/png whose base64 is broken]"),
        ("data:image/png;base64,AAAA", "[picture left out: not image/png, as it says it were]"),
        ("data:image/jpeg;base64,iVBORw0KGgo=", "[picture left out: not image/jpeg, as it says it were]"),
        ("data:image/png,abc", "[picture left out: not picture data, but image/png, 18 characters]"),
        ("data:text/html;base64,AAAA", "[picture left out: not picture data, but text/html, 26 characters]"),
        ("data:", "[picture left out: not picture data, but data, 5 characters]"),
        ("https://h/a.png", "[picture left out: not picture data, but https://h/a.png]"),
        ("file:///etc/passwd", "[picture left out: not picture data, but file:///etc/passwd]"),
        ("ms://", "[picture left out: not picture data, but ms://]"),
        ("", "[picture left out: not picture data, but ]"),
        ("x" * 200, f"[picture left out: not picture data, but {'x' * 80}…]"),
    ],
)
def test_what_it_would_refuse_is_said_in_words(url: str, text: str) -> None:
    assert _kept(url) == text


def test_other_hosts_take_other_things() -> None:
    four = Media(images=("png", "jpeg", "webp", "gif"))
    for kind, start in (("gif", b"GIF89a"), ("webp", b"RIFF\n\0\0\0WEBP")):
        assert _kept(f"data:image/{kind};base64,{base64.b64encode(start).decode()}", four) == ""
    assert _kept(PNG, Media()) == "[picture left out: this model host takes no pictures]"
    assert _kept("ms://f-1", Media(images=("png",))) == "[picture left out: it is stored at another model host]"
    fetching = Media(images=("png",), image_urls=True)
    assert _kept("https://h/a.png", fetching) == ""
    assert _kept("https:///a.png", fetching) != ""
    assert _kept("file:///a.png", fetching) != ""


def test_a_picture_from_a_tool_is_held_to_the_same() -> None:
    call = AssistantMessage("", "", (ToolCall("1", "view", "{}"),))
    result = ToolMessage("1", "view", (Text("a.bmp"), Image("data:image/bmp;base64,AAAA")))
    assert sanitize([call, result], MEDIA)[1] == ToolMessage(
        "1", "view", (Text("a.bmp"), Text("[picture left out: image/bmp, where this model host takes png, jpeg]"))
    )


def _picture(number: int) -> Image:
    return Image("data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n%03d" % number).decode())


def _history(pictures_per_turn: Sequence[int]) -> list[Message]:
    history: list[Message] = []
    for number, count in enumerate(pictures_per_turn):
        pictures = tuple(_picture(100 * number + i) for i in range(count))
        history += [UserMessage((Text("see"), *pictures)), AssistantMessage("ok")]
    return history


def _pictures(messages: Sequence[Message]) -> list[str]:
    users = [message for message in messages if isinstance(message, UserMessage)]
    return [part.url for message in users for part in message.content if isinstance(part, Image)]


def test_of_too_many_the_oldest_go() -> None:
    history = _history([1, 1, 1])
    clean = sanitize(history, Media(images=("png",), max_images=2))
    assert _pictures(clean) == _pictures(history)[1:]
    assert clean[0] == UserMessage((Text("see"), Text("[older picture left out: image/png, 38 characters]")))
    assert clean[2] is history[2]


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(0, 20))
def test_never_more_than_the_limit_and_never_one_again(counts: list[int], limit: int) -> None:
    media = Media(images=("png",), max_images=limit)
    sanitizer = Sanitizer(media)
    history = _history(counts)
    gone: set[str] = set()
    for end in range(0, len(history) + 1, 2):
        kept = _pictures(sanitizer.clean(history[:end]))
        everything = _pictures(history[:end])
        assert len(kept) <= limit
        assert kept == everything[len(everything) - len(kept) :]
        assert len(kept) >= min(len(everything), limit - limit // 8)
        assert gone.isdisjoint(kept)
        gone |= set(everything) - set(kept)
        assert sanitize(history[:end], media) == sanitizer.clean(history[:end])


def test_the_bytes_change_once_for_many_pictures() -> None:
    sanitizer = Sanitizer(Media(images=("png",), max_images=16))
    history = _history([1] * 64)
    n_dropped = [end // 2 - len(_pictures(sanitizer.clean(history[:end]))) for end in range(2, len(history) + 1, 2)]
    assert len(set(n_dropped)) - 1 == (64 - 16) // 2
