from __future__ import annotations

from pathlib import Path

import pytest

from claw.permissions.policy import MODES, ModeGate
from claw.tooling.base import Access, Effect

ROOT = Path("/srv/repo")
READ = Access(Effect.READ, reads=frozenset({Path("/etc/hosts")}))
EDIT = Access(Effect.WRITE, writes=frozenset({ROOT / "src/a.py"}))
EDIT_ELSEWHERE = Access(Effect.WRITE, writes=frozenset({Path("/srv/repo-evil/a.py")}))
EDIT_HOOK = Access(Effect.WRITE, writes=frozenset({ROOT / ".GIT/hooks/pre-commit"}))
COMMAND = Access(Effect.EXECUTE, reads_all=True, command="make")
COMMIT = Access(Effect.WRITE, writes=frozenset({ROOT / ".git"}), reads_all=True)

TABLE = {
    #               read   edit   elsewhere  hook   command commit
    "read-only": (True, False, False, False, False, False),
    "ask": (True, False, False, False, False, False),
    "auto-edit": (True, True, False, False, True, True),
    "full-auto": (True, True, True, True, True, True),
}


@pytest.mark.parametrize("mode", MODES)
def test_the_table_of_modes(mode: str) -> None:
    gate = ModeGate(mode, [ROOT])
    calls = [("read", READ), ("edit", EDIT), ("edit", EDIT_ELSEWHERE), ("edit", EDIT_HOOK), ("bash", COMMAND),
             ("git", COMMIT)]  # fmt: skip
    assert tuple(gate.judge(tool, access).allowed for tool, access in calls) == TABLE[mode]


def test_the_reason_names_path_and_roots() -> None:
    verdict = ModeGate("auto-edit", [ROOT]).judge("edit", EDIT_ELSEWHERE)
    assert verdict.reason == "/srv/repo-evil/a.py lies outside the folders that may be written: /srv/repo"


def test_one_bad_path_denies_the_whole_call() -> None:
    both = Access(Effect.WRITE, writes=EDIT.writes | EDIT_ELSEWHERE.writes)
    assert not ModeGate("auto-edit", [ROOT]).judge("patch", both).allowed
