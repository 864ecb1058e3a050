"""What slash commands ask of the frontend, carried out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from textual.screen import Screen

from claw.commands import requests as rq
from claw.commands.registry import Commands
from claw.commands.work import prompt_text
from claw.errors import ClawError, UsageError
from claw.paths import Home
from claw.protocol.details import TodoItem
from claw.tui import pages
from claw.tui.blocks.said import AnswerBlock
from claw.tui.bridge import Bridge
from claw.tui.document import Document
from claw.tui.figures import Figures
from claw.tui.look import Look
from claw.tui.plans import Plans
from claw.tui.sample import sample
from claw.tui.screens.picker import Choice, Picker
from claw.tui.sessions import pick_session


class Front(Protocol):
    """What the app is to the desk."""

    bridge: Bridge
    figures: Figures
    home: Home
    environ: Mapping[str, str]
    document: Document
    commands: Commands
    branch: str
    todo: tuple[TodoItem, ...]

    @property
    def look(self) -> Look: ...
    @property
    def theme_name(self) -> str: ...
    def show(self, title: str, markdown: str) -> None: ...
    def note(self, text: str, level: str = "info") -> None: ...
    def say(self, text: str) -> None: ...
    def wear(self, name: str) -> Look: ...
    def themes(self) -> Mapping[str, str]: ...
    def leave(self) -> None: ...
    def copy_to_clipboard(self, text: str) -> None: ...
    def edit(self, path: Path) -> None: ...
    async def reopen(self, *, fresh: bool = False, resume: str | None = None, **changes: Any) -> bool: ...
    async def ask_screen(self, screen: Screen[Any]) -> Any: ...


class Desk:
    """*Errors* of every request: ClawError, said in words that a person can act on."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self.plans = Plans(front.home.state / "plans")

    async def do(self, request: rq.UiRequest) -> None:
        front = self._front
        match request:
            case rq.ShowHelp(command):
                front.show(f"/help {command}".rstrip(), front.commands.help_text(command))
            case rq.ShowPage(page):
                front.show(f"/{page}", await self._page(page))
            case rq.NewSession():
                await front.reopen(fresh=True)
            case rq.PickSession():
                if name := await pick_session(front.bridge, front.look, front.ask_screen):
                    await front.reopen(resume=name)
            case rq.ResumeSession(name):
                await front.reopen(resume=name)
            case rq.ForkSession():
                sessions = await front.bridge.sessions()
                await front.reopen(resume=await asyncio.to_thread(sessions.fork, self._session()))
            case rq.ExportSession(path):
                await self._export(path)
            case rq.CopyText(what):
                self._copy(what)
            case rq.ChangeSettings(changes):
                await front.reopen(**dict[str, Any](changes))
            case rq.PickModel():
                await self._pick_model()
            case rq.ShowDiff(of):
                await self._judge(of)
            case rq.StartPlan(task):
                self.plans.begin(front.figures.mode)
                if await front.reopen(mode="read-only"):
                    front.say(f"{prompt_text('plan')}\n\n{task}")
            case rq.EditPlan():
                front.edit(self.plans.file(self._session()))
            case rq.CarryOutPlan():
                plan = self.plans.text(self._session())
                if await front.reopen(mode=self.plans.mode_before):
                    front.say(f"{prompt_text('carry_out')}\n\n{plan}")
            case rq.EditMemory(whose):
                folder = front.bridge.settings.cwd if whose == "project" else front.home.config
                folder.mkdir(parents=True, exist_ok=True)
                front.edit(folder / "AGENTS.md")
            case rq.TrustFolder(trusted):
                await self._trust(trusted)
            case rq.SetTheme(name):
                await self._theme(name)
            case rq.Quit():
                front.leave()

    def _session(self) -> str:
        """*Errors*: UsageError before anything was said."""
        if not self._front.bridge.session:
            raise UsageError("nothing was said in this session yet")
        return self._front.bridge.session

    # Pages

    async def _page(self, page: rq.Page) -> str:
        front, bridge = self._front, self._front.bridge
        figures, settings, home = front.figures, bridge.settings, front.home
        match page:
            case "keys":
                return pages.keys_page()
            case "status":
                return pages.status_page(figures, settings, bridge.session, bridge.title, front.branch)
            case "context":
                return pages.context_page(figures)
            case "cost":
                sessions = await bridge.sessions()
                return pages.cost_page(figures, await asyncio.to_thread(sessions.cost, self._session()))
            case "todo":
                return pages.todo_page(front.todo)
            case "config":
                return pages.config_page(settings, home)
            case "doctor":
                return await self._doctor()
            case "trust":
                from claw.runtime.surroundings import trust_of

                return pages.trust_page(*await asyncio.to_thread(trust_of, settings.cwd, home))
        runtime = bridge.runtime
        if runtime is None:
            raise UsageError("no session is open")
        match page:
            case "tools":
                return pages.tools_page(runtime)
            case "tasks":
                return pages.tasks_page(runtime)
            case "permissions":
                return pages.permissions_page(runtime, figures, home)

    async def _doctor(self) -> str:
        """The command itself, in its own process: it tests the sandbox by starting one."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "claw", "doctor", cwd=self._front.bridge.settings.cwd,
            env=dict(self._front.environ), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        return f"```\n{output.decode('utf-8', 'replace').replace('```', '')}\n```"

    # Others

    async def _export(self, path: str) -> None:
        front, name = self._front, self._session()
        file = front.bridge.settings.cwd / Path(path or f"claw-{name}.md").expanduser()
        sessions = await front.bridge.sessions()
        await asyncio.to_thread(sessions.export, name, file)
        front.note(f"written to {file}", "done")

    def _copy(self, what: str) -> None:
        blocks = list(self._front.document)
        if what == "all":
            text = "\n\n".join(block.plain() for block in blocks)
        else:
            answers = [block.plain() for block in blocks if isinstance(block, AnswerBlock)]
            text = answers[-1] if answers else ""
            if what == "code":
                text = next((found for answer in reversed(answers) if (found := _last_code(answer))), "")
        if not text:
            raise UsageError("there is nothing of that kind to copy yet")
        self._front.copy_to_clipboard(text)
        self._front.note(f"{len(text):,} characters sent to the clipboard", "done")

    async def _judge(self, of: rq.Changes) -> None:
        from claw.runtime.review import changes_to_judge
        from claw.tui.screens.review import ReviewScreen

        front = self._front
        session = self._session() if of != "head" else ""
        cwd = front.bridge.settings.cwd
        judged = await asyncio.to_thread(changes_to_judge, of, cwd, front.environ, session)
        for path, reason in list(judged.unclear.items())[:10]:
            front.note(f"{path} is not shown: it {reason}", "warning")
        if not judged.files:
            front.note({"turn": "The last run changed no file.", "session": "No file was changed by a tool in this "
                        "session; `/diff head` shows what commands changed.",
                        "head": "Nothing differs from the last commit."}[of])  # fmt: skip
            return
        title = {"turn": "Changes of the last run", "session": "Changes of this session",
                 "head": "Changes since the last commit"}[of]  # fmt: skip
        if not await front.ask_screen(ReviewScreen(title, judged.files, front.look)):
            return
        told, problem = await asyncio.to_thread(judged.carry_out)
        if problem:
            front.note(problem, "error")
        if told:
            front.say(told)
        else:
            front.note("All of it was accepted; the model is not told.", "done")

    async def _pick_model(self) -> None:
        from claw.runtime.surroundings import known_models

        front = self._front
        settings = front.bridge.settings
        names = await asyncio.to_thread(known_models, settings)
        choices = [Choice(name, name, settings.host) for name in names]
        title = f"Model at {settings.host}"
        if name := await front.ask_screen(Picker(title, choices, front.look, at=front.figures.model)):
            await front.reopen(model=name)

    async def _trust(self, trusted: bool) -> None:
        from claw.runtime.surroundings import set_trust

        front = self._front
        await asyncio.to_thread(set_trust, front.bridge.settings.cwd, front.home, trusted)
        front.note("trusted" if trusted else "trusted no longer", "done")
        await front.reopen(trust=False)  # the folder's own record counts from here on

    async def _theme(self, name: str) -> None:
        front = self._front
        if name:
            front.wear(name)
            return
        before = front.theme_name
        choices = [Choice(each, each, problem) for each, problem in front.themes().items()]

        def wear(choice: Choice) -> Look | None:
            try:
                return front.wear(choice.key)
            except ClawError:
                return None

        picker = Picker(
            "Theme", choices, front.look, on_move=wear, at=before, preview=lambda c, w: sample(front.look, w)
        )
        chosen = await front.ask_screen(picker)
        front.wear(chosen or before)


def _last_code(markdown: str) -> str:
    """What stands in its last fence."""
    inside = [part.partition("\n")[2] for part in ("\n" + markdown).split("\n```")[1::2]]
    return inside[-1] if inside else ""
