"""The mode of a gate can change while a session is open, but not what its sandbox was made for."""

from __future__ import annotations

from pathlib import Path

import pytest

from claw.config import Rules
from claw.errors import UsageError
from claw.permissions.base import Decision
from claw.permissions.policy import PolicyGate
from claw.permissions.rules import RuleBook
from claw.tooling.base import Access, Effect
from claw.tooling.boundary import Boundary


def gate(mode: str, cwd: Path) -> PolicyGate:
    boundary = Boundary(roots=(cwd,), read_only=mode == "read-only")
    return PolicyGate(mode, boundary, RuleBook(Rules(), cwd), confined=True, cwd=cwd)


def test_calls_are_judged_by_the_new_mode(tmp_path: Path) -> None:
    edit = Access(Effect.WRITE, writes=frozenset({tmp_path / "a"}))
    judging = gate("ask", tmp_path)
    assert judging.judge("edit", edit).decision is Decision.ASK
    judging.set_mode("auto-edit")
    assert judging.judge("edit", edit).decision is Decision.ALLOW
    judging.set_mode("ask")
    assert judging.judge("edit", edit).decision is Decision.ASK


@pytest.mark.parametrize(("old", "new"), [("ask", "read-only"), ("read-only", "full-auto"), ("ask", "yolo")])
def test_what_cannot_change(tmp_path: Path, old: str, new: str) -> None:
    judging = gate(old, tmp_path)
    with pytest.raises(UsageError):
        judging.set_mode(new)
    assert (
        judging.judge("edit", Access(Effect.WRITE, writes=frozenset({tmp_path / "a"}))).decision is not Decision.ALLOW
    )
