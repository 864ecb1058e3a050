"""What a host says when it refuses, as one of claw's errors: which kind, in whose words, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from claw.errors import (
    AuthError,
    ContextOverflow,
    HostUnavailable,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    StreamBroken,
)
from claw.printable import one_line
from claw.providers.retry import retry_after_s
from claw.providers.secret import Secret

WORDS_LIMIT_CHARS = 500

# Compiled by the first failure, not by every start.
_QUOTA = (
    r"exceeded_current_quota|insufficient[_ ](quota|balance|funds)|quota_exceeded|balance|recharge|suspended|billing"
    r"|out of credits?|insufficient credits?"
)
_OVERFLOW = (
    r"exceeded model token limit|input token length too long|context_length_exceeded|maximum context length"
    r"|context window|prompt is too long|too many input tokens|reduce the length of the messages"
)
_OVERLOAD = r"overloaded|over capacity|server is busy"
_TRANSIENT = r"server_error|internal|timeout|timed out|unavailable|rate_limit|overload"
_TEMPORARY_STATUSES = frozenset({408, 409, 425, 429, 499})
_PERMANENT_5XX = frozenset({501, 505, 511})


class Speaker(msgspec.Struct, frozen=True):
    """Whom the messages are about. `name` is what the user knows the host by, `address` its network name.

    `key_variable` is where its key is set.
    """

    name: str
    address: str
    key_variable: str
    key: Secret | None = None

    def __str__(self) -> str:
        return self.name if self.name == self.address else f"{self.name} ({self.address})"


def failure_of_response(
    host: Speaker, status: int, headers: Mapping[str, str], body: bytes, now: float
) -> ProviderError:
    """The error for a response whose status is not 200. `headers` are looked up by lower-case name."""
    kind, words = _read_body(body)
    trace = one_line(headers.get("x-trace-id") or headers.get("x-request-id") or "", 100)
    if 300 <= status < 400:
        words = f"it redirects to {headers.get('location', 'nowhere')}"
    return _failure(host, status, kind, words, f" [x-trace-id {trace}]" if trace else "", retry_after_s(headers, now))


def failure_in_stream(host: Speaker, error: Any) -> ProviderError:
    """The error for an error object inside a stream that began with status 200."""
    kind, words = _describe(error)
    status = 0
    if isinstance(error, dict):
        for key in ("status_code", "code", "status"):
            code = error.get(key)
            if isinstance(code, (int, str)) and str(code).isascii() and str(code).isdigit() and 400 <= int(code) < 600:
                status = int(code)
                break
    if status:
        return _failure(host, status, kind, words, "", None)
    if _says(_QUOTA, f"{kind} {words}") or _says(_OVERFLOW, f"{kind} {words}"):
        return _failure(host, 400, kind, words, "", None)
    said = f"{host} broke the reply off: {_quote(host, kind, words)}"
    if kind and not _says(_TRANSIENT, f"{kind} {words}"):
        return ProviderError(said)
    return StreamBroken(said)


def _failure(host: Speaker, status: int, kind: str, words: str, trace: str, retry_after: float | None) -> ProviderError:
    said = f"{host} answered {status}: {_quote(host, kind, words)}{trace}."
    everything = f"{kind} {words}"
    out_of_money = _says(_QUOTA, everything) and not kind.startswith("rate_limit")
    if status == 402 or (status in (400, 403, 429) and out_of_money):
        return QuotaExceeded(f"{said} The account has no balance or quota left: top it up, or use another key.")
    if status == 401:
        return AuthError(f"{said} Check the key in {host.key_variable}; it must be one of this very host.")
    if status == 403:
        return AuthError(f"{said} The key in {host.key_variable} may not do this.")
    if status in (400, 413, 422) and _says(_OVERFLOW, everything):
        return ContextOverflow(f"{said} The conversation is longer than the model's window.")
    if status == 404:
        return ProviderError(f"{said} Check the model's name and the host's URL, which should end in /v1.")
    if 300 <= status < 400:
        return ProviderError(f"{said} Give the URL that it redirects to as the host.")
    if status == 429 and not _says(_OVERLOAD, everything):
        return RateLimited(f"{said} Too many requests or tokens at once.", retry_after_s=retry_after)
    if status in _TEMPORARY_STATUSES or (status >= 500 and status not in _PERMANENT_5XX):
        return HostUnavailable(f"{said} The host is overloaded or down; try again later.", retry_after_s=retry_after)
    if "content_filter" in everything:
        return ProviderError(f"{said} The host's filter refused the conversation.")
    return ProviderError(f"{said} The request was refused as it is; trying again would not help.")


def _says(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _read_body(body: bytes) -> tuple[str, str]:
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
        return "", re.sub(r"<(style|script|head)\b.*?</\1\s*>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    if isinstance(parsed, dict):
        for key in ("error", "errors", "detail", "message"):
            if parsed.get(key):
                kind, words = _describe(parsed[key])
                return kind or str(parsed.get("type") or ""), words
    return _describe(parsed)


def _describe(error: Any) -> tuple[str, str]:
    """Kind and words of an error object, of its text, or of a list of either."""
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, dict):
        kind = str(error.get("type") or "")
        code = error.get("code")
        if isinstance(code, str) and code and not code.isdigit() and code != kind:
            kind = f"{kind} {code}".strip()
        words = error.get("message") or error.get("msg") or error.get("detail")
        return kind, str(words) if words else "" if kind else str(error)
    return "", "" if error is None else str(error)


def _quote(host: Speaker, kind: str, words: str) -> str:
    """The host's own words: bounded, printable, without the key."""
    text = ": ".join(part for part in (kind, words) if part.strip()) or "(no reason given)"
    if host.key:
        text = host.key.hide(text)
    return one_line(text, WORDS_LIMIT_CHARS).rstrip(" .")
