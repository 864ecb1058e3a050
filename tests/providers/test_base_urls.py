"""Base URLs with variables in them, and from the environment."""

from __future__ import annotations

import pytest

from claw.errors import UsageError
from claw.providers.catalog import load_catalog

TOKEN = {"CLOUDFLARE_API_TOKEN": "t"}


@pytest.mark.parametrize("account", [None, "", " "])
def test_a_missing_variable_is_named(account: str | None) -> None:
    environ = TOKEN if account is None else {**TOKEN, "CLOUDFLARE_ACCOUNT_ID": account}
    with pytest.raises(UsageError) as caught:
        load_catalog().resolve("cloudflare", None, environ)
    assert str(caught.value) == "the URL of cloudflare needs CLOUDFLARE_ACCOUNT_ID: set it in the environment"


@pytest.mark.parametrize("account", ["a/b", "..", "a?b", "a#b", "a b", "ä", "a\nb", "x@evil.example", "{HOME}", "%2e"])
def test_a_value_cannot_lead_elsewhere(account: str) -> None:
    with pytest.raises(UsageError, match="CLOUDFLARE_ACCOUNT_ID has characters") as caught:
        load_catalog().resolve("cloudflare", None, {**TOKEN, "CLOUDFLARE_ACCOUNT_ID": account})
    assert str(caught.value).isprintable()


def test_a_url_of_the_users_own_needs_no_variable() -> None:
    catalog = load_catalog({"cloudflare": {"base_url": "http://localhost:1/v1"}})
    assert catalog.resolve("cloudflare", None, TOKEN).base_url == "http://localhost:1/v1"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("gpu1", "http://gpu1:11434/v1"),
        ("gpu1:9", "http://gpu1:9/v1"),
        (":9", "http://localhost:9/v1"),
        ("0.0.0.0", "http://localhost:11434/v1"),
        ("[::]:9", "http://localhost:9/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("http://gpu1", "http://gpu1/v1"),
        ("https://gpu1/", "https://gpu1/v1"),
        ("https://gpu1:9/team/v1/", "https://gpu1:9/team/v1"),
        (" gpu1 ", "http://gpu1:11434/v1"),
        ("", "http://localhost:11434/v1"),
    ],
)
def test_an_address_is_completed(address: str, url: str) -> None:
    assert load_catalog().resolve("ollama", None, {"OLLAMA_HOST": address}).base_url == url


def test_the_environment_goes_before_the_config() -> None:
    catalog = load_catalog({"vllm": {"base_url": "http://config:7/v1"}})
    assert catalog.resolve("vllm", None, {}).base_url == "http://config:7/v1"
    assert catalog.resolve("vllm", None, {"VLLM_BASE_URL": "http://env:8/v1"}).base_url == "http://env:8/v1"
    assert load_catalog().resolve("sglang", None, {"SGLANG_BASE_URL": "gpu1"}).base_url == "http://gpu1:30000/v1"


@pytest.mark.parametrize(
    "address", ["gpu1:99999", "gpu1:x", "ftp://gpu1", "a b", "http://u:p@gpu1", "gpu1?x=1", "[::1"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_catalog().resolve("ollama", None, {"OLLAMA_HOST": address})
    assert str(caught.value).isprintable()
    assert "u:p" not in str(caught.value)
