"""Bugs are shown, keys in them are not."""

from __future__ import annotations

import pytest

from claw.log import report_bug
from claw.redact import Redactor

KEY = "sk-Qm4tZ8yKp2LxW7vNc3RbTd6HgJ9sFa1E"


def bug() -> Exception:
    try:
        try:
            raise KeyError(KEY)
        except KeyError as cause:
            raise ValueError("my correct horse") from cause
    except ValueError as error:
        return error


def test_a_bug_is_shown_without_keys(capsys: pytest.CaptureFixture[str]) -> None:
    report_bug(bug())
    report_bug(bug(), Redactor(["correct horse"]).text)
    first, second = capsys.readouterr().err.split("claw: this is a bug in claw;")[1:]
    for text in (first, second):
        assert "KeyError: '[redacted:api-key]'" in text
        assert 'in bug\n    raise ValueError("my' in text.replace("            raise", "    raise")
    assert first.endswith("ValueError: my correct horse\n")
    assert second.endswith("ValueError: my [redacted:secret]\n")
