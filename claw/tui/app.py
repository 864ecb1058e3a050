"""The app: which widgets stand where, which key goes where, and how often the screen is brought up to date."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from claw.commands.requests import UiRequest
from claw.config import Settings
from claw.errors import ClawError
from claw.paths import Home
from claw.protocol import events as ev
from claw.protocol.messages import as_content
from claw.protocol.ops import Interrupt, Op, SetMode, Steer, UserTurn
from claw.tui.blocks.base import Block
from claw.tui.blocks.said import ThinkingBlock, UserBlock
from claw.tui.editor import edit_text
from claw.tui.look import Look
from claw.tui.own_command import OwnCommand
from claw.tui.prompt.prompt import Prompt
from claw.tui.search import Search
from claw.tui.session_app import SessionApp
from claw.tui.theme import Theme
from claw.tui.widgets.approval import ApprovalPanel
from claw.tui.widgets.find import FindBar
from claw.tui.widgets.menu import Menu
from claw.tui.widgets.queue import QueuePanel
from claw.tui.widgets.status import StatusLine
from claw.tui.widgets.todo import TodoPanel
from claw.tui.widgets.transcript import Transcript

_QUIT_AGAIN_S = 2.0
_MODES: tuple[Literal["ask", "auto-edit", "full-auto"], ...] = ("ask", "auto-edit", "full-auto")


class ClawApp(SessionApp):
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
        Binding("ctrl+f", "find", priority=True),
        Binding("ctrl+g", "edit_prompt", priority=True),
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
        super().__init__(settings, environ, home, theme, prompt=prompt, no_color=no_color, ascii_only=ascii_only)
        self._queue: list[str] = []
        self._quit_asked = -_QUIT_AGAIN_S
        self._own: OwnCommand | None = None
        self._told: list[str] = []  # of what the person ran, for the model
        self._search: Search | None = None

    def compose(self) -> ComposeResult:
        menu = Menu(self.look)
        yield Transcript(self.document, self.look)
        yield TodoPanel(self.look)
        yield QueuePanel(self.look)
        yield menu
        yield Prompt(self.look, self.home.state / "history.jsonl", self.completer.suggest, menu)
        yield FindBar()
        yield StatusLine(self.look, self.figures)

    @property
    def has_prompt(self) -> bool:
        """Whether the screen with the prompt is the one that is seen."""
        return len(self.screen_stack) == 1

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Other screens have their own use for keys that move about."""
        return self.has_prompt or action in ("interrupt_or_quit", "redraw")

    # What comes up

    def heard(self, event: ev.Event) -> None:
        match event:
            case ev.RunFinished():
                self.call_later(self._next_queued)
            case ev.ApprovalAsked():
                self._ask(event)
            case ev.ApprovalAnswered():
                for panel in self.base.query(ApprovalPanel):
                    panel.withdraw(event.approval)

    def _ask(self, event: ev.ApprovalAsked) -> None:
        panels = self.base.query(ApprovalPanel)
        if panels:
            panels.first().add(event)
            return
        panel = ApprovalPanel(self.look)
        panel.add(event)
        self.base.mount(panel, before=self.base.query_one(Prompt))

    def lacks_key(self) -> None:
        from claw.tui.first_start import first_start  # once in a life

        self.run_worker(first_start(self, self._run_own), group="desk")

    def left_session(self) -> None:
        self._told.clear()

    # What goes down

    def say(self, text: str) -> None:
        if self._told:
            text = "\n\n".join([*self._told, text])
            self._told.clear()
        self.bridge.submit(Steer(as_content(text)) if self.at_work else UserTurn(as_content(text)))
        self.transcript.go_to_end()

    def _next_queued(self) -> None:
        if self._queue and not self.at_work:
            text = self._queue.pop(0)
            self._show_queue()
            self._take(text)

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        if message.steer or not self.at_work:
            self._take(message.text)
        else:
            self._queue.append(message.text)
            self._show_queue()

    def _take(self, text: str) -> None:
        """A command of claw's, one of the shell's, or something for the model."""
        name = text[1:].split(maxsplit=1)[0] if text[1:].strip() else ""
        if text.startswith("!") and text[1:].strip():
            self._run_own(text[1:].strip())
        elif text.startswith("/") and "/" not in name:
            self._command(text)
        else:
            self.say(text)

    def _command(self, line: str) -> None:
        try:
            act = self.commands.run(line, self.view())
        except ClawError as error:
            self.note(str(error), "error")
            self.base.query_one(Prompt).put(line)  # to be mended
            return
        if isinstance(act, UiRequest):
            self.run_worker(self.carry_out(act), group="desk")
        elif isinstance(act, Op):
            self.bridge.submit(act)  # type: ignore[arg-type]
        self.transcript.go_to_end()

    def _run_own(self, line: str) -> None:
        if self._own is not None:
            self.note("your command still runs; Esc stops it", "warning")
            return
        self._own = own = OwnCommand(line, self.bridge.settings.cwd, self.environ, self.document.changed)
        self.document.append(own.block)
        self.transcript.go_to_end()
        self.run_worker(self._wait_for_own(own), group="own")

    async def _wait_for_own(self, own: OwnCommand) -> None:
        try:
            await own.run()
            self._told.append(own.told)
        finally:
            self._own = None

    def on_prompt_took_back(self, message: Prompt.TookBack) -> None:
        if self._queue:
            text = self._queue.pop()
            self._show_queue()
            self.base.query_one(Prompt).put(text)

    def _show_queue(self) -> None:
        self.base.query_one(QueuePanel).show(self._queue)
        self.status.n_queued = len(self._queue)
        self.want_frame()

    def on_approval_panel_answered(self, message: ApprovalPanel.Answered) -> None:
        self.bridge.submit(message.answer)
        if message.interrupt:
            self.bridge.submit(Interrupt())
        if len(self.base.query(ApprovalPanel)) <= 1:
            self.base.query_one(Prompt).take_focus()

    # Search

    def action_find(self) -> None:
        if self._search or not self.has_prompt:
            return
        self._search = Search(self.document, self.transcript, self.fill_past)
        self.query_one(FindBar).open()

    def on_find_bar_typed(self, message: FindBar.Typed) -> None:
        if self._search:
            self.query_one(FindBar).tell(self._search.begin(message.words))

    def on_find_bar_wanted(self, message: FindBar.Wanted) -> None:
        if self._search:
            self.query_one(FindBar).tell(self._search.step(message.step))

    def on_find_bar_closed(self) -> None:
        if self._search:
            self._search.end()
            self._search = None
            self.query_one(FindBar).close()
            panels = self.query(ApprovalPanel)
            if panels:
                panels.first().focus()
            else:
                self.query_one(Prompt).take_focus()

    # Keys

    def action_interrupt(self) -> None:
        if self._own:
            self.run_worker(self._own.stop(), group="stopping")
        elif self.at_work:
            self.bridge.submit(Interrupt())

    def action_interrupt_or_quit(self) -> None:
        if not self.has_prompt:
            self.screen.dismiss(None)
            return
        prompt = self.query_one(Prompt)
        now = time.monotonic()
        if self._search:
            self.on_find_bar_closed()
        elif prompt.text:
            prompt.clear()
        elif self._own or self.at_work:
            self.action_interrupt()
        elif now - self._quit_asked < _QUIT_AGAIN_S:
            self.leave()
        else:
            self._quit_asked = now
            self.status.hint("Ctrl-C again to leave", _QUIT_AGAIN_S)

    def action_quit_if_empty(self) -> None:
        if self.has_prompt and not self.query_one(Prompt).text:
            self.leave()

    def action_page(self, pages: int) -> None:
        self.transcript.scroll_pages(pages)

    def action_top(self) -> None:
        self.transcript.go_to_top()

    def action_end(self) -> None:
        self.transcript.go_to_end()

    def action_previous_prompt(self) -> None:
        """To what the person said before what is on the screen."""
        for number in range(self.transcript.top_block - 1, -1, -1):
            block = self.document[number]
            if isinstance(block, UserBlock) and block.by_person:
                self.transcript.go_to(number)
                return
        self.transcript.go_to_top()

    def action_fold_all(self) -> None:
        """Unfold all that can be; fold all again if nothing is folded."""
        self._fold([block for block in self.document if block.foldable])

    def action_fold_thinking(self) -> None:
        self._fold([block for block in self.document if isinstance(block, ThinkingBlock)])

    def _fold(self, blocks: list[Block]) -> None:
        folded = not any(block.folded for block in blocks)
        for block in blocks:
            block.fold(folded)
        self.document.changed()

    def action_redraw(self) -> None:
        self.forget_screen()
        self.screen.refresh(layout=True)

    def action_next_mode(self) -> None:
        mode = self.figures.mode
        if mode in _MODES:
            self.bridge.submit(SetMode(_MODES[(_MODES.index(mode) + 1) % len(_MODES)]))
        else:
            self.status.hint(f"{mode or 'no session'}: the mode cannot change here; see /mode", _QUIT_AGAIN_S)

    def action_edit_prompt(self) -> None:
        """Write what is in the prompt in the person's editor."""
        prompt = self.query_one(Prompt)
        try:
            prompt.put(edit_text(self, prompt.whole_text(), self.environ))
        except ClawError as error:
            self.note(str(error), "error")

    def restyled(self, look: Look) -> None:
        base = self.base
        for widget in (
            *base.query(Transcript),
            *base.query(TodoPanel),
            *base.query(QueuePanel),
            *base.query(StatusLine),
            *base.query(Menu),
            *base.query(ApprovalPanel),
        ):
            widget.restyle(look)
