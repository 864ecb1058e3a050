from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from claw.printable import one_line, printable, printable_json


def test_escapes_are_shown_not_executed() -> None:
    assert printable("a\x1b]0;title\x07b\x9b1m\rc") == "a\\x1b]0;title\\x07b\\x9b1m\\x0dc"
    assert printable("ab\u202egnp.exe\u200b") == "ab\\u202egnp.exe\\u200b"
    assert printable("tag \U000e0041") == "tag \\U000e0041"


def test_ordinary_text_stays() -> None:
    text = "naïve\n\tdéjà vu – 日本語 👍"
    assert printable(text) == text


def test_what_hides_is_shown() -> None:
    assert printable("a\ud800b\udc80") == "a\\ud800b\\udc80"
    assert printable("x\ufe01\U000e0101\u00ad\u3164\u180e") == "x\\ufe01\\U000e0101\\xad\\u3164\\u180e"
    assert printable("\u2764\ufe0f") == "\u2764\ufe0f"


@given(st.recursive(st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_means_the_same_afterwards(value: object) -> None:
    line = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    safe = printable_json(line)
    assert json.loads(safe) == value
    assert printable(safe.decode()) == safe.decode()


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    safe = printable(text)
    assert not [c for c in safe if unicodedata.category(c) in ("Cc", "Zl", "Zp") and c not in "\n\t"]
    assert not [c for c in safe if c in "\u200b\u200e\u200f\u202a\u202e\u2066\u2069\ufeff"]


@given(st.text(), st.integers(5, 80))
def test_one_line_fits(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert "\n" not in line
