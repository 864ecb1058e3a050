"""What happened, in the order in which it happened. Past tense; the state of a session is a fold over these.

Words: a *run* goes from a user's message until claw rests; a *turn* is one reply of the model together
with the tool calls it asked for (`--max-turns` counts these).

*Order* of one run:

    RunStarted
      UserMessageAdded                       the message that started it; more follow for steering
      TurnStarted
        (RetryScheduled | ReasoningDelta | TextDelta)*
        ReplyFinished, UsageReported         exactly one each, unless the request failed for good
        (ApprovalAsked ApprovalAnswered)*    before the call that they are about starts
        (ToolStarted (ToolOutput | FileChanged | …)* ToolFinished)*
                                             calls run side by side, so these interleave; each call has
                                             exactly one ToolStarted and one ToolFinished, in this order
      TurnFinished
      … more turns …
    RunFinished                              exactly one, whatever went wrong

`SessionStarted` comes before everything, `PrefixSet` before the first run. `seq` is dense from 0 in a
session, `ts` is in seconds since 1970 and does not run backwards by more than the clock does.
Deltas and tool output are for watching: they are not kept in the log, since `ReplyFinished` and
`ToolFinished` carry the whole.
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct, field

from claw.protocol.details import Details, Preview, TodoItem
from claw.protocol.messages import AssistantMessage, Content, Prefix, Usage, UserMessage
from claw.protocol.naming import snake_case


class Event(Struct, tag_field="type", tag=snake_case):
    """Base of all events. `session`, `seq` and `ts` are set when the event is published."""

    persisted: ClassVar[bool] = True

    session: str = ""
    seq: int = -1
    ts: float = 0.0


class SessionStarted(Event, kw_only=True):
    """First event of a log. `protocol` is the version of this file (see `codec`).

    `sandbox` is the back-end that confines commands, `none` if nothing does.
    """

    protocol: int
    claw: str
    cwd: str
    roots: tuple[str, ...]
    host: str
    model: str
    mode: str
    sandbox: str


class SessionResumed(Event, kw_only=True):
    """A later process took the session up again, perhaps with another model or mode."""

    claw: str
    cwd: str
    roots: tuple[str, ...]
    host: str
    model: str
    mode: str
    sandbox: str


class PrefixSet(Event, kw_only=True):
    """System prompt and tools, as every request of the session carries them."""

    prefix: Prefix


class RunStarted(Event, kw_only=True):
    run: int


class UserMessageAdded(Event, kw_only=True):
    """`source` is `user`, `steer`, or claw itself: `background`, `verify`, `reminder`."""

    message: UserMessage
    source: str = "user"


class TurnStarted(Event, kw_only=True):
    turn: int


class ReasoningDelta(Event, kw_only=True):
    persisted = False
    text: str


class TextDelta(Event, kw_only=True):
    persisted = False
    text: str


class RetryScheduled(Event, kw_only=True):
    """The host failed. What was streamed of this reply so far is void: it starts again from nothing.

    `void` keeps it, for whoever reads the log; the model is never shown it.
    """

    attempt: int
    delay_s: float
    reason: str
    void: AssistantMessage | None = None


class ReplyFinished(Event, kw_only=True):
    """`finish_reason` is the host's word: `stop`, `tool_calls`, `length`, `content_filter`, or `interrupted`."""

    message: AssistantMessage
    finish_reason: str
    model: str = ""


class UsageReported(Event, kw_only=True):
    """Of one request. `cost_usd` is None where the price is unknown, `reported` False where the host was silent."""

    usage: Usage
    cost_usd: float | None
    reported: bool = True


class ToolStarted(Event, kw_only=True):
    """`summary` is one line for the screen."""

    call_id: str
    name: str
    arguments: str
    summary: str = ""


class ToolOutput(Event, kw_only=True):
    """Output of a running command, as it comes."""

    persisted = False
    call_id: str
    text: str


class ToolFinished(Event, kw_only=True):
    """`content` is what the model reads. `denied` means that the permission gate said no."""

    call_id: str
    name: str
    content: Content
    is_error: bool = False
    denied: bool = False
    brief: str = ""
    duration_s: float = 0.0
    details: Details | None = None


