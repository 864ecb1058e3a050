"""Ids of calls as Kimi's own grammar writes them: `functions.NAME:INDEX`."""

from __future__ import annotations

from claw.protocol.messages import AssistantMessage, Message, ToolMessage

Waiting = dict[str, tuple[str, ...]]


class CallIds:
    """Names the calls of one conversation for the wire; claw's own ids stay what they are.

    INDEX counts all calls from 0. Servers that parse the model's raw output lose calls when the history
    shows it ids of another form. An id depends on nothing that follows it, so what was once sent stays as
    it was. Calls that share an id are answered in the order in which they were made.
    """

    def __init__(self) -> None:
        self._after: list[tuple[int, Waiting]] = [(0, {})]  # calls so far, and ids of those not yet answered

    def rewind(self, n_messages: int) -> None:
        """Forget all but the first so many messages."""
        del self._after[n_messages + 1 :]

    def add(self, message: Message) -> tuple[str, ...]:
        """The ids that the next message carries: of its calls, or of the one that it answers."""
        n_calls, waiting = self._after[-1]
        ids: tuple[str, ...] = ()
        match message:
            case AssistantMessage():
                ids = tuple(f"functions.{call.name}:{n_calls + i}" for i, call in enumerate(message.tool_calls))
                waiting = {}
                for call, call_id in zip(message.tool_calls, ids, strict=True):
                    waiting[call.id] = (*waiting.get(call.id, ()), call_id)
                n_calls += len(ids)
            case ToolMessage():
                first, *rest = waiting.get(message.tool_call_id) or (message.tool_call_id,)
                ids = (first,)
                waiting = {**waiting, message.tool_call_id: tuple(rest)}
            case _:
                pass
        self._after.append((n_calls, waiting))
        return ids


class ReceivedIds:
    """The ids as the host gave them, for hosts that ask for nothing else."""

    def rewind(self, n_messages: int) -> None:
        """Nothing is kept."""

    def add(self, message: Message) -> tuple[str, ...]:
        match message:
            case AssistantMessage():
                return tuple(call.id for call in message.tool_calls)
            case ToolMessage():
                return (message.tool_call_id,)
            case _:
                return ()
