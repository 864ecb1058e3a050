"""Puts a question before whoever can answer, and remembers what was allowed for longer than once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from claw.errors import UsageError
from claw.permissions.base import Asked, Verdict
from claw.permissions.rules import RuleBook
from claw.permissions.store import SCOPES, RuleStore
from claw.protocol.details import Preview
from claw.protocol.events import ApprovalAnswered, ApprovalAsked, Event, Notice
from claw.protocol.messages import ToolCall
from claw.protocol.ops import Answer


class _Open:
    """A question that nobody has answered yet."""

    def __init__(self, asked: ApprovalAsked) -> None:
        self.asked = asked
        self.answer: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()


class Broker:
    """*Order*: one `ApprovalAnswered` for every `ApprovalAsked`, whatever happens. Used on the loop's thread."""

    def __init__(
        self,
        publish: Callable[[Event], None],
        book: RuleBook,
        store: RuleStore | None = None,
        *,
        answerable: bool,
    ) -> None:
        """`store` None: nothing is kept longer than the session. Not `answerable`: the answer is no, at once."""
        self._publish = publish
        self._book = book
        self._store = store
        self._answerable = answerable
        self._open: dict[str, _Open] = {}

    async def ask(self, call: ToolCall, summary: str, verdict: Verdict, preview: Preview) -> Asked:
        if not self._answerable:
            return Asked(False)
        if verdict.suggestion and self._book.has_allowed(verdict.suggestion):
            return Asked(True, "session")  # answered while this call was being prepared
        question = _Open(
            ApprovalAsked(
                approval=os.urandom(6).hex(),
                call_id=call.id,
                name=call.name,
                summary=summary,
                reason=verdict.reason,
                preview=preview,
                segments=verdict.segments,
                suggestion=verdict.suggestion,
                scopes=self._scopes(verdict),
            )
        )
        approval = question.asked.approval
        self._open[approval] = question
        try:
            self._publish(question.asked)
            return await question.answer
        finally:  # cancelled, most likely
            if self._open.pop(approval, None):
                self._tell(question, Asked(False), by="withdrawn")

    def answer(self, op: Answer) -> None:
        """The user's answer; passed over where the question is no longer open. A scope not offered counts as once."""
        question = self._open.get(op.approval)
        if not question:
            return
        scope = op.scope if op.scope in question.asked.scopes else "once"
        if not op.allow:
            self._close(question, Asked(False, note=op.note))
            return
        self._close(question, Asked(True, scope, op.note))
        if scope != "once":
            self._remember(question.asked.suggestion, scope)

    def close(self) -> None:
        """Nobody will answer any more: what is open is denied, and whatever is asked from now on."""
        self._answerable = False
        for question in list(self._open.values()):
            self._close(question, Asked(False), by="withdrawn")

    def _scopes(self, verdict: Verdict) -> tuple[str, ...]:
        if not verdict.suggestion:
            return ("once",)
        return ("once", "session", *(SCOPES if self._store else ()))

    def _remember(self, rule: str, scope: str) -> None:
        self._book.remember(rule)
        if self._store and scope in SCOPES:
            try:
                self._store.add(rule, scope)
            except UsageError as error:
                self._publish(Notice(text=f"{rule} is allowed for this session only: {error}"))
        for question in list(self._open.values()):
            if question.asked.suggestion == rule:
                self._close(question, Asked(True, scope))

    def _close(self, question: _Open, asked: Asked, *, by: str = "user") -> None:
        del self._open[question.asked.approval]
        if question.answer.cancelled():
            asked, by = Asked(False), "withdrawn"
        else:
            question.answer.set_result(asked)
        self._tell(question, asked, by=by)

    def _tell(self, question: _Open, asked: Asked, *, by: str) -> None:
        self._publish(
            ApprovalAnswered(
                approval=question.asked.approval,
                call_id=question.asked.call_id,
                allowed=asked.allowed,
                scope=asked.scope,
                note=asked.note,
                by=by,
            )
        )
