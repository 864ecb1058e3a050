from __future__ import annotations

import asyncio

import pytest
from textual import events
from textual.app import App

from claw.code.review import ChangedFile, FileReview, Review
from claw.tui.screens.review import ReviewScreen
from claw.tui.theme import load_theme, look_of, textual_theme

BEFORE = "".join(f"line {number}\n" for number in range(1, 61))
AFTER = BEFORE.replace("line 3\n", "line three\n").replace("line 30\n", "line \x1b[31mthirty\n") + "last\n"
THEME = load_theme("claw-dark")


class ReviewApp(App[bool]):
    def __init__(self, files: list[FileReview]) -> None:
        super().__init__()
        self.files = files

    def on_mount(self) -> None:
        self.register_theme(textual_theme(THEME))
        self.theme = textual_theme(THEME).name
        self.push_screen(ReviewScreen("Changes", self.files, look_of(THEME)), self.exit)


def files() -> list[FileReview]:
    return list(Review([ChangedFile("a.py", BEFORE.encode(), AFTER.encode()), ChangedFile("b", None, b"new\n")]).files)


async def driven(keys: list[str], size: tuple[int, int] = (100, 30)) -> tuple[list[FileReview], bool | None, str]:
    shown = files()
    app = ReviewApp(shown)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        text = "\n".join("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())
    return shown, app.return_value, text


def test_deciding_goes_on_to_the_next() -> None:
    shown, result, _ = asyncio.run(driven(["a", "r", "a", "r", "enter"]))
    first, second = shown
    assert [first.decision(number) for number in range(3)] == ["accept", "reject", "accept"]
    assert second.decision(0) == "reject"
    assert result is True


def test_nothing_decided_is_nothing_to_carry_out() -> None:
    assert asyncio.run(driven(["j", "k", "down", "v", "pagedown", "enter"]))[1] is False


def test_leaving_asks_once() -> None:
    assert "Esc again throws" in asyncio.run(driven(["r", "escape"]))[2]
    assert asyncio.run(driven(["r", "escape"]))[1] is None
    assert asyncio.run(driven(["r", "escape", "escape"]))[1] is False
    assert asyncio.run(driven(["escape"]))[1] is False


def test_a_comment_is_kept_and_shown() -> None:
    shown, _, text = asyncio.run(driven(["c", *"why so", "enter"]))
    assert [said for _, said in shown[0].comments()] == ["why so"]
    assert "why so" in text
    assert "1 comments" in text
    assert asyncio.run(driven(["c", *"no", "escape"]))[0][0].n_comments == 0


def test_keys_that_come_all_at_once_are_not_lost() -> None:
    async def typed() -> list[FileReview]:
        shown = files()
        app = ReviewApp(shown)
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            for key, character in (("r", "r"), ("c", "c"), ("j", "j"), ("a", "a"), ("w", "w"), ("enter", "\r")):
                app.post_message(events.Key(key, character))
            await pilot.pause(0.2)
        return shown

    shown = asyncio.run(typed())
    assert [said for _, said in shown[0].comments()] == ["jaw"]


def test_the_whole_file() -> None:
    shown, _, _ = asyncio.run(driven(["R"]))
    assert shown[0].n_rejected == 3
    assert shown[1].n_rejected == 0


def test_search() -> None:
    assert "not found" in asyncio.run(driven(["slash", *"zzz", "enter"]))[2]
    assert "not found" not in asyncio.run(driven(["slash", *"last", "enter"]))[2]


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (80, 24), (120, 40), (200, 60)])
def test_every_size(size: tuple[int, int]) -> None:
    _, _, text = asyncio.run(driven(["j", "j", "G", "g", "J", "K"], size))
    assert "\x1b" not in text
    assert all(len(line) <= size[0] for line in text.split("\n"))
