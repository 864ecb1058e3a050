"""Runs the tool calls of one reply: side by side where they can, in the order sent where they must.

*Source of the order*: `Access.conflicts`. Results come back in the order of the calls whatever ends first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from claw.agent.middleware import Answered
from claw.errors import ToolDenied, ToolError
from claw.log import report_bug
from claw.permissions.base import Approver, Decision, Gate
from claw.protocol.events import Event, ToolFinished, ToolStarted
from claw.protocol.messages import Content, Text, ToolCall
from claw.redact import Redactor
from claw.tooling.base import Access, Effect, Tool, ToolContext, ToolResult, Workspace
from claw.tooling.registry import ToolRegistry
from claw.tooling.truncate import cap_result

INTERRUPTED = "interrupted before it returned; its effects are unknown: verify before repeating"
CUT_OFF = (
    "your reply was cut off by the output limit, so this call may not be complete: nothing was run. "
    "Send it again, in smaller pieces"
)
NOT_STARTED = "interrupted before it started: nothing was run"


_Task = asyncio.Task[ToolFinished]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A call that is ready to run, or the error that it will get instead."""

    call: ToolCall
    access: Access
    summary: str = ""
    tool: Tool[Any] | None = None
    params: Any = None
    error: ToolError | None = None


class Executor:
    """Parses, judges and runs calls. Never raises for what a call does: every call gets its result."""

    def __init__(
        self,
        registry: ToolRegistry,
        gate: Gate,
        workspace: Workspace,
        publish: Callable[[Event], None],
        *,
        approver: Approver | None = None,
        redact: Redactor | None = None,
    ) -> None:
        """`approver` None: nobody can be asked. `redact` goes over every result before anyone sees it."""
        self._registry = registry
        self._gate = gate
        self._workspace = workspace
        self._publish = publish
        self._approver = approver
        self._redact = redact or Redactor(())

    def prepare(self, calls: Sequence[ToolCall], *, cut_off: bool = False) -> Batch:
        """Parse the calls; nothing runs before `Batch.run`.

        `cut_off`: the reply ended at the output limit, so none of its calls may be the whole of what was
        meant. Each gets an error for its result.
        """
        prepare = self._refuse if cut_off else self._prepare
        return Batch([prepare(call) for call in calls], self._run, self._publish)

    def _refuse(self, call: ToolCall) -> _Prepared:
        return _Prepared(call, Access(Effect.NONE), error=ToolError(CUT_OFF, "cut off"))

    def _prepare(self, call: ToolCall) -> _Prepared:
        try:
            tool = self._registry.find(call)
            params = self._registry.parse(tool, call)
            access = tool.access(params, self._workspace)
        except ToolError as error:
            return _Prepared(call, Access(Effect.NONE), error=error)
        return _Prepared(call, access, tool.summary(params), tool, params)

    async def _run(self, this: _Prepared, earlier: Sequence[_Task]) -> ToolFinished:
        """Cancelled before the call has started it raises: `Batch` gives such a call its events."""
        if earlier:
            await asyncio.wait(earlier)
        refused = await self._refusal(this)
        call, started = this.call, time.monotonic()
        finished = ToolFinished(call_id=call.id, name=call.name, content=())
        self._publish(ToolStarted(call_id=call.id, name=call.name, arguments=call.arguments, summary=this.summary))
        try:
            if refused:
                raise refused
            result = await self._call(this)
            finished.content = self._cap(self._redact.value(result.content))
            finished.brief, finished.details, finished.is_error = result.brief, result.details, result.is_error
        except ToolError as error:
            finished.content, finished.brief, finished.is_error = self._said(str(error)), error.brief, True
            finished.denied = isinstance(error, ToolDenied)
        except asyncio.CancelledError:
            finished.content, finished.brief, finished.is_error = (Text(INTERRUPTED),), "interrupted", True
        except Exception as bug:  # a tool's bug must not end a run of twelve hours
            finished.content, finished.brief, finished.is_error = (
                self._said(_as_bug(call, bug, self._redact)),
                "bug in claw",
                True,
            )
        finished.duration_s = round(time.monotonic() - started, 4)
        self._publish(finished)
        return finished

    def _said(self, text: str) -> Content:
        return (Text(self._redact.text(text)),)

    async def _refusal(self, this: _Prepared) -> ToolError | None:
        """Why the call may not run; None once the gate, or whoever was asked, lets it pass.

        Judged when its turn has come: what is shown to a person is then what will happen.
        """
        if this.error or not this.tool:
            return this.error
        try:
            return await self._judge(this, this.tool)
        except ToolError as error:  # it cannot work, whatever the answer would be
            return error
        except Exception as bug:
            return ToolError(_as_bug(this.call, bug, self._redact), "bug in claw")

    async def _judge(self, this: _Prepared, tool: Tool[Any]) -> ToolError | None:
        verdict = self._gate.judge(this.call.name, this.access)
        if verdict.decision is Decision.ALLOW:
            return None
        if verdict.decision is Decision.DENY:
            return ToolDenied(f"denied: {verdict.reason}", "denied")
        if not self._approver:
            return ToolDenied(f"denied: {verdict.reason}; it needs permission, and nobody is here to give it", "denied")
        preview = await tool.preview(this.params, self._workspace)
        asked = await self._approver.ask(this.call, this.summary, verdict, preview)
        if asked.allowed:
            return None
        note = f" They say: {asked.note}" if asked.note else ""
        return ToolDenied(f"denied: {verdict.reason}; permission was asked for and not given.{note}", "denied")

    async def _call(self, this: _Prepared) -> ToolResult:
        assert this.tool
        context = ToolContext(this.call.id, self._workspace, self._publish, this.access)
        return await this.tool.run(this.params, context)

    def _cap(self, content: Content) -> Content:
        return tuple(
            Text(cap_result(part.text, self._workspace.blobs)) if isinstance(part, Text) else part for part in content
        )


