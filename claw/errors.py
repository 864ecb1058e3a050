"""Every error that claw raises on purpose, as one tree.

    ClawError                      exit 1
    ├── UsageError                 exit 2    what was given, what is allowed
    │   ├── MissingKey                       names the variable that sets the key
    │   └── SessionNotFound
    ├── SessionError                         a log that cannot be read or written
    ├── ReplayDiverged                       the tools returned something else than in the recording
    ├── ToolError                            becomes an error result for the model; the run goes on
    │   └── ToolDenied                       the permission gate said no
    └── ProviderError                        the model's host refused; never retried
        ├── AuthError                        401, 403
        ├── QuotaExceeded                    no balance left
        ├── ContextOverflow                  the request is longer than the window
        └── TemporaryError         exit 75   worth another try, now or later
            ├── RateLimited
            ├── HostUnavailable              no connection, time-out, 5xx
            └── StreamBroken                 the reply stopped before it was complete

A message says what was given, what is allowed and what to do, in one or two lines.
Anything that is not a ClawError is a bug, and is shown as one.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `claw exec` ends with; scripts depend on these numbers.

    The names in lower case are the values of `status` in events and in the JSON result.
    """

    DONE = 0
    ERROR = 1
    USAGE = 2
    BLOCKED = 3
    DENIED = 4
    LIMIT = 5
    SCHEMA = 6
    CONTRADICTED = 7
    RETRY_LATER = 75
    INTERRUPTED = 130
    TERMINATED = 143


class ClawError(Exception):
    """Base of the tree. `str(error)` is the line that a person reads."""

    exit_code: ExitCode = ExitCode.ERROR


class UsageError(ClawError):
    """A flag, an environment variable or a config file says something that claw cannot do."""

    exit_code = ExitCode.USAGE


class MissingKey(UsageError):
    """The host wants a key and none is set."""


class SessionNotFound(UsageError):
    """No session has this id, or a prefix of it that is unique."""


class SessionError(ClawError):
    """A session's log cannot be read or written."""


class ReplayDiverged(ClawError):
    """A replayed run no longer matches its recording."""


class ToolError(ClawError):
    """A tool cannot do what was asked.

    `message` goes to the model and says how to do better; `brief` is the few words on the screen.
    """

    def __init__(self, message: str, brief: str = "") -> None:
        super().__init__(message)
        self.brief = brief or message.splitlines()[0][:80]


class ToolDenied(ToolError):
    """The permission gate refused the call; `message` says which rule did."""


class ProviderError(ClawError):
    """The model's host refused the request, and asking again would not help."""


class AuthError(ProviderError):
    """The key is wrong, expired, or not allowed to do this."""


class QuotaExceeded(ProviderError):
    """The account has no balance or quota left."""


class ContextOverflow(ProviderError):
    """The conversation is longer than the model's window."""


class TemporaryError(ProviderError):
    """Another try may work. `retry_after_s` is the host's own wish, if it gave one."""

    exit_code = ExitCode.RETRY_LATER

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(TemporaryError):
    """429 for requests, tokens or concurrency."""


class HostUnavailable(TemporaryError):
    """The host could not be reached, did not answer in time, or answered 5xx."""


class StreamBroken(TemporaryError):
    """The reply ended without a finish reason; nothing of it was executed."""
