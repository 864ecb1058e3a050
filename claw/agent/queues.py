"""The two ends of the core's one door: ops come in through the inbox, events leave through the bus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from claw.protocol.events import Event
from claw.protocol.messages import Content

Subscriber = Callable[[Event], None]


class EventBus:
    """Stamps each event and hands it to every subscriber, in the order of subscription.

    Subscribers are plain functions on the loop's thread and must be quick; one that is slow (a screen)
    puts the event into a bounded queue of its own. The journal subscribes first, so that nothing is
    shown that is not yet written. `censor` stands before all of them: it gives what may be known of an event.
    """

    def __init__(
        self,
        session: str,
        *,
        next_seq: int = 0,
        clock: Callable[[], float] = time.time,
        censor: Callable[[Event], Iterable[Event]] = lambda event: (event,),
    ) -> None:
        self._session = session
        self._censor = censor
        self._next_seq = next_seq
        self._clock = clock
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def publish(self, event: Event) -> None:
        """Only persisted events take a number: the log stays dense whatever was streamed between."""
        for each in self._censor(event):
            self._send(each)

    def _send(self, event: Event) -> None:
        event.session = self._session
        event.ts = round(self._clock(), 3)
        event.seq = self._next_seq
        if event.persisted:
            self._next_seq += 1
        for subscriber in self._subscribers:
            subscriber(event)


class Said(NamedTuple):
    """Something for the model, waiting for the end of the current turn. `source` as in `UserMessageAdded`."""

    content: Content
    source: str


class Waiting:
    """What was said while the model was at work. Taken as a whole, in the order said."""

    def __init__(self) -> None:
        self._said: deque[Said] = deque()

    def __bool__(self) -> bool:
        return bool(self._said)

    def add(self, content: Content, source: str) -> None:
        self._said.append(Said(content, source))

    def take(self) -> list[Said]:
        said = list(self._said)
        self._said.clear()
        return said
