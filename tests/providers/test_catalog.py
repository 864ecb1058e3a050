"""Hosts, models, keys and prices."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from claw.errors import MissingKey, UsageError
from claw.protocol.messages import Usage
from claw.providers.catalog import UNKNOWN_WINDOW, Endpoint, load_catalog
from claw.providers.dialect import Dialect, Media, Sampling
from claw.providers.pricing import Price, cost_usd

KEYS = {"MOONSHOT_API_KEY": "sk-moon", "CLAW_API_KEY": "sk-any"}
GENERIC = Dialect(media=Media(images=("png", "jpeg", "webp", "gif"), image_urls=True))


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
    assert endpoint.price == Price(0.95, 0.16, 4.0, "2026-11")
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
    assert (endpoint.wire_model, endpoint.dialect.thinking) == ("my/model", "none")
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
    names = "baseten, cloudflare, fireworks, moonshot, moonshot-cn, ollama, ollama-cloud, sglang, vllm"
    assert f"allowed are {names}, or a URL" in str(caught.value)


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
            "lab": {"base_url": "https://lab/v1", "key_variables": ["LAB_KEY"], "models": {"kimi-k2.6": "k26-int4"}},
            "moonshot": {"base_url": "https://m.cn/v1"},
        },
        {"kimi-k3": {"hosts": ["moonshot"]}, "kimi-k2.6": {"max_output_tokens": 1000}},
    )
    lab = catalog.resolve("lab", "any", {"LAB_KEY": "k"})
    assert (lab.host, lab.base_url, _key(lab), lab.dialect) == ("lab", "https://lab/v1", "k", GENERIC)
    assert catalog.resolve("lab", None, {"LAB_KEY": "k"}).wire_model == "k26-int4"
    moonshot = catalog.resolve("moonshot", "kimi-k3", KEYS)
    assert (moonshot.base_url, moonshot.wire_model, moonshot.price) == ("https://m.cn/v1", "kimi-k3", None)
    assert moonshot.dialect == _resolve("moonshot").dialect
    changed = catalog.resolve("moonshot", None, KEYS)
    assert (changed.max_output_tokens, changed.context_window) == (1000, 262_144)


def test_nested_tables_are_overridden_field_by_field() -> None:
    own = _resolve("vllm")
    table = {
        "prices": {"kimi-k2.6": {"input": 1.0, "cached": 0.5, "output": 2.0}},
        "dialect": {"json_schema": True, "sampling_instant": {"top_p": 0.9}, "media": {"max_images": 4}},
    }
    changed = load_catalog({"vllm": table}).resolve("vllm", None, KEYS)
    assert changed.price == Price(1.0, 0.5, 2.0)
    assert changed.dialect == replace(
        own.dialect,
        json_schema=True,
        sampling_instant=Sampling(0.6, 0.9),
        media=replace(own.dialect.media, max_images=4),
    )


def test_a_change_of_generic_changes_the_hosts_that_say_nothing_else() -> None:
    catalog = load_catalog({"generic": {"dialect": {"max_tokens_field": "limit", "thinking": "chat_template"}}})
    fields = {
        host: (endpoint.dialect.max_tokens_field, endpoint.dialect.thinking)
        for host in ("baseten", "moonshot", "https://h/v1")
        for endpoint in [catalog.resolve(host, None, KEYS)]
    }
    assert fields == {
        "baseten": ("limit", "chat_template"),
        "moonshot": ("max_completion_tokens", "moonshot"),
        "https://h/v1": ("limit", "chat_template"),
    }


@pytest.mark.parametrize("host", ["cloudflare", "fireworks", "baseten"])
def test_a_model_may_be_named_as_the_host_names_it(host: str) -> None:
    by_name = _resolve(host, environ=KEYS | {"CLOUDFLARE_ACCOUNT_ID": "acc"})
    by_id = _resolve(host, by_name.wire_model, KEYS | {"CLOUDFLARE_ACCOUNT_ID": "acc"})
    assert msgspec.structs.asdict(by_id) | {"key": None} == msgspec.structs.asdict(by_name) | {"key": None}
    assert (by_name.model, by_name.context_window) == ("kimi-k2.6", 262_144)


@pytest.mark.parametrize(
    ("host", "model", "price"),
    [
        ("moonshot-cn", None, Price(0.95, 0.16, 4.0, "2026-11")),
        ("baseten", "org/other", None),
        ("vllm", "org/other", Price(0.0, 0.0, 0.0)),
        ("ollama-cloud", None, None),
    ],
)
def test_what_a_host_charges(host: str, model: str | None, price: Price | None) -> None:
    assert _resolve(host, model).price == price


@pytest.mark.parametrize(
    "table",
    [
        {"base_url": 3},
        {"base_uri": "x"},
        {"dialect": {"thinking": "deep"}},
        {"dialect": 3},
        {"dialect": {"media": {"images": "png"}}},
        {"dialect": {"sampling": {}}},
        {"prices": {"m": {"input": 1.0}}},
        {"models": {"m": 3}},
        {"billing": "daily"},
    ],
)
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
