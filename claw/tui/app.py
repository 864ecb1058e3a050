"""The app: which widgets stand where, which key goes where, and how often the screen is brought up to date."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from claw.config import Settings
from claw.errors import ClawError
from claw.paths import Home
from claw.protocol import events as ev
from claw.protocol.messages import as_content
from claw.protocol.ops import Interrupt, SetMode, Steer, UserTurn
from claw.tui.blocks.base import Block
from claw.tui.blocks.said import NoteBlock, ThinkingBlock, UserBlock
from claw.tui.bridge import Bridge
from claw.tui.display import DiffDisplay
from claw.tui.document import Document
from claw.tui.figures import Figures
from claw.tui.look import Look
from claw.tui.narrator import Narrator
from claw.tui.past import Past
from claw.tui.prompt.prompt import Prompt
from claw.tui.theme import Theme, look_of, textual_theme
from claw.tui.widgets.approval import ApprovalPanel
from claw.tui.widgets.queue import QueuePanel
from claw.tui.widgets.status import StatusLine
from claw.tui.widgets.todo import TodoPanel
from claw.tui.widgets.transcript import Transcript

FRAMES_PER_S = 25  # more is not seen, and costs
_QUIT_AGAIN_S = 2.0
_MODES: tuple[Literal["ask", "auto-edit", "full-auto"], ...] = ("ask", "auto-edit", "full-auto")


class ClawApp(DiffDisplay[str]):
    """Returns the id of the session, empty if nothing was said in it."""

    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "styles/app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt_or_quit", priority=True),
        Binding("escape", "interrupt"),
        Binding("ctrl+d", "quit_if_empty"),
        Binding("pageup", "page(-1)", priority=True),
        Binding("pagedown", "page(1)", priority=True),
        Binding("ctrl+home", "top", priority=True),
        Binding("ctrl+end", "end", priority=True),
        Binding("ctrl+up", "previous_prompt", priority=True),
        Binding("ctrl+o", "fold_all", priority=True),
        Binding("ctrl+t", "fold_thinking", priority=True),
        Binding("ctrl+l", "redraw", priority=True),
        Binding("shift+tab", "next_mode", priority=True),
    ]

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
        self._home = home
        self._claw_theme = theme
        self._look = look_of(theme, no_color=no_color, ascii=ascii_only)
        self._first_prompt = prompt
        self._document = Document()
        self._narrator = Narrator(self._document)
        self.figures = Figures(settings.limits)
        self.bridge = Bridge(settings, environ, self._on_event)
        self._document.on_change = self._want_frame
        self._frame_wanted = False
        self._queue: list[str] = []
        self._at_work = False
        self._quit_asked = -_QUIT_AGAIN_S
        self._has_run = False
        self._past: Past | None = None

    @property
    def look(self) -> Look:
        return self._look

    def compose(self) -> ComposeResult:
        yield Transcript(self._document, self._look)
        yield TodoPanel(self._look)
        yield QueuePanel(self._look)
        yield Prompt(self._look, self._home.state / "history.jsonl")
        yield StatusLine(self._look, self.figures)

    def on_mount(self) -> None:
        self.register_theme(textual_theme(self._claw_theme))
        self.theme = textual_theme(self._claw_theme).name
        self.query_one(Prompt).take_focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """The prompt is painted: load the core."""
        self.run_worker(self._open(), exclusive=True, group="session")

    async def _open(self, **changes: object) -> None:
        try:
            self._past = await self.bridge.past(self._document)
            await self.bridge.open(**changes)
        except ClawError as error:
            self._document.append(NoteBlock(str(error), "error"))
            self.figures.state = "no session"
            return
        self._fill_past()
        if prompt := self._first_prompt:
            self._first_prompt = None
            self.say(prompt)

    def _fill_past(self) -> None:
        """Older blocks, if there are any that were not read yet."""
        if self._past and not self._past.is_whole:
            try:
                self._past.fill()
            except ClawError as error:
                self._document.append(NoteBlock(str(error), "warning"))
                self._past = None

    def on_transcript_moved(self, message: Transcript.Moved) -> None:
        transcript, status = self.query_one(Transcript), self.query_one(StatusLine)
        status.position = "" if message.follows else "above the end"
        self._want_frame()
        if message.near_top and not message.follows:
            self._fill_past()
            transcript.update()

    # What comes up

    def _on_event(self, event: ev.Event) -> None:
        self._narrator(event)
        self.figures(event)
        match event:
            case ev.RunStarted():
                self._at_work, self._has_run = True, True
            case ev.RunFinished():
                self._at_work = False
                self.call_later(self._next_queued)
            case ev.ApprovalAsked():
                self._ask(event)
            case ev.ApprovalAnswered():
                for panel in self.query(ApprovalPanel):
                    panel.withdraw(event.approval)
            case ev.TodoChanged():
                self.query_one(TodoPanel).show(event.items)
        self._want_frame()

    def _want_frame(self) -> None:
        if not self._frame_wanted and self.is_running:
            self._frame_wanted = True
            self.set_timer(1 / FRAMES_PER_S, self._frame)

    def _frame(self) -> None:
        self._frame_wanted = False
        if not self.screen_stack:
            return
        self.query_one(Transcript).update()
        self.query_one(StatusLine).update()

    def _ask(self, event: ev.ApprovalAsked) -> None:
        panels = self.query(ApprovalPanel)
        if panels:
            panels.first().add(event)
            return
        panel = ApprovalPanel(self._look)
        panel.add(event)
        self.mount(panel, before=self.query_one(Prompt))

    # What goes down

    def say(self, text: str) -> None:
        self.bridge.submit(Steer(as_content(text)) if self._at_work else UserTurn(as_content(text)))
        self.query_one(Transcript).go_to_end()

    def _next_queued(self) -> None:
        if self._queue and not self._at_work:
            text = self._queue.pop(0)
            self._show_queue()
            self.say(text)

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        if message.steer or not self._at_work:
            self.say(message.text)
        else:
            self._queue.append(message.text)
            self._show_queue()

    def on_prompt_took_back(self, message: Prompt.TookBack) -> None:
        if self._queue:
            text = self._queue.pop()
            self._show_queue()
            self.query_one(Prompt).put(text)

    def _show_queue(self) -> None:
        self.query_one(QueuePanel).show(self._queue)
        self.query_one(StatusLine).n_queued = len(self._queue)
        self._want_frame()

    def on_approval_panel_answered(self, message: ApprovalPanel.Answered) -> None:
        self.bridge.submit(message.answer)
        if message.interrupt:
            self.bridge.submit(Interrupt())
        if len(self.query(ApprovalPanel)) <= 1:
            self.query_one(Prompt).take_focus()

    # Keys

    def action_interrupt(self) -> None:
        if self._at_work:
            self.bridge.submit(Interrupt())

    def action_interrupt_or_quit(self) -> None:
        prompt = self.query_one(Prompt)
        now = time.monotonic()
        if prompt.text:
            prompt.clear()
        elif self._at_work:
            self.bridge.submit(Interrupt())
        elif now - self._quit_asked < _QUIT_AGAIN_S:
            self._leave()
        else:
            self._quit_asked = now
            self.query_one(StatusLine).hint("Ctrl-C again to leave", _QUIT_AGAIN_S)

    def action_quit_if_empty(self) -> None:
        if not self.query_one(Prompt).text:
            self._leave()

    def _leave(self) -> None:
        self.run_worker(self._close_and_exit(), exclusive=True, group="session")

    async def _close_and_exit(self) -> None:
        await self.bridge.close()
        self.exit(self.bridge.session if self._has_run else "")

    def action_page(self, pages: int) -> None:
        self.query_one(Transcript).scroll_pages(pages)

    def action_top(self) -> None:
        self.query_one(Transcript).go_to_top()

    def action_end(self) -> None:
        self.query_one(Transcript).go_to_end()

    def action_previous_prompt(self) -> None:
        """To what the person said before what is on the screen."""
        transcript = self.query_one(Transcript)
        for number in range(transcript.top_block - 1, -1, -1):
            block = self._document[number]
            if isinstance(block, UserBlock) and block.by_person:
                transcript.go_to(number)
                return
        transcript.go_to_top()

    def action_fold_all(self) -> None:
        """Unfold all that can be; fold all again if nothing is folded."""
        self._fold([block for block in self._document if block.foldable])

    def action_fold_thinking(self) -> None:
        self._fold([block for block in self._document if isinstance(block, ThinkingBlock)])

    def _fold(self, blocks: list[Block]) -> None:
        folded = not any(block.folded for block in blocks)
        for block in blocks:
            block.fold(folded)
        self._document.changed()

    def action_redraw(self) -> None:
        self.forget_screen()
        self.screen.refresh(layout=True)

    def action_next_mode(self) -> None:
        mode = self.figures.mode
        if mode in _MODES:
            self.bridge.submit(SetMode(_MODES[(_MODES.index(mode) + 1) % len(_MODES)]))
        else:
            self.query_one(StatusLine).hint(f"{mode or 'no session'}: the mode cannot change here", _QUIT_AGAIN_S)
