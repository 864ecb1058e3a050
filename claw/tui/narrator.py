"""From events to blocks: the same for a session that is watched and for one that is read from its log."""

from __future__ import annotations

from claw.printable import one_line
from claw.protocol import events as ev
from claw.protocol.messages import AssistantMessage, Text
from claw.tui.blocks.said import AnswerBlock, NoteBlock, RuleBlock, ThinkingBlock, UserBlock
from claw.tui.blocks.tool import ToolBlock
from claw.tui.document import Document

_STATUS = {
    "done": "done",
    "error": "error",
    "interrupted": "warning",
    "terminated": "warning",
}


class Narrator:
    """A subscriber that writes a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._thinking: ThinkingBlock | None = None
        self._thinking_since = 0.0
        self._answer: AnswerBlock | None = None
        self._tools: dict[str, ToolBlock] = {}
        self._asked: dict[str, ToolBlock] = {}  # approval → the call that waits for it

    @property
    def running_tools(self) -> list[ToolBlock]:
        return list(self._tools.values())

    def __call__(self, event: ev.Event) -> None:
        document = self._document
        match event:
            case ev.ReasoningDelta():
                self._think(event.text, event.ts)
            case ev.TextDelta():
                self._say(event.text, event.ts)
            case ev.ToolOutput():
                if block := self._tools.get(event.call_id):
                    block.output(event.text)
                    document.changed()
            case ev.SessionStarted() | ev.SessionResumed():
                verb = "claw" if isinstance(event, ev.SessionStarted) else "resumed"
                document.append(RuleBlock(f"{verb} · {event.model}@{event.host}", event.cwd))
            case ev.UserMessageAdded():
                media = sum(not isinstance(part, Text) for part in event.message.content)
                document.append(UserBlock(event.message.text, event.source, media))
            case ev.RetryScheduled():
                self._void()
                document.append(
                    NoteBlock(f"the host failed ({event.reason}); trying again in {event.delay_s:.0f} s", "warning")
                )
            case ev.ReplyFinished():
                self._finish_reply(event.message, event.ts)
                if event.finish_reason == "interrupted":
                    document.append(NoteBlock("interrupted", "warning"))
            case ev.ApprovalAsked():
                self._asked[event.approval] = block = self._tool(event.call_id, event.name, event.summary, event.ts)
                block.ask(event)
                document.changed()
            case ev.ApprovalAnswered():
                if block := self._asked.pop(event.approval, None):
                    block.answered(event)
                    document.changed()
            case ev.ToolStarted():
                self._start(event)
            case ev.FileChanged():
                if block := self._tools.get(event.call_id):
                    block.change(event)
                    document.changed()
            case ev.ToolFinished():
                block = self._tools.pop(event.call_id, None) or self._tool(event.call_id, event.name, "", event.ts)
                self._tools.pop(event.call_id, None)
                block.finish(event)
                document.changed()
            case ev.Notice():
                document.append(NoteBlock(event.text, event.level))
            case ev.ProtectedRestored():
                document.append(NoteBlock(_restored(event), "warning"))
            case ev.BackgroundFinished():
                text = f"{event.job} ended with {event.exit_code}: {one_line(event.command, 200)}"
                document.append(NoteBlock(text, "info" if event.exit_code == 0 else "warning"))
            case ev.VerifyFinished():
                word = "passed" if event.passed else f"failed with {event.exit_code}"
                document.append(NoteBlock(f"verify {word}: {event.command}", "done" if event.passed else "error"))
            case ev.RunFinished():
                self._end_run(event)

    def _think(self, text: str, ts: float) -> None:
        if self._thinking is None:
            self._thinking = ThinkingBlock()
            self._thinking_since = ts
            self._document.append(self._thinking)
        self._thinking.append(text)
        self._document.changed()

    def _say(self, text: str, ts: float) -> None:
        self._end_thinking(ts)
        if self._answer is None:
            if not text.strip():  # often there is a newline before a call, and nothing else
                return
            self._answer = AnswerBlock()
            self._document.append(self._answer)
        self._answer.append(text)
        self._document.changed()

    def _end_thinking(self, ts: float) -> None:
        if self._thinking and self._thinking.live:
            self._thinking.finish(ts - self._thinking_since)
            self._document.changed()

    def _void(self) -> None:
        """What was streamed of a reply that starts again."""
        for block in (self._thinking, self._answer):
            if block:
                self._document.remove(block)
        self._thinking = self._answer = None

    def _finish_reply(self, message: AssistantMessage, ts: float) -> None:
        """Deltas are not in the log: what did not come by them is shown now."""
        if self._thinking:
            self._end_thinking(ts)
        elif message.reasoning and message.reasoning.strip():
            self._document.append(ThinkingBlock(message.reasoning, live=False))
        if self._answer:
            self._answer.finish()
            self._document.changed()
        elif message.content.strip():
            answer = AnswerBlock(message.content)
            answer.finish()
            self._document.append(answer)
        self._thinking = self._answer = None

    def _tool(self, call_id: str, name: str, summary: str, ts: float) -> ToolBlock:
        """The block of a call, which is asked about before it starts."""
        if block := self._tools.get(call_id):
            return block
        started = ev.ToolStarted(call_id=call_id, name=name, arguments="", summary=summary, ts=ts)
        self._tools[call_id] = block = ToolBlock(started)
        self._document.append(block)
        return block

    def _start(self, event: ev.ToolStarted) -> None:
        if block := self._tools.get(event.call_id):
            block.start(event)
            self._document.changed()
            return
        self._tools[event.call_id] = block = ToolBlock(event)
        self._document.append(block)

    def _end_run(self, event: ev.RunFinished) -> None:
        for block in self._tools.values():
            block.interrupt()
        self._tools.clear()
        self._asked.clear()
        self._void_open(event.ts)
        self._document.append(NoteBlock(_summary(event), _STATUS.get(event.status, "error")))

    def _void_open(self, ts: float) -> None:
        """A reply that was cut off stays as far as it came."""
        self._end_thinking(ts)
        if self._answer:
            self._answer.finish()
        self._thinking = self._answer = None


def _restored(event: ev.ProtectedRestored) -> str:
    kept = f" What it made of them is in {event.kept}." if event.kept else ""
    return f"a command changed what it may not: {', '.join(event.paths)}. It was put back.{kept}"


def _summary(event: ev.RunFinished) -> str:
    parts = [event.status, _counted(event.n_turns, "turn"), _counted(event.n_tool_calls, "call")]
    parts.append(spoken_time(event.duration_s))
    if event.cost_usd is not None:
        parts.append(f"${event.cost_usd:.2f}" if event.cost_usd >= 0.01 else f"${event.cost_usd:.4f}")
    if event.tests.ran:
        word = {True: "tests passed", False: "tests failed", None: "tests: no summary seen"}[event.tests.passed]
        parts.append(word + (", before the last change" if event.tests.stale else ""))
    return " · ".join(parts) + (f"\n{event.error}" if event.error else "")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def spoken_time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} m" if hours else f"{minutes} m {seconds} s"