def _as_bug(call: ToolCall, bug: Exception, redactor: Redactor) -> str:
    report_bug(bug, redactor.text)
    return f"claw failed in its own tool {call.name}: {type(bug).__name__}: {bug}"


class Batch:
    """The calls of one reply: `run` them, then ask what they `answered`, also after an interrupt."""

    def __init__(
        self,
        prepared: Sequence[_Prepared],
        run_one: Callable[[_Prepared, Sequence[_Task]], Coroutine[Any, Any, ToolFinished]],
        publish: Callable[[Event], None],
    ) -> None:
        self._prepared = prepared
        self._run_one = run_one
        self._publish = publish
        self._tasks: list[_Task] = []

    async def run(self) -> None:
        """Until every call has its result. Cancelled: stops the calls, waits for them, and raises."""
        for this in self._prepared:
            earlier = [task for j, task in enumerate(self._tasks) if this.access.conflicts(self._prepared[j].access)]
            self._tasks.append(asyncio.create_task(self._run_one(this, earlier)))
        try:
            await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            raise

    def answered(self) -> list[Answered]:
        """Every call with its result, in the order of the calls; one that never ran has one too. Ask once."""
        missing = len(self._prepared) - len(self._tasks)
        tasks: list[_Task | None] = [*self._tasks, *([None] * missing)]
        return [
            Answered(this.call, task.result() if task and not task.cancelled() else self._never_started(this))
            for this, task in zip(self._prepared, tasks, strict=True)
        ]

    def _never_started(self, this: _Prepared) -> ToolFinished:
        """A call that was cancelled before its first step ran no code of ours, so its events are made here."""
        call = this.call
        self._publish(ToolStarted(call_id=call.id, name=call.name, arguments=call.arguments, summary=this.summary))
        finished = ToolFinished(
            call_id=call.id, name=call.name, content=(Text(NOT_STARTED),), is_error=True, brief="interrupted"
        )
        self._publish(finished)
        return finished
