"""The rules that answers added for good, in a file of claw's own: never in the repository that they are about."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from claw.errors import UsageError
from claw.paths import Home
from claw.permissions.private_toml import PrivateToml, table
from claw.permissions.rules import RuleBook

_HEAD = "# What you allowed for good when claw asked. Take a table out to be asked again.\n"
SCOPES = ("project", "user")


class _Allowed(Struct, frozen=True, forbid_unknown_fields=True):
    """`workspace` is its canonical path; empty: everywhere."""

    rule: str
    workspace: str = ""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    allow: tuple[_Allowed, ...] = ()


class RuleStore:
    """The remembered rules of one workspace, and those of the user. Two processes may write at the same time."""

    def __init__(self, home: Home, workspace: Path) -> None:
        self.file = home.config / "approvals.toml"
        self._toml = PrivateToml(self.file, _File, _HEAD)
        self._workspace = str(workspace.resolve())

    def recall(self, book: RuleBook) -> list[str]:
        """Put what counts here into `book`; what cannot be used is left out, and said in the answer."""
        try:
            allowed = self._toml.read().allow
        except UsageError as error:
            return [str(error)]
        problems = []
        for each in allowed:
            if each.workspace in ("", self._workspace):
                try:
                    book.remember(each.rule)
                except UsageError as error:
                    problems.append(f"{self.file}: {error}")
        return problems

    def add(self, rule: str, scope: str) -> None:
        """*Shapes*: `scope` is `project` or `user`. *Errors*: UsageError; then the file is as it was."""
        if scope not in SCOPES:
            raise ValueError(scope)
        new = _Allowed(rule, self._workspace if scope == "project" else "")
        with self._toml.changing():
            allowed = self._toml.read().allow
            if new not in allowed:
                self._toml.write("".join(map(_as_toml, (*allowed, new))))


def _as_toml(allowed: _Allowed) -> str:
    values = {"rule": allowed.rule, "workspace": allowed.workspace}
    return table("allow", {name: value for name, value in values.items() if value})
