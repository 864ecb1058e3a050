"""Where keys are kept, in which order they are looked for, and that none shows on the way."""

from __future__ import annotations

import json
import os
import pickle
import sys
import traceback
from pathlib import Path

import pytest

from claw.errors import MissingKey, UsageError
from claw.providers.catalog import Endpoint, load_catalog
from claw.providers.keys import KeyStore, NoKeyring, open_keyring
from claw.providers.secret import Secret
from tests.fakes.keyrings import FakeKeyring

KEY, OTHER = "sk-kept-0123456789", "sk-other-9876543210"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


def program(tmp_path: Path, body: str) -> list[str]:
    path = tmp_path / "helper.py"
    path.write_text(body)
    return [sys.executable, "-I", "-S", str(path)]


def revealed(store: KeyStore, *args: object) -> tuple[str, str] | None:
    found = store.find("moonshot", *args)  # type: ignore[arg-type]
    return (found.key.reveal(), found.place) if found else None


def test_the_keyring_goes_before_the_file_and_the_file_before_the_command(config: Path, tmp_path: Path) -> None:
    command = program(tmp_path, "print('sk-printed')")
    keyring = FakeKeyring()
    broken = KeyStore(config, FakeKeyring("locked"))
    assert broken.keep("moonshot", KEY) == str(config / "credentials.json")
    store = KeyStore(config, keyring)
    assert revealed(store, command) == (KEY, str(config / "credentials.json"))
    keyring.set_password("claw", "moonshot", OTHER)
    assert revealed(store, command) == (OTHER, "the keyring")
    assert store.forget("moonshot") == ["the keyring", str(config / "credentials.json")]
    assert revealed(store, command) == ("sk-printed", "what key_command of moonshot prints")
    assert (revealed(store), store.forget("moonshot")) == (None, [])


def test_a_key_is_kept_in_one_place(config: Path) -> None:
    KeyStore(config, FakeKeyring("locked")).keep("moonshot", KEY)
    keyring = FakeKeyring()
    store = KeyStore(config, keyring)
    assert store.keep("moonshot", OTHER) == "the keyring"
    assert json.loads(store.path.read_bytes()) == {"keys": {}, "keyring": ["moonshot"]}
    assert keyring.keys == {("claw", "moonshot"): OTHER}


def test_the_keyring_is_opened_for_those_who_need_it(config: Path) -> None:
    keyring = FakeKeyring()
    store = KeyStore(config, keyring)
    assert store.find("vllm", needed=False) is None
    assert keyring.n_opened == 0
    store.keep("vllm", KEY)
    found = store.find("vllm", needed=False)
    assert found is not None
    assert (found.key.reveal(), found.place) == (KEY, "the keyring")


def test_a_keyring_that_does_not_work_is_passed_over_and_told(config: Path) -> None:
    store = KeyStore(config, FakeKeyring("the keyring is locked"))
    store.keep("moonshot", KEY)
    store.problems.clear()
    assert revealed(store) == (KEY, str(store.path))
    assert store.problems == ["the keyring is locked"]


def test_a_key_in_a_keyring_out_of_reach_is_not_said_to_be_forgotten(config: Path) -> None:
    KeyStore(config, FakeKeyring()).keep("moonshot", KEY)
    with pytest.raises(UsageError, match="the key of moonshot is in the keyring, which is out of reach: locked"):
        KeyStore(config, FakeKeyring("locked")).forget("moonshot")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
def test_the_file_is_private_whatever_the_umask(config: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        store = KeyStore(config, FakeKeyring("none"))
        store.keep("moonshot", KEY)
        store.keep("fireworks", OTHER)
    finally:
        os.umask(before)
    assert store.path.stat().st_mode & 0o177 == 0
    assert config.stat().st_mode & 0o077 == 0
    assert [path.name for path in config.iterdir()] == ["credentials.json"]
    assert sorted(store.values()) == [KEY, OTHER]


def test_a_folder_that_others_may_enter_is_closed(config: Path) -> None:
    config.mkdir()
    config.chmod(0o755)
    KeyStore(config, FakeKeyring("none")).keep("moonshot", KEY)
    assert config.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(config: Path, mode: int) -> None:
    store = KeyStore(config, FakeKeyring("none"))
    store.keep("moonshot", KEY)
    store.path.chmod(mode)
    with pytest.raises(UsageError, match=f"can be read by other users: run `chmod 600 {store.path}`"):
        store.find("moonshot")
    assert store.values() == []


def test_a_file_of_another_user_is_refused(config: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    store = KeyStore(config, FakeKeyring("none"))
    store.keep("moonshot", KEY)
    os.chown(store.path, 65534, 65534)
    with pytest.raises(UsageError, match="belongs to another user"):
        store.find("moonshot")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"keys": []}',
        '{"keys": {"moonshot": 1}}',
        '{"keyring": 3}',
        '{"keys": {"a": "sk-x"',
        "[" * 9000,
    ],
)
def test_a_damaged_file_is_told_without_its_content(config: Path, content: str) -> None:
    config.mkdir()
    store = KeyStore(config, FakeKeyring())
    store.path.write_text(content)
    store.path.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        store.find("moonshot")
    assert str(caught.value) == f"{store.path} is damaged: remove it and run `claw login` again"


