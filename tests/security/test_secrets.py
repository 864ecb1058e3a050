"""Twelve planted secrets, and everything that leaves a run searched for each of their bytes."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Claw, Done, git, make_repository
from tests.fakes.model_server import ModelServer, call, say, status

WINDOW = 10  # so many characters of a secret in a row are a leak

# All made up, and put together here so that no scanner takes this file for a find.
KEY = "sk-" + "7Qm4tZ8yKp2LxW7vNc3RbTd6HgJ9sFa1Eu5"
FILE_TOKEN = "AKIA" + "QK5XJ2MW7PZR4TBV"
CANARIES = {
    "the host's key": KEY,
    "a token in the environment": "horse+battery/staple=93",
    "a password in an address": "m0nkey.Wrench-77",
    "output of a command, in pieces": "ghp_" + "K3vX9aQ2mZ7tB5nW8cR4yL6pD1sF0gH2jU4e",
    "a file that is read": FILE_TOKEN,
    "a secret beside it": "wQ9/rT2+yU5iO8pA1sD4fG7hJ0kL3zX6cV9bN2mE",
    "the password of a git remote": "r3m0te-Pa55phrase-x1",
    "a private key": "MIIEpQIBAAKCAQEAt5zGdyqW2hN8kXo4VbJmYc7RfUa1Lw6PzSx0TgQeHu9IiDnB",
    "what the user says": "glpat-" + "Zx8Cv2Bn6Mq4Wt9Ry3Ku",
    "what AGENTS.md says": "npm_" + "Hs7Dk2Jf9Lg4Qw8Er3Ty6Ui1Op5Az0Xc2Vb4",
    "a line of JSON": "xoxb-" + "4815162342-Nf6Gh3Jk8Lw2Qr5Tz",
    "an answer of the model": "hf_" + "QaZwSxEdCrFvTgByHnUjMiKoLp38572640",
}
ENCODED = base64.b64encode(b"key=" + KEY.encode()).decode()
PEM = "\n".join(["-----BEGIN PRIVATE " + "KEY-----", CANARIES["a private key"], "-----END PRIVATE " + "KEY-----", ""])
ENVIRON = {
    "DEPLOY_TOKEN": CANARIES["a token in the environment"],
    "DATABASE_URL": f"postgres://app:{CANARIES['a password in an address']}@db/app",
    "CLAW_RETRY_BASE_S": "0.01",
}
PROJECT = {
    "settings.ini": f"aws_access_key_id = {FILE_TOKEN}\naws_secret_access_key = {CANARIES['a secret beside it']}\n",
    "deploy.pem": PEM,
    "data.json": json.dumps({"slack": CANARIES["a line of JSON"], "text": f"x\n{CANARIES['a line of JSON']}"}),
    "pieces.txt": CANARIES["output of a command, in pieces"],
    "encoded.txt": ENCODED + "\n",
    "AGENTS.md": f"Publish with {CANARIES['what AGENTS.md says']} only.\n",
}
IN_PIECES = 't=$(cat pieces.txt); for i in 0 4 8 12 16 20 24 28 32 36 40; do printf %s "${t:$i:4}"; sleep 0.02; done'


def leaks(data: bytes, canaries: dict[str, str] = CANARIES) -> list[str]:
    """The names of the secrets of which `data` holds so much as `WINDOW` characters in a row, or in base64."""
    found = []
    for name, canary in canaries.items():
        core = canary.partition("_")[2] or canary.partition("-")[2] or canary
        core = core if len(core) >= WINDOW else canary
        encoded = base64.b64encode(b"key=" + canary.encode()).decode()[8:-4]
        windows = (text[i : i + WINDOW] for text in (core, encoded) for i in range(len(text) - WINDOW + 1))
        if any(window.encode() in data for window in windows):
            found.append(name)
    return found


def all_bytes(folder: Path) -> bytes:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return b"".join(path.read_bytes() for path in files)


class Bench:
    """One run on a repository full of secrets, with a key from `source`."""

    def __init__(self, tmp_path: Path, source: str) -> None:
        home = tmp_path / "home"
        home.mkdir()
        self.claw = Claw(make_repository(tmp_path.resolve() / "repo", PROJECT), home)
        password = CANARIES["the password of a git remote"]
        git(self.claw.repository, "remote", "add", "origin", f"https://joe:{password}@git.example.org/app.git")
        self.config = home / "claw" / "config"
        self.config.mkdir(parents=True, mode=0o700)
        self.state = home / "claw" / "state"
        self.environ = {**ENVIRON, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        self.source = source
        self.last_message = tmp_path / "last"

    def provide_key(self, url: str) -> None:
        host = f'[hosts.mine]\nbase_url = "{url}"\nkey_variables = ["MINE_API_KEY"]\nkey_required = true\n'
        if self.source == "environment":
            self.environ["MINE_API_KEY"] = KEY
        elif self.source == "file":
            credentials = self.config / "credentials.json"
            credentials.touch(mode=0o600)
            credentials.write_text(json.dumps({"keys": {"mine": KEY}}))
        elif self.source == "keyring":
            kept = self.config.parent.parent / "keyring.json"
            kept.write_text(json.dumps({"claw/mine": KEY}))
            root = str(Path(__file__).parent.parent.parent)
            backend = "tests.fakes.file_keyring.FileKeyring"
            self.environ |= {"PYTHON_KEYRING_BACKEND": backend, "FAKE_KEYRING": str(kept), "PYTHONPATH": root}
        else:
            helper = self.config / "helper.py"
            helper.write_text(f"import sys; sys.stderr.write('unlocking'); print({KEY!r})")
            host += f"key_command = {json.dumps([sys.executable, '-I', '-S', str(helper)])}\n"
        (self.config / "config.toml").write_text(host)

    def run(self, server: ModelServer, *args: str) -> Done:
        self.provide_key(server.url)
        prompt = f"Deploy with {CANARIES['what the user says']}, please."
        flags = ("--host", "mine", "--output-last-message", str(self.last_message), *args)
        return self.claw.run("exec", *flags, "--output-format", "stream-json", prompt, **self.environ)


SCRIPT = (
    status(500, message=f"who is {KEY}?"),
    call(
        ("bash", {"command": "printenv > child.txt; printenv"}),
        ("bash", {"command": "git remote -v; cat .git/config; cat encoded.txt data.json"}),
        ("bash", {"command": IN_PIECES}),
        ("read", {"path": "settings.ini"}),
        ("read", {"path": "deploy.pem"}),
        ("grep", {"pattern": "slack|aws", "path": "."}),
    ),
    call(("bash", {"command": "for i in $(seq 9000); do echo 0123456789; done; cat settings.ini deploy.pem"})),
    say(f"Done with {CANARIES['an answer of the model']} and {KEY}.", reasoning=f"So {KEY}.", n_pieces=40),
)


@pytest.mark.parametrize("source", ["environment", "file", "keyring", "command"])
def test_nothing_of_any_secret_leaves_a_run(tmp_path: Path, source: str) -> None:
    if source == "keyring":
        pytest.importorskip("keyring", reason="the extra `keyring` is not installed")
    bench = Bench(tmp_path, source)
    with ModelServer(SCRIPT) as server:
        done = bench.run(server, "--trust")
        requests = list(server.requests)
    assert (done.code, len(requests)) == (0, 4), done.stderr
    assert {request.headers["authorization"] for request in requests} == {f"Bearer {KEY}"}
    for request in requests:
        others = {name: value for name, value in request.headers.items() if name != "authorization"}
        assert (leaks(request.raw), leaks(json.dumps(others).encode())) == ([], [])
    session = done.events[0]["session"]
    places = {
        "stdout": done.stdout.encode(),
        "stderr": done.stderr.encode(),
        "last message": bench.last_message.read_bytes(),
        "state": all_bytes(bench.state),
        "environment of commands": (bench.claw.repository / "child.txt").read_bytes(),
    }
    for form in ("md", "json"):
        exported = bench.claw.run("sessions", "export", session, "--format", form, **bench.environ)
        assert exported.code == 0, exported.stderr
        places[f"export {form}"] = exported.stdout.encode()
    assert {place: leaks(data) for place, data in places.items()} == {place: [] for place in places}
    results = [event for event in done.of("tool_finished") if not event["is_error"]]
    assert len(results) == 7
    text = json.dumps(results)
    for kind in ("github-token", "aws-key-id", "aws-secret", "private-key", "password", "slack-token", "secret"):
        assert f"[redacted:{kind}]" in text, kind
    streamed = "".join(event["text"] for event in done.of("text_delta"))
    assert streamed == "Done with [redacted:huggingface-token] and [redacted:secret]."


def test_a_host_that_repeats_the_key_does_not_get_it_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "environment")
    with ModelServer([status(401, "invalid_authentication_error", f"Incorrect API key provided: {KEY}")]) as server:
        done = bench.run(server)
    assert done.code == 1
    assert "Check the key in MINE_API_KEY" in done.stdout
    assert leaks(done.stdout.encode() + done.stderr.encode() + all_bytes(bench.state)) == []


def test_the_folders_are_private(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "environment")
    with ModelServer([say("hi")]) as server:
        assert bench.run(server).code == 0
    for path in (bench.state / "sessions").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Without claw between, every secret is found: in the repository, the environment, or what is said."""
    bench = Bench(tmp_path, "environment")
    there = all_bytes(bench.claw.repository) + json.dumps(ENVIRON).encode()
    there += (CANARIES["what the user says"] + CANARIES["an answer of the model"]).encode()
    assert leaks(there) == list(CANARIES)
