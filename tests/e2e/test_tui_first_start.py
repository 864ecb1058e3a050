"""The first start: no key anywhere, a host that tests one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.conftest import Claw
from tests.e2e.test_tui import Open, terminal  # noqa: F401

GOOD = "sk-the-good-key-0123456789"


class Host(BaseHTTPRequestHandler):
    """Lists its models to whoever has the key."""

    def do_GET(self) -> None:
        is_good = self.headers["authorization"] == f"Bearer {GOOD}"
        body = json.dumps({"data": [{"id": "kimi-k2.6"}]}).encode()
        self.send_response(200 if is_good else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


def test_a_key_is_asked_for_tested_and_kept(terminal: Open, claw: Claw, host: str) -> None:  # noqa: F811
    config = Path(claw.environ["CLAW_HOME"], "config")
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text(
        f'host = "mine"\n[hosts.mine]\nbase_url = "{host}"\nkey_variables = ["MINE_KEY"]\nkey_required = true\n'
        'default_model = "kimi-k2.6"\n'
    )
    tmux = terminal(None, CLAW_API_KEY="")
    tmux.wait_for("Which host serves the model?")
    tmux.wait_for("▸ mine")
    tmux.press("Enter")
    tmux.wait_for("set MINE_KEY")
    tmux.type("sk-a-bad-key-0123456789")
    assert "bad-key" not in tmux.screen()
    tmux.press("Enter")
    tmux.wait_for("mine refuses this key (401)")
    tmux.type(GOOD)
    tmux.press("Enter")
    screen = tmux.wait_for("the key is kept in")
    assert GOOD not in screen
    tmux.wait_for("ready")
    tmux.wait_for("Commands ")  # how they are confined
    assert GOOD in (config / "credentials.json").read_text()
    again = terminal(None, CLAW_API_KEY="")
    assert "Which host" not in again.wait_for("ready")


def test_it_is_no_wall(terminal: Open) -> None:  # noqa: F811
    tmux = terminal(None, CLAW_API_KEY="")
    tmux.wait_for("Which host serves the model?")
    tmux.press("Escape")
    tmux.wait_for("no host was chosen")
    tmux.type("/help")
    tmux.press("Enter")
    tmux.wait_for("/keys shows the keys")
    tmux.type("/status")
    tmux.press("Enter")
    tmux.wait_for("limits: none")
