"""What a frontend may ask of the core. Imperative, and safe to send at any moment."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from claw.protocol.messages import Content, as_content
from claw.protocol.naming import snake_case


class Op(Struct, frozen=True, tag_field="type", tag=snake_case):
    """Base of all ops."""


class UserTurn(Op, frozen=True):
    """Work on this. While a run is going on it waits until that run has ended."""

    content: Content

    @classmethod
    def of(cls, text: str) -> UserTurn:
        return cls(as_content(text))


class Steer(Op, frozen=True):
    """Say this to the model as soon as the tools of the current reply have returned.

    With no run going on it is the same as `UserTurn`.
    """

    content: Content

    @classmethod
    def of(cls, text: str) -> Steer:
        return cls(as_content(text))


class Interrupt(Op, frozen=True):
    """Stop the current run: the stream is closed, commands are killed, the session stays usable."""


class Shutdown(Op, frozen=True):
    """Stop the current run, if any, and end the session. Nothing is accepted after it."""

    terminated: bool = False


class Answer(Op, frozen=True):
    """To an `ApprovalAsked`. `scope` is one of those it offered; `note` is a word for the model, with a no.

    An answer to a question that is no longer open is passed over.
    """

    approval: str
    allow: bool
    scope: Literal["once", "session", "project", "user"] = "once"
    note: str = ""


class SetMode(Op, frozen=True):
    """Judge calls by another mode from now on; one that is being asked about goes on being asked about.

    To and from `read-only` it cannot go while a session is open, since its sandbox was made for the one or the other.
    """

    mode: Literal["ask", "auto-edit", "full-auto"]


class SetTitle(Op, frozen=True):
    """Call the session this from now on."""

    title: str


AnyOp = UserTurn | Steer | Interrupt | Answer | SetMode | SetTitle | Shutdown
