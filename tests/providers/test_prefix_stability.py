"""The bytes before the newest turn are the same from turn to turn, in every dialect, and after a resume."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import pytest

from claw.protocol.messages import (
    AssistantMessage,
    Image,
    Message,
    Text,
    ToolCall,
    ToolMessage,
    UserMessage,
    as_content,
)
from claw.providers.catalog import Endpoint, load_catalog
from claw.providers.sanitize import Sanitizer
from claw.providers.wire import RequestEncoder
from tests.providers.history import PREFIX
from tests.providers.test_hosts import ACCOUNT, HOSTS

N_TURNS = 50
KEYS = ("", "reasoning", "reasoning_details")


class Session:
    """One conversation on its way to a host; a new one over an old history is what a resume is."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._sanitizer = Sanitizer(endpoint.dialect.media)
        self._encoder = RequestEncoder(endpoint, PREFIX, thinking=True, session="s")

    def send(self, messages: Sequence[Message]) -> bytes:
        """The body up to the end of the messages."""
        body = self._encoder.encode(self._sanitizer.clean(messages))
        return body[: body.index(b'],"tools":')]


def _turn(number: int) -> list[Message]:
    """One turn of the model, odd in a way that depends on its number, and what followed it."""
    calls = [ToolCall(f"call_{number % 7}", "ls", '{"path":"ü"}'), ToolCall(f"functions.ls:{number % 3}", "ls", "{}")]
    if number % 5 == 1:
        calls.append(calls[0])  # the same id twice
    if number % 6 == 2:
        calls.append(ToolCall("x", "not a tool!", "{broken"))
    reasoning = None if number % 4 in (0, 3) else "" if number % 4 == 2 else f"thought {number}"
    reply = AssistantMessage(
        "  " if number % 2 else "Look.", reasoning, tuple(calls), reasoning_key=KEYS[number % len(KEYS)]
    )
    picture = Image("data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n%d" % number).decode())
    results: list[Message] = [ToolMessage(call.id, call.name, as_content(f"{number}")) for call in reversed(calls)]
    if number % 8 == 4:
        results.pop()  # a result that was lost
    if number % 5 == 0:
        results.append(
            UserMessage((Text("see"), picture if number % 10 else Image("data:image/bmp;base64,AA==")), "now")
        )
    return [reply, *results]


@pytest.mark.parametrize("host", HOSTS)
def test_what_was_sent_once_is_sent_again(host: str) -> None:
    endpoint = load_catalog().resolve(host, None, {**ACCOUNT, "CLAW_API_KEY": "k"})
    session = Session(endpoint)
    history: list[Message] = [UserMessage(as_content("go"))]
    sent: list[tuple[int, str]] = []
    for number in range(N_TURNS):
        body = session.send(history)
        hashes = [hashlib.sha256(body[:length]).hexdigest() for length, _ in sent]
        assert hashes == [digest for _, digest in sent]
        assert Session(endpoint).send(history) == body
        sent.append((len(body), hashlib.sha256(body).hexdigest()))
        history = [*history, *_turn(number)]
    assert len({length for length, _ in sent}) == N_TURNS


@pytest.mark.parametrize("host", HOSTS)
def test_a_rewind_gives_the_bytes_of_then(host: str) -> None:
    endpoint = load_catalog().resolve(host, None, {**ACCOUNT, "CLAW_API_KEY": "k"})
    session = Session(endpoint)
    history: list[Message] = [UserMessage(as_content("go"))]
    bodies = {len(history): session.send(history)}
    for number in range(14):  # the last one has its reasoning under another key than the first
        history += _turn(number)
        bodies[len(history)] = session.send(history)
    for length in (*list(bodies)[::-3], *bodies):
        assert session.send(history[:length]) == bodies[length]
