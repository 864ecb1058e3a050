"""Secrets in text: found whole, in pieces and in other forms; and nothing else taken for one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from claw.protocol.events import ReplyFinished, ToolFinished, UnknownEvent
from claw.protocol.messages import AssistantMessage, Image, Text, ToolCall
from claw.redact import MARK_PREFIX, Redactor, secret_values
from claw.secret_patterns import PATTERNS

KEY = "sk-Qm4tZ8yKp2LxW7vNc3RbTd6HgJ9sFa1E"
ODD = 'pa"ss wörd\\9é'
KNOWN = Redactor([KEY, ODD])
SHAPES = Redactor()

# Every key here was made up; each is put together so that no scanner of this repository takes it for a real one.
BODY = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3Ab4Cd5"
PEM = "\n".join(["-----BEGIN RSA PRIVATE " + "KEY-----", BODY + BODY[:18], BODY + BODY[:18], "Ab1=",
                 "-----END RSA PRIVATE KEY-----"])  # fmt: skip
JWT = ".".join(["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9"])
SHAPED = {
    "api-key": [KEY, "sk-" + "proj-" + BODY, "sk-" + "ant-api03-" + BODY, "gsk_" + BODY],
    "github-token": ["ghp_" + BODY[:36], "ghs_" + BODY[:36], "github_pat_" + BODY[:22] + "_" + BODY],
    "gitlab-token": ["glpat-" + BODY[:20]],
    "aws-key-id": ["AKIA" + "QWERTYUIOP234567", "ASIA" + "QWERTYUIOP234567"],
    "slack-token": ["xoxb-" + "1234567890-abcdefABCDEF", "xapp-" + "1-A0123456789-abc"],
    "stripe-key": ["sk_live_" + BODY[:24], "rk_live_" + BODY[:24]],
    "google-key": ["AIza" + BODY[:35]],
    "npm-token": ["npm_" + BODY[:36]],
    "pypi-token": ["pypi-AgE" + "IcHlwaS5vcmc" + BODY],
    "huggingface-token": ["hf_" + BODY[:34]],
    "jwt": [JWT],
    "private-key": [PEM, PEM.replace("\n", "\\n"), PEM.replace("RSA PRIVATE KEY", "PRIVATE KEY")],
}  # fmt: skip
ALL = [(kind, key) for kind, keys in SHAPED.items() for key in keys]


@pytest.mark.parametrize(("kind", "key"), ALL, ids=lambda each: str(each)[:14])
@pytest.mark.parametrize(
    "frame", ["{}", "x = {} # y", '"{}"', "a={}&b", "\\n{}\\n", "%3D{}", "\\u003d{}", "\x1b[31m{}\x1b[0m"]
)
def test_keys_are_known_by_their_shape(kind: str, key: str, frame: str) -> None:
    assert SHAPES.text(frame.format(key)) == frame.format(f"[redacted:{kind}]")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://joe:s3cr3t-word@github.com/a/b", "https://joe:[redacted:password]@github.com/a/b"),
        ("Authorization: Bearer 9f-words-and-9", "Authorization: Bearer [redacted:authorization]"),
        ('{"authorization":"bearer abcdefgh1234"}', '{"authorization":"bearer [redacted:authorization]"}'),
        ("authorization: Basic am9lOnNlY3JldA==", "authorization: Basic [redacted:authorization]"),
        (f'DB_PASSWORD="{BODY}"', 'DB_PASSWORD="[redacted:token]"'),
        (f"export CLOUDFLARE_API_TOKEN={BODY}", "export CLOUDFLARE_API_TOKEN=[redacted:token]"),
        (f'{{\\"apiKey\\": \\"{BODY}\\"}}', '{\\"apiKey\\": \\"[redacted:token]\\"}'),
        (f"os.environ['MY_API_KEY'] = '{BODY}'", "os.environ['MY_API_KEY'] = '[redacted:token]'"),
        ("aws_secret_access_key = " + "wJalrXUtnFEM/K75bPxR" * 2, "aws_secret_access_key = [redacted:aws-secret]"),
        ("secret: " + "0123456789abcdef" * 2, "secret: [redacted:token]"),
    ],
)  # fmt: skip
def test_what_is_named_a_secret_is_one_where_it_looks_like_one(text: str, redacted: str) -> None:
    assert SHAPES.text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "token: 123e4567-e89b-12d3-a456-426614174000",
        '"integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+Sfa=="',
        '"js-tokens": {"integrity": "sha512-RdJUflcE3cUzKiMqQgsCu06FPu9UdIJO0beYbPhHN4k6apgJtifcoCtT9bcx=="}',
        "risk-analysis-of-the-first-kind-2 task-0123456789abcdef",
        "<div class='sk-fading-circle12 sk-circle-container'>",
        "password = getpass()", "token = request.headers['x']", "n_tokens: int = 0", "password=hunter2hunter",
        "https://user:password@localhost/", "http://{user}:{password}@host", "https://example.com:8080/a@b",
        "Authorization: Bearer YOUR_TOKEN_2", "Authorization: Basic authentication", 'f"Bearer {key}"',
        '"-----BEGIN PRIVATE KEY-----" + body + "-----END PRIVATE KEY-----"', "api_key = settings.moonshot_key_2",
        "npm_config_registry=https://registry.npmjs.org/", "hf_hub_download(repo)", "AKIA is a prefix",
        "keyboard: dvorak",
    ],
)  # fmt: skip
def test_ordinary_text_stays(text: str) -> None:
    assert SHAPES.text(text) is text


def test_the_source_of_claw_itself_stays() -> None:
    root = Path(__file__).parent.parent
    for path in (*root.glob("claw/**/*.py"), *root.glob("tools/*")):
        if path.is_file() and "project" not in path.parts:
            text = path.read_text("utf-8")
            assert SHAPES.text(text) is text, path


def test_pictures_stay() -> None:
    picture = base64.b64encode(b"".join(n.to_bytes(4, "big") * 3 for n in range(0, 2**32, 104_729 * 3)))
    assert SHAPES.data(picture) is picture


@pytest.mark.parametrize("secret", [KEY, ODD])
def test_known_values_are_found_in_the_forms_they_travel_in(secret: str) -> None:
    raw = secret.encode()
    forms = [
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret))[1:-1],
        quote(secret),
        quote(secret, safe=""),
    ]
    forms += [raw.hex(), raw.hex().upper(), secret.encode("utf-8").decode("latin-1")]
    for before in (b"", b"k", b"k=", b"key="):
        forms += [
            base64.b64encode(before + raw + b"x").decode(),
            base64.urlsafe_b64encode(before + raw + b"?").decode(),
        ]
    for form in forms:
        redacted = KNOWN.text(f"<{form}>")
        assert "[redacted:secret]" in redacted
        longest = max(
            (form[i : i + n] for n in range(6) for i in range(len(form)) if form[i : i + n] in redacted), key=len
        )
        assert len(longest) < 6, form


def test_a_key_that_was_cut_off_is_none_the_less_one() -> None:
    head = "\n".join(PEM.splitlines()[:-2])
    assert (
        SHAPES.text(f"{head}\n[… 900 characters left out …]") == "[redacted:private-key]\n[… 900 characters left out …]"
    )
    assert SHAPES.text(head[:-7]) == "[redacted:private-key]"


def test_bytes_stay_bytes() -> None:
    around = bytes(range(256))
    assert KNOWN.data(around + ODD.encode() + around) == around + b"[redacted:secret]" + around
    assert KNOWN.data(around) is around


def test_values_of_any_shape() -> None:
    call = ToolCall("c", "bash", json.dumps({"command": f"echo {KEY}"}))
    reply = ReplyFinished(message=AssistantMessage("", f"so {KEY}", (call,)), finish_reason="stop", seq=3, ts=1.0)
    redacted = KNOWN.value(reply)
    assert redacted.message.reasoning == "so [redacted:secret]"
    assert redacted.message.tool_calls == (ToolCall("c", "bash", '{"command": "echo [redacted:secret]"}'),)
    assert (redacted.seq, redacted.ts) == (3, 1.0)
    assert KEY in reply.message.tool_calls[0].arguments
    clean = ToolFinished(call_id="a", name="b", content=(Text("hello"), Image("data:image/png;base64,AAAA")))
    assert KNOWN.value(clean) is clean
    assert KNOWN.value(UnknownEvent(raw=f'{{"a":"{KEY}"}}'.encode())).raw == b'{"a":"[redacted:secret]"}'
    nested = {"a": [1, (None, KEY)], "api_key": BODY, KEY: {KEY}}
    mark = "[redacted:secret]"
    assert KNOWN.value(nested) == {"a": [1, (None, mark)], "api_key": "[redacted:token]", mark: {mark}}


def test_variables_that_hold_secrets() -> None:
    environ = {
        "MY_API_KEY": "k" * 9,
        "GITHUB_TOKEN": "t" * 9,
        "DATABASE_URL": "pg://u:p@h/d",
        "DB_PASS": "correct horse",
    }
    others = {"SSH_AUTH_SOCK": "/tmp/ssh/agent.1", "KEY_ID": "short", "HOME": "/home/joe",
              "MAX_TOKENS": "4096000000",
              "AUTH_URL": "https://login.example.org/", "TOKEN_CHECK": "disabled", "PATH": "/usr/bin:/bin"}  # fmt: skip
    assert secret_values({**others, **environ}) == list(environ.values())


SECRETS = [
    KEY,
    ODD,
    *(key for _, key in ALL),
    f'password = "{BODY}"',
    "https://joe:s3cr3t-word@h/",
    "Bearer abcdefgh12345",
]
NEAR = [
    "sk-",
    "-----BEGIN ",
    "://",
    "password",
    " = ",
    "AKIA",
    "eyJ",
    "key",
    '"',
    "\n",
    "\\n",
    "ghp_",
    BODY,
    "abc",
    KEY[:9],
]
planted = st.lists(st.sampled_from([*SECRETS, *NEAR]) | st.text(max_size=6), max_size=8).map("".join)


def pieces(text: str, sizes: list[int]) -> list[str]:
    found, at = [], 0
    for size in [*sizes, len(text)]:
        found.append(text[at : at + size])
        at += size
    return found


@settings(deadline=None)
@given(planted, st.lists(st.integers(0, 40), max_size=60))
@example(PEM + KEY + "AKIA", [1] * 400)
@example("Bearer " + JWT + " " + "sk-" * 30, [3] * 200)
def test_a_stream_says_what_the_whole_says(text: str, sizes: list[int]) -> None:
    stream = KNOWN.stream()
    assert "".join([*map(stream.feed, pieces(text, sizes)), stream.end()]) == KNOWN.text(text)


@settings(deadline=None)
@given(planted)
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = KNOWN.text(text)
    assert KNOWN.text(once) == once
    assert KEY not in once
    assert ODD not in once


@settings(deadline=None)
@given(st.lists(st.sampled_from([*SECRETS, "word ", "\n"]), max_size=5), st.integers(1, 5))
def test_no_piece_of_a_stream_holds_a_secret(words: list[str], size: int) -> None:
    text, stream, seen = " ".join(words), KNOWN.stream(), ""
    for at in range(0, len(text), size):
        seen += stream.feed(text[at : at + size])
        for secret in (KEY, ODD, BODY):
            assert secret[:12] not in seen
    seen += stream.end()
    assert (stream.n_found == 0) == (MARK_PREFIX not in seen)


@pytest.mark.parametrize("text", ["hello world, a task is done", "def feed(self, text: str) -> str:\n    return x\n"])
def test_ordinary_text_is_hardly_held_back(text: str) -> None:
    stream = KNOWN.stream()
    for at in range(len(text)):
        stream.feed(text[at])
        assert len(stream._pending) <= 5


def test_a_key_block_without_an_end_is_not_waited_for_without_end() -> None:
    stream, head = SHAPES.stream(), PEM.splitlines()[0]
    fed = [head, *["\n" + BODY] * 2_000]
    out = [stream.feed(piece) for piece in fed]
    assert max(len(piece) for piece in pieces("".join(fed), [])) > 90_000
    assert "".join(out).startswith("[redacted:private-key]")
    assert "".join([*out, stream.end()]) == SHAPES.text("".join(fed))


def test_every_pattern_knows_its_own_beginnings() -> None:
    for pattern in PATTERNS:
        assert all(trigger == trigger.lower() for trigger in pattern.triggers) or not pattern.folded