class ApprovalAsked(Event, kw_only=True):
    """A call waits for an `Answer` op that names `approval`. *Order*: before the call's `ToolStarted`.

    `segments` are the parts of a command that nothing allows yet; `suggestion` is the rule that an answer
    with a scope beyond `once` would add.
    """

    approval: str
    call_id: str
    name: str
    summary: str
    reason: str
    preview: Preview
    segments: tuple[str, ...] = ()
    suggestion: str = ""
    scopes: tuple[str, ...] = ("once",)


class ApprovalAnswered(Event, kw_only=True):
    """`by` is `user`, or `withdrawn` when the run ended before anybody answered."""

    approval: str
    call_id: str
    allowed: bool
    scope: str = "once"
    note: str = ""
    by: str = "user"


class ModeChanged(Event, kw_only=True):
    """Calls are judged by another mode from now on."""

    mode: str


class TitleChanged(Event, kw_only=True):
    """A person gave the session a title."""

    title: str


class FileChanged(Event, kw_only=True):
    """A tool changed a file. `kind` is `added`, `modified` or `deleted`; `path` is absolute."""

    call_id: str
    path: str
    kind: str


class TodoChanged(Event, kw_only=True):
    items: tuple[TodoItem, ...]


class BackgroundFinished(Event, kw_only=True):
    """A background command ended by itself."""

    job: str
    command: str
    exit_code: int


class TestsObserved(Event, kw_only=True):
    """A test run was seen among the commands; see `claw.agent.evidence` for what counts as one.

    `passed` is None when the runner's own summary was not seen.
    """

    __test__ = False  # pytest must not collect it

    command: str
    passed: bool | None
    total: int | None = None
    failed: int | None = None


class VerifyFinished(Event, kw_only=True):
    """claw ran the `--verify` command itself."""

    command: str
    passed: bool
    exit_code: int | None
    output: str


class ProtectedRestored(Event, kw_only=True):
    """A command changed what it may not, where the back-end could not stop it; claw put it back.

    `paths` are what was restored, removed or set right again; `kept` is where the command's version is.
    """

    command: str
    paths: tuple[str, ...]
    kept: str = ""


class Notice(Event, kw_only=True):
    """Something that a person should know. `level` is `info` or `warning`."""

    text: str
    level: str = "warning"


class TurnFinished(Event, kw_only=True):
    turn: int


class Tests(Struct, frozen=True):
    """What was seen of the tests, never what was said. `stale`: files changed after the last test run."""

    __test__ = False

    ran: bool = False
    passed: bool | None = None
    total: int | None = None
    failed: int | None = None
    command: str | None = None
    stale: bool = False


class RunFinished(Event, kw_only=True):
    """`status` is the lower-case name of a `claw.errors.ExitCode`; `result` is the model's last answer.

    `cost_by_tool` is an attribution, in dollars (see `claw.agent.costs`); what is left of `cost_usd` is the
    conversation itself. `error` says what went wrong, `structured` is the answer as JSON where a schema was
    given and it fits.
    """

    run: int
    status: str
    result: str = ""
    structured: Any = None
    error: str | None = None
    tests: Tests = field(default_factory=Tests)
    changed_files: tuple[str, ...] = ()
    n_turns: int = 0
    n_tool_calls: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None
    cost_by_tool: dict[str, float | None] = field(default_factory=dict)
    duration_s: float = 0.0


class SessionEnded(Event, kw_only=True):
    """The process let go of the session in good order."""


class UnknownEvent(Event, kw_only=True):
    """An event of a newer claw: kept for whoever understands it, ignored by the fold. `raw` is its JSON."""

    persisted = False
    raw: bytes = b""


AnyEvent = (
    SessionStarted | SessionResumed | PrefixSet | RunStarted | UserMessageAdded | TurnStarted
    | ReasoningDelta | TextDelta | RetryScheduled | ReplyFinished | UsageReported
    | ApprovalAsked | ApprovalAnswered | ModeChanged | TitleChanged
    | ToolStarted | ToolOutput | ToolFinished | FileChanged | TodoChanged | BackgroundFinished
    | TestsObserved | VerifyFinished | ProtectedRestored | Notice | TurnFinished | RunFinished | SessionEnded
)  # fmt: skip
