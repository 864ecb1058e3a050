"""What keys look like: each pattern as what it matches whole, and as what may still become a match.

A pattern is put together of pieces that know both, so that a stream can tell a tail that is the beginning
of a key from one that is not. Lengths are bounded: a run that is longer than any key is not waited for.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import NamedTuple

SHORT_LIMIT_CHARS = 512
LONG_LIMIT_CHARS = 16_384

# Regular expressions stay strings until they are used: compiling them all would cost every start some 10 ms.
BOUNDARY = (
    r"(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})|(?<=[0-9;]m)"
)
"""Where a word begins, also behind an escape: `\\n` and `\\u003d` of JSON, `%3D` of a URL, `[31m` of a terminal."""


class Piece(NamedTuple):
    """`whole` matches the piece; `opening` any beginning of it, even an empty one, at the end of the text."""

    whole: str
    opening: str


class Pattern(NamedTuple):
    """`triggers` are how every match begins; it is lower case, and matched so, where `folded`.

    `bounded`: only where a word begins. What is secret is the last group of `whole`, or all of it; `check`
    has the last word. No match is longer than `limit_chars`.
    """

    kind: str
    triggers: tuple[str, ...]
    whole: str
    opening: str
    limit_chars: int = SHORT_LIMIT_CHARS
    bounded: bool = True
    folded: bool = False
    check: Callable[[re.Match[str]], bool] | None = None


def _word(text: str) -> Piece:
    opening = r"\Z"
    for character in reversed(text):
        opening = rf"(?:{re.escape(character)}{opening}|\Z)"
    return Piece(re.escape(text), opening)


def _run(of: str, least: int, most: int) -> Piece:
    return Piece(f"{of}{{{least},{most}}}", rf"{of}{{0,{most}}}\Z")


def _either(*words: str) -> Piece:
    pieces = [_word(word) for word in words]
    return Piece(f"(?:{'|'.join(p.whole for p in pieces)})", f"(?:{'|'.join(p.opening for p in pieces)})")


def _maybe(piece: Piece) -> Piece:
    return Piece(f"(?:{piece.whole})?", piece.opening)


def _secret(piece: Piece) -> Piece:
    return Piece(f"({piece.whole})", piece.opening)


def _row(*pieces: Piece) -> Piece:
    opening = pieces[-1].opening
    for piece in reversed(pieces[:-1]):
        opening = f"(?:{piece.opening}|{piece.whole}{opening})"
    return Piece("".join(piece.whole for piece in pieces), opening)


_HEX = r"[0-9a-f]{32,}|[0-9A-F]{32,}"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_HASH = r"(?i:md5|sha\d{1,3})[-:=]"
_EDGE = r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)"
_SAMPLE = r"(?i:your|example|placeholder|x{4}|\*{3}|changeme|dummy|<|\{|\$)"


def is_token(text: str) -> bool:
    """Whether `text` can only be a key: letters and digits in no order that words, names or versions have."""
    if len(text) < 16 or " " in text or re.match(_HASH, text) or re.fullmatch(_UUID, text):
        return False
    if re.fullmatch(_HEX, text):
        return True
    n_digits = sum(map(str.isdigit, text))
    return n_digits >= 3 and len(set(text)) >= 10 and len(re.findall(_EDGE, text)) >= 4 and not re.search(_SAMPLE, text)


def _is_random(found: re.Match[str]) -> bool:
    """A run of letters with digits among them that no name has, or many digits."""
    runs = re.findall(r"[A-Za-z0-9]+", found[0].partition("-")[2] or found[0].rpartition("_")[2])
    long_ones = (run for run in runs if len(run) >= 16)
    return sum(map(str.isdigit, found[0])) >= 6 or any(re.search(r"\d", run) for run in long_ones)


def _has_digit(found: re.Match[str]) -> bool:
    return re.search(r"\d", found[0]) is not None


def _is_value(found: re.Match[str]) -> bool:
    return is_token(found[1])


def _is_bearer(found: re.Match[str]) -> bool:
    value = found[1]
    return (re.search(r"\d", value) is not None or len(value) >= 24) and not re.search(_SAMPLE, value)


def _is_basic(found: re.Match[str]) -> bool:
    """Whether it says `user:password` in base64."""
    try:
        return b":" in base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return False


_NO_PASSWORDS = frozenset(
    {"password", "passwd", "pass", "passw0rd", "pw", "pwd", "secret", "token", "user", "username", "admin", "root",
     "postgres", "guest", "test", "testing", "hunter2", "changeme", "example", "foo", "bar", "key", "apikey", "api_key"}
)  # fmt: skip


def _is_password(found: re.Match[str]) -> bool:
    user, password = found[1], found[2]
    placeholder = password.lower() in _NO_PASSWORDS or password == user or set(password) <= set("*x.X")
    return len(password) >= 4 and not placeholder and not re.search(_SAMPLE, password)


def _is_key_block(found: re.Match[str]) -> bool:
    body = found[0].partition("-----\n")[2] or found[0][27:]
    return len(found[0]) <= LONG_LIMIT_CHARS and re.search(r"[A-Za-z0-9+/=]{16}", body) is not None


def _is_open_block(found: re.Match[str]) -> bool:
    return re.search(r"[A-Za-z0-9+/=]{16}", found[0]) is not None


def _token(
    kind: str, triggers: tuple[str, ...], *rest: Piece, check: Callable[[re.Match[str]], bool] | None = None
) -> Pattern:
    return Pattern(kind, triggers, *_row(_either(*triggers), *rest), check=check)


def _folded(kind: str, triggers: tuple[str, ...], *row: Piece, check: Callable[[re.Match[str]], bool]) -> Pattern:
    whole, opening = _row(*row, _secret(_run(_VALUE, 16, 255)))
    return Pattern(kind, triggers, f"(?i:{whole})", f"(?i:{opening})", bounded=False, folded=True, check=check)


_ALNUM, _NAME, _VALUE = "[A-Za-z0-9]", "[A-Za-z0-9_-]", "[A-Za-z0-9_+/=.~-]"
_QUOTES = _run(r"[\\\"'`]", 0, 3)
_BRACKET = Piece(r"(?:(?<=[\"'`])\])?", r"(?:(?<=[\"'`])\])?\Z")  # of environ["KEY"], but not of a mark

_TOKENS = (
    _token("api-key", ("sk-",), _run(_NAME, 20, 400), check=_is_random),
    _token("github-token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _run(_ALNUM, 30, 255), check=_has_digit),
    _token("github-token", ("github_pat_",), _run("[A-Za-z0-9_]", 40, 255), check=_has_digit),
    _token("gitlab-token", ("glpat-", "glrt-"), _run(_NAME, 20, 100), check=_has_digit),
    _token("aws-key-id", ("AKIA", "ASIA"), _run("[A-Z2-7]", 16, 16), check=_has_digit),
    _token("slack-token", ("xox",), _run("[abeoprs]", 1, 1), _run("[.-]", 1, 1), _run("[A-Za-z0-9.-]", 10, 255),
           check=_has_digit),
    _token("slack-token", ("xapp-",), _run("[A-Za-z0-9-]", 10, 255), check=_has_digit),
    _token("stripe-key", ("sk_live_", "sk_test_", "rk_live_", "whsec_"), _run(_ALNUM, 16, 255), check=_has_digit),
    _token("google-key", ("AIza",), _run(_NAME, 35, 35), check=_has_digit),
    _token("google-key", ("ya29.", "GOCSPX-"), _run(_NAME, 20, 400), check=_has_digit),
    _token("npm-token", ("npm_",), _run(_ALNUM, 30, 100), check=_has_digit),
    _token("pypi-token", ("pypi-AgE",), _run(_NAME, 30, 400)),
    _token("huggingface-token", ("hf_",), _run(_ALNUM, 30, 100)),
    _token("api-key", ("gsk_", "fw_", "dop_v1_"), _run(_ALNUM, 20, 255), check=_is_random),
)  # fmt: skip

_url = _row(
    *(_word("://"), _secret(_run(r"[^\s/@:\"'<>\[\]{}\\`]", 0, 100)), _word(":")),
    *(_secret(_run(r"[^\s/@\"'<>\[\]{}\\`]", 1, 255)), _word("@")),
)
_ASSIGN = (_QUOTES, _BRACKET, _run(r"\s", 0, 4), _run("[:=]", 1, 2), _run(">", 0, 1), _run(r"\s", 0, 4), _QUOTES)
_KEYWORDS = ("passw", "passphrase", "pwd", "secret", "token", "credential", "authorization")
_OWNERS = "|".join(rf"(?<={owner})|(?<={owner}[_-])" for owner in ("api", "access", "account", "private"))
_AWS = _row(
    *(_word("secret"), _run("[_-]", 0, 1), _word("access"), _run("[_-]", 0, 1), _word("key"), *_ASSIGN),
    _secret(_run("[A-Za-z0-9+/]", 40, 40)),
)
_bearer = _row(_word("bearer"), _run(r"[ ]", 1, 2), _secret(_run(_VALUE, 8, 4096)))
_basic = _row(_word("basic"), _run(r"[ ]", 1, 2), _secret(_run("[A-Za-z0-9+/=]", 8, 1024)))
_jwt = _row(
    *(_word("eyJ"), _run(_NAME, 8, 4096), _word(".eyJ"), _run(_NAME, 4, 8192), _word("."), _run(_NAME, 10, 1024)),
)
_BODY = r"(?:[A-Za-z0-9+/=\s\\\"',:;.()]++|-(?!-))*+"
_block = _row(
    *(_word("-----BEGIN "), _run("[A-Z0-9 ]", 0, 60), _word("PRIVATE KEY"), _maybe(_word(" BLOCK")), _word("-----")),
    *(Piece(_BODY, rf"{_BODY}\Z"), _word("-----END "), _run("[A-Z0-9 ]", 0, 60), _word("PRIVATE KEY")),
    *(_maybe(_word(" BLOCK")), _word("-----")),
)
_GAP = r"(?:\s|\\[nrt]|[\"',+\\;()])"
_open_block = Piece(
    r"-----BEGIN [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:{_GAP}{{1,12}}[A-Z][A-Za-z-]{{2,20}}: [^\r\n\\]{{0,90}})*+(?:{_GAP}{{1,12}}[A-Za-z0-9+/=]{{16,}}+)++"
    rf"(?:{_GAP}{{1,12}}[A-Za-z0-9+/=]{{0,15}}\s*\Z)?",
    _block.opening,
)
"""The beginning of a key whose end is not there: the rest was cut off."""

PATTERNS: tuple[Pattern, ...] = (
    *_TOKENS,
    Pattern("password", ("://",), *_url, bounded=False, check=_is_password),
    Pattern("aws-secret", ("secret",), f"(?i:{_AWS.whole})", f"(?i:{_AWS.opening})", bounded=False, folded=True),
    _folded("token", _KEYWORDS, _either(*_KEYWORDS), _run(_NAME, 0, 32), *_ASSIGN, check=_is_value),
    _folded("token", ("key",), Piece(f"(?:{_OWNERS})key", f"(?:{_OWNERS})key"), _run(_NAME, 0, 32), *_ASSIGN,
            check=_is_value),
    Pattern("authorization", ("bearer ",), f"(?i:{_bearer.whole})", f"(?i:{_bearer.opening})", LONG_LIMIT_CHARS,
            folded=True, check=_is_bearer),
    Pattern("authorization", ("basic ",), f"(?i:{_basic.whole})", f"(?i:{_basic.opening})", LONG_LIMIT_CHARS,
            folded=True, check=_is_basic),
    Pattern("jwt", ("eyJ",), *_jwt, LONG_LIMIT_CHARS),
    Pattern("private-key", ("-----BEGIN ",), *_block, LONG_LIMIT_CHARS, bounded=False, check=_is_key_block),
    Pattern("private-key", ("-----BEGIN ",), *_open_block, LONG_LIMIT_CHARS, bounded=False, check=_is_open_block),
)  # fmt: skip


def _by_trigger() -> dict[str, list[Pattern]]:
    table: dict[str, list[Pattern]] = {}
    for pattern in PATTERNS:
        for trigger in pattern.triggers:
            table.setdefault(trigger, []).append(pattern)
    return table


BY_TRIGGER: dict[str, list[Pattern]] = _by_trigger()
ANY_TRIGGER = f"(?={'|'.join(re.escape(trigger.lower()) for trigger in BY_TRIGGER)})"
"""Matches, in lower case, wherever a trigger stands."""


def beginnings(*, bounded: bool) -> frozenset[str]:
    """In lower case, everything short of a whole trigger that a match may begin with."""
    triggers = [trigger.lower() for pattern in PATTERNS if pattern.bounded is bounded for trigger in pattern.triggers]
    return frozenset(trigger[:n] for trigger in triggers for n in range(1, len(trigger)))
