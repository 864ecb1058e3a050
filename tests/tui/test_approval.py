"""The question panel: what it shows, and which keys answer."""

from __future__ import annotations

from textual.app import App, ComposeResult

from claw.protocol.details import FileChange, Preview
from claw.protocol.events import ApprovalAsked
from claw.protocol.ops import Answer
from claw.tui.look import Look
from claw.tui.widgets.approval import ApprovalPanel

LOOK = Look("test", dark=True)


def asked(name: str = "bash", approval: str = "a", **fields: object) -> ApprovalAsked:
    given = {
        "preview": Preview(command="make && rm -r x", cwd="/w", programs=("make: /usr/bin/make",)),
        "segments": ("rm -r x",), "suggestion": "bash(rm *)", "scopes": ("once", "session", "user"), **fields,
    }  # fmt: skip
    return ApprovalAsked(approval=approval, call_id="c", name=name, summary="s", reason="the mode is ask", **given)  # type: ignore[arg-type]


class Host(App[None]):
    def __init__(self, *questions: ApprovalAsked) -> None:
        super().__init__()
        self.now = 100.0
        self.answers: list[tuple[Answer, bool]] = []
        self.panel = ApprovalPanel(LOOK, clock=lambda: self.now)
        self._questions = questions

    def compose(self) -> ComposeResult:
        for question in self._questions:
            self.panel.add(question)
        yield self.panel

    def on_approval_panel_answered(self, message: ApprovalPanel.Answered) -> None:
        self.answers.append((message.answer, message.interrupt))


def shown(app: Host) -> list[str]:
    return [app.panel.render_line(y).text.rstrip() for y in range(app.panel.size.height)]


async def test_what_is_shown() -> None:
    app = Host(asked(), asked(approval="b"))
    async with app.run_test(size=(60, 24)):
        assert shown(app) == [
            "Allow bash?  1 of 2",
            "run   make && rm -r x",
            "ask   rm -r x",
            "is    make: /usr/bin/make",
            "in    /w",
            "why   the mode is ask",
            "y yes, once   s for the session   u always   n no   Esc",
            "no, and stop",
            "beyond once: bash(rm *)",
        ]


async def test_a_diff_that_is_long_scrolls_and_the_keys_stay() -> None:
    diff = "@@ -1,0 +1,50 @@\n" + "".join(f"+line {number}\n" for number in range(50))
    change = FileChange("new.py", "added", diff, 50, 0)
    app = Host(asked("write", preview=Preview(changes=(change,)), segments=(), scopes=("once",)))
    async with app.run_test(size=(60, 20)) as pilot:
        assert len(shown(app)) <= 10
        assert shown(app)[-1].startswith("y yes, once   n no")
        assert "line 0" in "".join(shown(app))
        for _ in range(20):
            await pilot.press("down")
        assert "line 0" not in "".join(shown(app))
        assert shown(app)[-1].startswith("y yes, once   n no")


async def test_keys_answer_only_after_a_moment() -> None:
    app = Host(asked())
    async with app.run_test(size=(60, 24)) as pilot:
        await pilot.press("y")
        assert app.answers == []
        app.now += 0.5
        await pilot.press("p")  # not offered
        assert app.answers == []
        await pilot.press("s")
        assert app.answers == [(Answer("a", True, "session"), False)]
        assert not app.query(ApprovalPanel)


async def test_the_next_one_has_its_own_moment_and_escape_stops() -> None:
    app = Host(asked(), asked(approval="b"))
    async with app.run_test(size=(60, 24)) as pilot:
        app.now += 1
        await pilot.press("n", "n")
        assert app.answers == [(Answer("a", False), False)]
        app.now += 1
        await pilot.press("escape")
        assert app.answers[1:] == [(Answer("b", False), True)]


async def test_a_question_that_is_withdrawn() -> None:
    app = Host(asked(), asked(approval="b"))
    async with app.run_test(size=(60, 24)) as pilot:
        app.panel.withdraw("a")
        await pilot.pause()
        assert shown(app)[0] == "Allow bash?  2 of 2"
        app.panel.withdraw("b")
        await pilot.pause()
        assert not app.query(ApprovalPanel)
