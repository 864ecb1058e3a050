"""The session behind the app: opening one and going over to another, its events, its looks, its editor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from textual.screen import Screen

from claw.commands.base import View
from claw.commands.custom import load_commands
from claw.commands.registry import Commands
from claw.commands.requests import UiRequest
from claw.config import Settings
from claw.errors import ClawError, MissingKey
from claw.paths import Home, make_private_folder
from claw.protocol import events as ev
from claw.protocol.details import TodoItem
from claw.tui.blocks.said import NoteBlock, PageBlock
from claw.tui.bridge import Bridge
from claw.tui.display import DiffDisplay
from claw.tui.document import Document
from claw.tui.editor import edit_file
from claw.tui.figures import Figures
from claw.tui.look import Look
from claw.tui.narrator import Narrator
from claw.tui.past import Past
from claw.tui.prompt.completion import Completer
from claw.tui.prompt.prompt import Prompt
from claw.tui.terminal import Terminal
from claw.tui.theme import Theme, available, load_theme, look_of, textual_theme
from claw.tui.widgets.status import StatusLine
from claw.tui.widgets.todo import TodoPanel
from claw.tui.widgets.transcript import Transcript

FRAMES_PER_S = 25  # more is not seen, and costs
_LONG_S = 15.0  # a run that took longer is told of, if nobody looks
_FILES_FRESH_S = 30.0


class SessionApp(DiffDisplay[str]):
    """What `ClawApp` stands on; it composes the widgets and says what the keys do."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        home: Home,
        theme: Theme,
        *,
        prompt: str | None = None,
        no_color: bool = False,
        ascii_only: bool = False,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.home = home
        self.environ = environ
        self._claw_theme = theme
        self._plain = {"no_color": no_color, "ascii": ascii_only}
        self._look = look_of(theme, **self._plain)
        self._first_prompt = prompt
        self.document = Document()
        self._narrator = Narrator(self.document)
        self.figures = Figures(settings.limits)
        self.bridge = Bridge(settings, environ, self._on_event)
        self.document.on_change = self.want_frame
        self.commands = Commands()
        self.completer = Completer(lambda: self.commands, self.view, self._known_files)
        self.branch = ""
        self.todo: tuple[TodoItem, ...] = ()
        self.at_work = False
        self._frame_wanted = False
        self._has_run = False
        self._past: Past | None = None
        self._known: dict[str, Sequence[str]] = {}
        self._files: Sequence[str] = ()
        self._files_since = 0.0
        self._terminal = Terminal(self._write_raw)
        self._desk: Any = None

    @property
    def look(self) -> Look:
        return self._look

    @property
    def base(self) -> Screen[Any]:
        """The screen with the transcript, whatever lies over it."""
        return self.screen_stack[0]

    @property
    def transcript(self) -> Transcript:
        return self.base.query_one(Transcript)

    @property
    def status(self) -> StatusLine:
        return self.base.query_one(StatusLine)

    def heard(self, event: ev.Event) -> None:
        """What the app does about an event besides showing it."""

    def lacks_key(self) -> None:
        """Nothing can be asked of any model yet."""

    def left_session(self) -> None:
        """Another one is at work from here on."""

    def restyled(self, look: Look) -> None:
        """Every widget takes on the look."""

    def say(self, text: str) -> None:
        raise NotImplementedError

    # Opening

    def on_mount(self) -> None:
        self.register_theme(textual_theme(self._claw_theme))
        self.theme = textual_theme(self._claw_theme).name
        self._terminal.begin()
        self.base.query_one(Prompt).take_focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """The prompt is painted: load the core."""
        self.run_worker(self._open_first(), exclusive=True, group="session")

    async def _open_first(self) -> None:
        settings = self.bridge.settings
        try:
            if settings.resume or settings.continue_latest:
                await self._take_up(settings.resume)
            await self.bridge.open()
        except ClawError as error:
            self.note(str(error), "error")
            self.figures.state = "no session"
            if isinstance(error, MissingKey):
                self.lacks_key()
            return
        self._opened()
        await self._look_around()

    async def _take_up(self, name: str | None) -> None:
        self._past = past = await self.bridge.past(self.document, name)
        self.figures.go_on(past.info.usage, past.info.cost_usd)
        self.bridge.title = past.info.title

    def _opened(self) -> None:
        if self.bridge.runtime:
            self.figures.window_tokens = self.bridge.runtime.context_window
        self.fill_past()
        self._show_title()
        if prompt := self._first_prompt:
            self._first_prompt = None
            self.say(prompt)

    async def reopen(self, *, fresh: bool = False, resume: str | None = None, **changes: Any) -> bool:
        """Go on with another session, or with this one under other settings. Whether it could be done."""
        here, title = self.bridge.session, self.bridge.title
        other = fresh or resume is not None
        go_on = None if fresh else resume or (here if self._has_run else None)
        try:
            past = await self.bridge.past(self.document, go_on) if other and go_on else None
            await self.bridge.open(**changes, resume=go_on, continue_latest=False)
        except ClawError as error:
            self.note(str(error), "error")
            if self.bridge.runtime is None:
                await self._open_again(here if self._has_run else None)
            return False
        if other:
            self._forget_session()
        if past:
            self._past, self._has_run = past, True
            self.figures.go_on(past.info.usage, past.info.cost_usd)
            self.bridge.title = past.info.title
        elif not other:
            self.bridge.title = title
        self._opened()
        self.transcript.go_to_end()
        return True

    async def _open_again(self, session: str | None) -> None:
        """The session that was left for one that could not be opened."""
        try:
            await self.bridge.open(resume=session, continue_latest=False)
        except ClawError:
            self.figures.state = "no session"

    def _forget_session(self) -> None:
        opening = list(self.document)[-1:]  # the rule that its start has written
        self.document.clear()
        self._past, self._has_run = None, False
        for block in opening:
            self.document.append(block)
        self.figures.forget()
        self.left_session()
        self._show_todo(())

    async def _look_around(self) -> None:
        """What completion and the status line need, once nobody waits for it."""
        from claw.runtime import surroundings

        settings = self.bridge.settings
        try:
            self._known = {
                "hosts": await asyncio.to_thread(surroundings.known_hosts, settings),
                "models": await asyncio.to_thread(surroundings.known_models, settings),
            }
            folders = [self.home.config / "commands"]
            if settings.trust:
                folders.append(settings.cwd / ".claw" / "commands")
            own, problems = await asyncio.to_thread(load_commands, folders)
        except ClawError as error:
            self.note(str(error), "warning")
            return
        self.commands = Commands(own)
        for problem in problems:
            self.note(problem, "warning")
        await self._look_at_branch()

    async def _look_at_branch(self) -> None:
        from claw.runtime.surroundings import branch_of

        self.branch = self.status.branch = await asyncio.to_thread(branch_of, self.bridge.settings.cwd)
        self.want_frame()

    def fill_past(self) -> bool:
        """Older blocks, if there are any that were not read yet; whether there were."""
        if not self._past or self._past.is_whole:
            return False
        is_first = len(self.document) <= 1
        todo: list[ev.TodoChanged] = []
        try:
            filled = self._past.fill(lambda event: todo.append(event) if isinstance(event, ev.TodoChanged) else None)
        except ClawError as error:
            self.note(str(error), "warning")
            self._past = None
            return False
        if todo and is_first:
            self._show_todo(todo[-1].items)
        return filled

    def on_transcript_moved(self, message: Transcript.Moved) -> None:
        self.status.position = "" if message.follows else "above the end"
        self.want_frame()
        if message.near_top and not message.follows:
            self.fill_past()
            self.transcript.update()

    def leave(self) -> None:
        self.run_worker(self._close_and_exit(), exclusive=True, group="session")

    async def _close_and_exit(self) -> None:
        session = self.bridge.session
        await self.bridge.close()
        self._terminal.end()
        self.exit(session if self._has_run else "")

    # Events and frames

    def _on_event(self, event: ev.Event) -> None:
        self._narrator(event)
        self.figures(event)
        match event:
            case ev.RunStarted():
                self.at_work, self._has_run = True, True
            case ev.RunFinished():
                self.at_work = False
                self._end_of_run(event)
            case ev.TodoChanged():
                self._show_todo(event.items)
            case ev.ApprovalAsked() if not self.app_focus:
                self._terminal.notify(f"claw asks: {event.name}")
            case ev.UserMessageAdded() if not self.bridge.title and event.source == "user":
                self.bridge.title = event.message.text.strip().partition("\n")[0][:80]
        self.heard(event)
        if isinstance(event, ev.RunStarted | ev.UserMessageAdded | ev.TitleChanged | ev.RunFinished):
            self._show_title()
        self.want_frame()

    def _end_of_run(self, event: ev.RunFinished) -> None:
        if event.duration_s >= _LONG_S and not self.app_focus:
            self._terminal.notify(f"claw: {event.status}")
        if self._desk and self._desk.plans.awaited and event.result:
            try:
                self._desk.plans.keep(event.session, event.result)
            except ClawError as error:
                self.note(str(error), "error")
            else:
                self.note("The plan is kept. /plan edit opens it in your editor, /plan go carries it out.")
        self.run_worker(self._look_at_branch(), group="branch", exclusive=True)

    def _show_todo(self, items: tuple[TodoItem, ...]) -> None:
        self.todo = items
        self.base.query_one(TodoPanel).show(items)

    def _show_title(self) -> None:
        state = {True: "* ", False: ""}[self.at_work]
        self._terminal.title(f"{state}{self.bridge.title or self.bridge.settings.cwd.name} - claw")

    def _write_raw(self, text: str) -> None:
        if self._driver is not None and not self.is_headless and not self.is_web:
            self._driver.write(text)

    def want_frame(self) -> None:
        if not self._frame_wanted and self.is_running:
            self._frame_wanted = True
            self.set_timer(1 / FRAMES_PER_S, self._frame)

    def _frame(self) -> None:
        self._frame_wanted = False
        if self.screen_stack:
            self.transcript.update()
            self.status.update()

    # Commands

    def view(self) -> View:
        known = {"hosts": (), "models": (), **self._known, "themes": tuple(self.themes())}
        return View(self.at_work, self.figures.mode, self.bridge.settings.thinking, known)

    async def carry_out(self, request: UiRequest) -> None:
        """A slash command's wish; what goes wrong is shown."""
        if self._desk is None:
            from claw.tui.desk import Desk  # screens and pages that no start needs

            self._desk = Desk(self)
        try:
            await self._desk.do(request)
        except ClawError as error:
            self.note(str(error), "error")

    async def ask_screen(self, screen: Screen[Any]) -> Any:
        """Show `screen` over everything until it is done, and return its answer."""
        return await self.push_screen_wait(screen)

    def note(self, text: str, level: str = "info") -> None:
        self.document.append(NoteBlock(text, level))

    def show(self, title: str, markdown: str) -> None:
        self.document.append(PageBlock(title, markdown))
        self.transcript.go_to_end()

    def _known_files(self) -> Sequence[str]:
        if time.monotonic() - self._files_since > _FILES_FRESH_S:
            self._files_since = time.monotonic()
            self.run_worker(self._list_files(), group="files", exclusive=True)
        return self._files

    async def _list_files(self) -> None:
        from claw.runtime.surroundings import list_files

        before = self._files
        self._files = await asyncio.to_thread(list_files, self.bridge.settings.cwd)
        if not before and self._files:
            self.base.query_one(Prompt).suggest()

    # Looks

    @property
    def theme_name(self) -> str:
        return self._claw_theme.name

    def themes(self) -> Mapping[str, str]:
        return available(self.home.config / "themes")

    def wear(self, name: str) -> Look:
        """Another theme, at once and from now on. *Errors*: UsageError."""
        self._claw_theme = theme = load_theme(name, self.home.config / "themes")
        self._look = look_of(theme, **self._plain)
        self.register_theme(textual_theme(theme))
        self.theme = textual_theme(theme).name
        self.restyled(self._look)
        with suppress(OSError):  # then it is worn for this time
            (make_private_folder(self.home.state) / "theme").write_text(name, "utf-8")
        return self._look

    def edit(self, path: Path) -> None:
        """Open `path` in the person's editor. *Errors*: UsageError."""
        edit_file(self, path, self.environ)
