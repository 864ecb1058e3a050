"""Hosts, models, keys and prices."""

from __future__ import annotations

import pytest

from claw.errors import MissingKey, UsageError
from claw.protocol.messages import Usage
from claw.providers.catalog import UNKNOWN_WINDOW, Endpoint, load_catalog
from claw.providers.pricing import Price, cost_usd

KEYS = {"MOONSHOT_API_KEY": "sk-moon", "CLAW_API_KEY": "sk-any"}


def _resolve(host: str, model: str | None = None, environ: dict[str, str] | None = None) -> Endpoint:
    return load_catalog().resolve(host, model, KEYS if environ is None else environ)


def _key(endpoint: Endpoint) -> str | None:
    return endpoint.key.reveal() if endpoint.key else None


def test_moonshot_is_known() -> None:
    endpoint = _resolve("moonshot")
    assert (endpoint.host, endpoint.base_url, endpoint.address) == (
        "moonshot",
        "https://api.moonshot.ai/v1",
        "api.moonshot.ai",
    )
    assert (endpoint.model, endpoint.context_window, endpoint.max_output_tokens) == ("kimi-k2.6", 262_144, 32_768)
    assert endpoint.price == Price(0.95, 0.16, 4.0)
    assert (endpoint.thinking, endpoint.max_tokens_field) == ("moonshot", "max_completion_tokens")
    assert (_key(endpoint), endpoint.key_variable) == ("sk-moon", "MOONSHOT_API_KEY")


def test_the_hosts_own_key_goes_before_the_general_one() -> None:
    assert _key(_resolve("moonshot", environ={"CLAW_API_KEY": " sk-any\n", "MOONSHOT_API_KEY": " "})) == "sk-any"


def test_no_key_is_one_line_that_names_the_variables() -> None:
    with pytest.raises(MissingKey) as caught:
        _resolve("moonshot", environ={})
    assert str(caught.value) == "no key for moonshot: set MOONSHOT_API_KEY or CLAW_API_KEY in the environment"


@pytest.mark.parametrize("key", ["sk a", "sk-ü", "sk\x00", "sk\na"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        _resolve("moonshot", environ={"MOONSHOT_API_KEY": key})
    assert "MOONSHOT_API_KEY" in str(caught.value)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v1",
        "http://127.0.0.1:9/v1/",
        "http://[::1]:80",
        "https://example.com/v1",
        "https://h/api",
    ],
)
def test_a_url_takes_any_model_and_only_the_general_key(url: str) -> None:
    endpoint = _resolve(url, "my/model")
    assert (endpoint.base_url, endpoint.model, _key(endpoint)) == (url.rstrip("/"), "my/model", "sk-any")
    assert (endpoint.host, endpoint.price, endpoint.context_window) == (endpoint.address, None, UNKNOWN_WINDOW)
    assert endpoint.thinking == "none"
    assert _key(_resolve(url, environ={"MOONSHOT_API_KEY": "sk-moon"})) is None


def test_a_model_that_is_known_has_its_price_and_window_on_any_url() -> None:
    endpoint = _resolve("http://localhost/v1")
    assert (endpoint.model, endpoint.context_window) == ("kimi-k2.6", 262_144)
    assert endpoint.price is not None


@pytest.mark.parametrize("url", ["http://example.com/v1", "http://127.0.0.1.example.com/v1", "http://10.0.0.1/v1"])
def test_a_key_does_not_travel_unencrypted(url: str) -> None:
    with pytest.raises(UsageError, match="not encrypted"):
        _resolve(url)
    assert _key(_resolve(url, environ={})) is None


@pytest.mark.parametrize("host", ["nowhere", "generic", "", "localhost:8000/v1", "Moonshot"])
def test_an_unknown_host_says_what_is_allowed(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        _resolve(host)
    assert repr(host) in str(caught.value)
    assert "allowed are moonshot, or a URL" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/v1",
        "http://",
        "http:///v1",
        "http://h:99999/v1",
        "http://h:x/v1",
        "http://[::1/v1",
        "https://h/v1?k=1",
        "https://h/v1#a",
        "https://h/v 1",
        "https://h/\x1b[31m",
        "://",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="host URL") as caught:
        _resolve(url)
    assert str(caught.value).isprintable()


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="CLAW_API_KEY") as caught:
        _resolve("https://me:hunter2@example.com/v1")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_model_on_a_known_host_says_what_is_allowed() -> None:
    with pytest.raises(UsageError, match=r"unknown model 'gpt-4' on moonshot: allowed are kimi-k2\.6"):
        _resolve("moonshot", "gpt-4")


def test_the_users_tables_add_and_override() -> None:
    catalog = load_catalog(
        {
            "lab": {"base_url": "https://lab/v1", "key_variables": ["LAB_KEY"]},
            "moonshot": {"base_url": "https://m.cn/v1"},
        },
        {"kimi-k3": {"hosts": ["moonshot"]}, "kimi-k2.6": {"max_output_tokens": 1000}},
    )
    lab = catalog.resolve("lab", "any", {"LAB_KEY": "k"})
    assert (lab.host, lab.base_url, _key(lab), lab.max_tokens_field) == ("lab", "https://lab/v1", "k", "max_tokens")
    moonshot = catalog.resolve("moonshot", "kimi-k3", KEYS)
    assert (moonshot.base_url, moonshot.thinking, moonshot.price) == ("https://m.cn/v1", "moonshot", None)
    changed = catalog.resolve("moonshot", None, KEYS)
    assert (changed.max_output_tokens, changed.context_window) == (1000, 262_144)


@pytest.mark.parametrize("table", [{"base_url": 3}, {"base_uri": "x"}, {"thinking": "deep"}])
def test_a_mistake_in_a_users_table_names_the_table(table: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"\[hosts\.lab\] in the config file: .*"):
        load_catalog({"lab": table})
    with pytest.raises(UsageError, match=r"\[models\.m\] in the config file: .*"):
        load_catalog(models={"m": {"price": {"input": "cheap"}}})


def test_costs() -> None:
    price = Price(0.95, 0.16, 4.0)
    assert cost_usd(Usage(1_000_000, 400_000, 100_000), price) == pytest.approx(0.6 * 0.95 + 0.4 * 0.16 + 0.1 * 4)
    assert cost_usd(Usage(10, 99, 0), price) == pytest.approx(10 * 0.16 / 1e6)
    assert cost_usd(Usage(), price) == 0.0
    assert cost_usd(None, price) is None
    assert cost_usd(Usage(1), None) is None
