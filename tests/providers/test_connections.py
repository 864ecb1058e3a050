"""Certificates and proxies: what the environment says about how to reach a host."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from claw.errors import ProviderError, TemporaryError
from tests.fakes.model_server import ModelServer, say
from tests.providers.conftest import Connect, collect

ROOT = Path(__file__).parents[2]
ASK = """
import asyncio, json, sys
from claw.errors import ClawError
from claw.protocol.messages import Prefix, UserMessage, as_content
from claw.providers.base import Reply
from claw.providers.catalog import Endpoint
from claw.providers.openai_chat import OpenAIChat
from claw.providers.retry import Retry

async def main(url):
    try:
        provider = OpenAIChat(Endpoint(host="test", base_url=url, model="m"), thinking=True, retry=Retry(attempts=1))
        async for item in provider.open(Prefix("")).ask([UserMessage(as_content("hello"))]):
            if isinstance(item, Reply):
                print(json.dumps(item.message.content))
        await provider.close()
    except ClawError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))

asyncio.run(main(sys.argv[1]))
"""


def _ask(url: str, **environ: str) -> str:
    """What a process with such an environment gets from `url`."""
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    result = subprocess.run(
        [sys.executable, "-c", ASK, url], cwd=ROOT, env={**clean, **environ}, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return str(json.loads(result.stdout))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of 127.0.0.1 in one file."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("openssl is not installed")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(file) + ".crt"]
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


def _tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_an_untrusted_certificate_is_refused_and_not_tried_again(certificate: Path, connect: Connect) -> None:
    with ModelServer([say("secret")], tls=_tls(certificate)) as server:
        async with connect(server.url) as chat:
            with pytest.raises(ProviderError, match="certificate that is not trusted") as caught:
                await collect(chat)
        assert not isinstance(caught.value, TemporaryError)
        assert (server.requests, server.n_connections) == ([], 0)


def test_a_certificate_that_the_user_trusts_is_taken(certificate: Path) -> None:
    with ModelServer([say("ok")], tls=_tls(certificate)) as server:
        assert _ask(server.url, SSL_CERT_FILE=f"{certificate}.crt") == "ok"


def test_a_proxy_is_used_for_hosts_outside_and_never_for_loopback() -> None:
    with ModelServer([say("through the proxy")]) as proxy, ModelServer([say("direct")]) as server:
        environ = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url}
        assert _ask("http://model.invalid/v1", **environ) == "through the proxy"
        assert proxy.requests[0].target == "http://model.invalid/v1/chat/completions"
        assert _ask(server.url, **environ) == "direct"
        assert len(proxy.requests) == 1


def test_a_proxy_that_cannot_be_used_is_a_usage_error() -> None:
    said = _ask("https://model.invalid/v1", HTTPS_PROXY="gopher://proxy:1", https_proxy="gopher://proxy:1")
    assert said.startswith("UsageError: cannot set up a connection to https://model.invalid/v1: ")
    assert "proxy" in said
