"""What a host says, as one of claw's errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claw.errors import (
    AuthError,
    ContextOverflow,
    HostUnavailable,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    StreamBroken,
    TemporaryError,
)
from claw.providers.failures import Speaker, failure_in_stream, failure_of_response
from claw.providers.secret import Secret

HOST = Speaker("moonshot", "api.moonshot.ai", "MOONSHOT_API_KEY", Secret("sk-abcdef"))


def _failure(status: int, error: Any, **headers: str) -> ProviderError:
    body = error if isinstance(error, bytes) else json.dumps({"error": error}).encode()
    return failure_of_response(
        HOST, status, {name.replace("_", "-"): text for name, text in headers.items()}, body, 0.0
    )


KINDS = [
    (429, {"type": "rate_limit_reached_error", "message": "max RPM: 50"}, RateLimited),
    (429, {"type": "rate_limit_reached_error", "message": "see your billing page to raise it"}, RateLimited),
    (429, {"type": "rate_limit_error", "message": "The engine is currently overloaded"}, HostUnavailable),
    (429, {"type": "engine_overloaded_error", "message": "try later"}, HostUnavailable),
    (429, {"type": "exceeded_current_quota_error", "message": "check your plan"}, QuotaExceeded),
    (429, {"message": "Your account is suspended due to insufficient balance"}, QuotaExceeded),
    (429, {"code": "insufficient_quota", "message": "no"}, QuotaExceeded),
    (429, b"", RateLimited),
    (402, b"", QuotaExceeded),
    (403, {"message": "insufficient balance"}, QuotaExceeded),
    (403, {"message": "not allowed"}, AuthError),
    (401, {"type": "invalid_authentication_error", "message": "Invalid Authentication"}, AuthError),
    (400, {"message": "Your request exceeded model token limit: 262144"}, ContextOverflow),
    (400, {"message": "Input token length too long"}, ContextOverflow),
    (413, {"code": "context_length_exceeded"}, ContextOverflow),
    (400, {"message": "thinking is enabled but reasoning_content is missing"}, ProviderError),
    (400, {"type": "content_filter", "message": "high risk"}, ProviderError),
    (404, {"message": "Not found the model"}, ProviderError),
    (422, b'{"detail": [{"msg": "bad field"}]}', ProviderError),
    (301, b"", ProviderError),
    (408, b"", HostUnavailable),
    (500, b"<html><head><title>x</title></head><body>Oops</body></html>", HostUnavailable),
    (502, b"\xff\xfe", HostUnavailable),
    (503, b"[[[[", HostUnavailable),
    (529, b"null", HostUnavailable),
    (501, b"{}", ProviderError),
]


@pytest.mark.parametrize(("status", "error", "kind"), KINDS)
def test_kinds(status: int, error: Any, kind: type[ProviderError]) -> None:
    failure = _failure(status, error)
    assert type(failure) is kind
    assert str(failure).startswith(f"moonshot (api.moonshot.ai) answered {status}: ")
    assert len(str(failure)) < 800


def test_says_who_what_in_whose_words_and_what_to_do() -> None:
    failure = _failure(401, {"type": "invalid_authentication_error", "message": "Bad key."}, x_trace_id="t-1")
    assert str(failure) == (
        "moonshot (api.moonshot.ai) answered 401: invalid_authentication_error: Bad key [x-trace-id t-1]. "
        "Check the key in MOONSHOT_API_KEY; it must be one of this very host."
    )


def test_carries_retry_after() -> None:
    failure = _failure(429, b"", retry_after="7")
    assert isinstance(failure, TemporaryError)
    assert failure.retry_after_s == 7.0


def test_the_hosts_words_are_bounded_printable_and_without_the_key() -> None:
    words = str(_failure(400, {"message": "key sk-abcdef \x1b[31mred\x1b]0;title\x07\r\n" + "x" * 10_000}))
    assert "sk-abcdef" not in words
    assert words.isprintable()
    assert len(words) < 700


def test_a_web_page_loses_its_tags() -> None:
    assert "answered 500: Oops. " in str(_failure(500, b"<html><head><style>a{}</style></head><p>Oops</p></html>"))


def test_a_redirect_names_where_to() -> None:
    assert "it redirects to https://elsewhere/" in str(_failure(308, b"", location="https://elsewhere/"))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Internal server error", "type": "server_error", "code": 500}, HostUnavailable),
        ({"code": 502, "message": "limit reached (33/32)"}, HostUnavailable),
        ({"code": "429", "message": "slow down"}, RateLimited),
        ({"type": "invalid_request_error", "code": "tool_use_failed", "status_code": 400}, ProviderError),
        ({"type": "exceeded_current_quota_error", "message": "no"}, QuotaExceeded),
        ({"message": "maximum context length is 8192"}, ContextOverflow),
        ({"type": "invalid_request_error", "message": "no"}, ProviderError),
        ({"type": "server_error", "message": "no"}, StreamBroken),
        ({"message": "something"}, StreamBroken),
        ("something", StreamBroken),
        (None, StreamBroken),
        ([], StreamBroken),
    ],
)
def test_errors_inside_a_stream(error: Any, kind: type[ProviderError]) -> None:
    failure = failure_in_stream(HOST, error)
    assert type(failure) is kind
    assert "moonshot" in str(failure)
