"""The gate that every tool call passes before it runs."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from claw.tooling.base import Access


class Verdict(Struct, frozen=True):
    """`reason` is for the model and the person: which rule said so, and what would be allowed."""

    allowed: bool
    reason: str = ""


class Gate(Protocol):
    """Judges a call by what it will touch."""

    def judge(self, tool: str, access: Access) -> Verdict: ...