def test_a_pipe_in_place_of_the_file_does_not_hang(config: Path) -> None:
    config.mkdir()
    os.mkfifo(config / "credentials.json", 0o600)
    with pytest.raises(UsageError, match="is no regular file"):
        KeyStore(config, FakeKeyring()).find("moonshot")


def test_a_command_may_be_a_line(config: Path, tmp_path: Path) -> None:
    line = f"{sys.executable} -c 'print(\"  {KEY}  \")'"
    assert revealed(KeyStore(config, FakeKeyring()), line) == (KEY, "what key_command of moonshot prints")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("import sys; print('sk-12345678'); sys.exit('bad sk-12345678 today')",
         r"failed with 1: bad \[redacted:secret\] today$"),
        ("import sys; sys.exit(3)", "failed with 3: it says nothing$"),
        ("", "printed nothing$"),
        ("print('two words')", "has characters that no key has"),
        ("print('sk-1\\nsk-2')", "has characters that no key has"),
    ],
)  # fmt: skip
def test_a_command_that_gives_no_key(config: Path, tmp_path: Path, body: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        KeyStore(config, FakeKeyring()).find("moonshot", program(tmp_path, body))
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("/no/such/program", "cannot be started: No such file"),
        ("'", "cannot be read: No closing quotation"),
        ("a\0b", "be started"),
    ],
)
def test_a_command_that_is_none(config: Path, command: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=f"key_command of moonshot.*{complaint}"):
        KeyStore(config, FakeKeyring()).find("moonshot", command)


def test_a_command_is_not_waited_for_without_end(config: Path, tmp_path: Path) -> None:
    body = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    with pytest.raises(UsageError, match=r"did not end within 0\.3 s"):
        KeyStore(config, FakeKeyring(), 0.3).find("moonshot", program(tmp_path, body))


def test_the_command_is_not_run_where_claw_works(config: Path, tmp_path: Path) -> None:
    config.mkdir()
    found = KeyStore(config, FakeKeyring()).find("moonshot", program(tmp_path, "import os; print(os.getcwd())"))
    assert found is not None
    assert found.key.reveal() == str(config.resolve())


def test_an_endpoint_says_where_its_key_is(config: Path, tmp_path: Path) -> None:
    command = program(tmp_path, "print('sk-printed')")
    catalog = load_catalog({"fireworks": {"key_command": command}, "baseten": {"key_command": " ".join(command)}})

    def place(host: str, **environ: str) -> tuple[str | None, str]:
        endpoint: Endpoint = catalog.resolve(host, None, environ, config)
        return endpoint.key.reveal() if endpoint.key else None, endpoint.key_variable

    assert place("fireworks", FIREWORKS_API_KEY=KEY) == (KEY, "FIREWORKS_API_KEY")
    assert place("fireworks", CLAW_API_KEY=KEY) == (KEY, "CLAW_API_KEY")
    assert place("fireworks") == (*place("baseten")[:1], "what key_command of fireworks prints")
    store = KeyStore(config, FakeKeyring("none"))
    for name in ("moonshot", "https://gpu1:8000"):
        store.keep(name, KEY)
    assert place("moonshot") == (KEY, str(store.path))
    assert place("https://GPU1:8000/v1") == (KEY, str(store.path))
    assert place("https://moonshot/v1") == (None, "CLAW_API_KEY")
    store.keep("http://gpu1", KEY)
    with pytest.raises(UsageError, match="is not encrypted"):
        place("http://gpu1/v1")
    with pytest.raises(MissingKey) as caught:
        place("ollama-cloud")
    assert str(caught.value).endswith("in the environment, or run `claw login ollama-cloud`")


def test_where_the_keyring_package_finds_none_there_is_none() -> None:
    keyring = pytest.importorskip("keyring")
    before = keyring.get_keyring()
    try:
        keyring.set_keyring(keyring.backends.fail.Keyring())
        with pytest.raises(NoKeyring, match="there is no keyring on this machine"):
            open_keyring()
    finally:
        keyring.set_keyring(before)


def test_a_secret_does_not_show() -> None:
    secret = Secret(KEY)
    endpoint = Endpoint(host="h", base_url="https://h/v1", model="m", key=secret)
    assert all(KEY not in text for text in (repr(endpoint), str(secret), f"{secret}", f"{secret:>40}", f"{endpoint!r}"))
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError(endpoint)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
