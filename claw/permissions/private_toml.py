"""A TOML file of claw's own that only the user may write: read with care, replaced in one step."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from claw.errors import UsageError
from claw.paths import make_private_folder

T = TypeVar("T")


class PrivateToml(Generic[T]):
    """*Shapes*: the file decodes to `type`; `head` is the comment at its top. Two processes may write at once."""

    def __init__(self, path: Path, type: type[T], head: str) -> None:
        self.path = path
        self._type = type
        self._head = head

    def read(self) -> T:
        """An empty one where there is no file. *Errors*: UsageError if it cannot be read, or others can write it."""
        try:
            with open(self.path, "rb") as file:
                info = os.fstat(file.fileno())
                if info.st_uid not in (os.geteuid(), 0) or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    raise UsageError(f"{self.path} can be written by others. Check it, then: chmod 600 {self.path}")
                return msgspec.toml.decode(file.read(), type=self._type)
        except FileNotFoundError:
            return self._type()
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror}") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise UsageError(f"{self.path}: {error}") from None

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """One writer at a time: read and `write` within. *Errors*: UsageError."""
        import fcntl

        try:
            make_private_folder(self.path.parent)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise UsageError(f"cannot write {self.path}: {error.strerror}") from None

    def write(self, body: str) -> None:
        """*Errors*: OSError; then the file is as it was."""
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.stem}-")  # 0600
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(self._head + body)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise


def table(name: str, values: dict[str, Any]) -> str:
    """One entry of an array of tables. *Shapes*: values are strings and whole numbers."""
    lines = [f"{key} = {quoted(value) if isinstance(value, str) else value}" for key, value in values.items()]
    return "\n".join([f"\n[[{name}]]", *lines, ""])


def quoted(text: str) -> str:
    """*Source*: TOML 1.0, basic strings. *Errors*: UsageError for what is no text."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(f"{text!r} cannot be kept: it is no UTF-8")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
