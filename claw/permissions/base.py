"""The gate that every tool call passes before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from claw.protocol.details import Preview
from claw.protocol.messages import ToolCall
from claw.tooling.base import Access


class Decision(Enum):
    """In the order of strength: the strictest of several wins."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Verdict(Struct, frozen=True):
    """`reason` is for the model and the person: which rule said so, and what would be allowed.

    `segments` are the parts of a command that the verdict rests on; `suggestion` is the rule that would
    allow a call like this one from now on, empty where none should.
    """

    decision: Decision
    reason: str = ""
    segments: tuple[str, ...] = ()
    suggestion: str = ""


class Gate(Protocol):
    """Judges a call by what it will touch."""

    def judge(self, tool: str, access: Access) -> Verdict: ...


class Asked(Struct, frozen=True):
    """What a person answered. `scope` is `once`, `session`, `project` or `user`; `note` goes to the model."""

    allowed: bool
    scope: str = "once"
    note: str = ""


class Approver(Protocol):
    """Puts a call before whoever can answer."""

    async def ask(self, call: ToolCall, summary: str, verdict: Verdict, preview: Preview) -> Asked:
        """Waits for the answer; with nobody there it is no, at once. Cancelled: the question is withdrawn."""
        ...


def strictest(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that counts of several; the first of equals. *Shapes*: at least one."""
    return max(verdicts, key=lambda verdict: _STRENGTH[verdict.decision])


_STRENGTH = {Decision.ALLOW: 0, Decision.ASK: 1, Decision.DENY: 2}
