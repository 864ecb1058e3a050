"""The rules that answers added for good, in a file of claw's own: never in the repository that they are about."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from claw.errors import UsageError
from claw.paths import Home, make_private_folder
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
        self._workspace = str(workspace.resolve())

    def recall(self, book: RuleBook) -> list[str]:
        """Put what counts here into `book`; what cannot be used is left out, and said in the answer."""
        try:
            allowed = self._read()
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
        with self._changing():
            allowed = self._read()
            if new not in allowed:
                self._write((*allowed, new))

    def _read(self) -> tuple[_Allowed, ...]:
        try:
            with open(self.file, "rb") as file:
                info = os.fstat(file.fileno())
                if info.st_uid not in (os.geteuid(), 0) or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    raise UsageError(f"{self.file} can be written by others. Check it, then: chmod 600 {self.file}")
                return msgspec.toml.decode(file.read(), type=_File).allow
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UsageError(f"cannot read {self.file}: {error.strerror}") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise UsageError(f"{self.file}: {error}") from None

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """One writer at a time. *Errors*: UsageError."""
        import fcntl

        try:
            make_private_folder(self.file.parent)
            lock = os.open(self.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise UsageError(f"cannot write {self.file}: {error.strerror}") from None

    def _write(self, allowed: Iterable[_Allowed]) -> None:
        text = _HEAD + "".join(map(_as_toml, allowed))
        descriptor, name = tempfile.mkstemp(dir=self.file.parent, prefix=".approvals-")  # 0600
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, self.file)
        except BaseException:
            os.unlink(name)
            raise


def _as_toml(allowed: _Allowed) -> str:
    lines = ["\n[[allow]]", f"rule = {_quoted(allowed.rule)}"]
    if allowed.workspace:
        lines.append(f"workspace = {_quoted(allowed.workspace)}")
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """*Source*: TOML 1.0, basic strings. *Errors*: UsageError for what is no text."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(f"{text!r} cannot be kept: it is no UTF-8")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
