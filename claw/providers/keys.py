"""Keys that are kept for claw outside the environment: in a keyring, in a file, or by a program that prints them.

Nothing of it is imported or opened by a run whose key is in the environment.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from claw.errors import UsageError
from claw.paths import make_private_folder
from claw.printable import one_line
from claw.providers.secret import Secret, checked_key
from claw.redact import Redactor

SERVICE = "claw"
COMMAND_TIMEOUT_S = 30.0
_IN_KEYRING = "the keyring"
_MAX_FILE_BYTES = 1 << 20


class Keyring(Protocol):
    """What is used of a back-end of the `keyring` package. A key is kept for a host's name."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


class NoKeyring(Exception):
    """There is none that works here; the text says why."""


class FoundKey(NamedTuple):
    """`place` is where it is, for messages: a variable, `the keyring`, a file, a command."""

    key: Secret
    place: str


def open_keyring() -> Keyring:
    """The user's keyring. *Errors*: NoKeyring. *Cost*: about 0.1 s, for the import."""
    try:
        import keyring
        from keyring.backends import fail, null
    except ImportError:
        raise NoKeyring("the keyring package is not installed") from None
    try:
        backend = keyring.get_keyring()
    except _keyring_errors() as error:
        raise NoKeyring(f"the keyring cannot be opened: {one_line(str(error), 200)}") from None
    if isinstance(backend, fail.Keyring | null.Keyring):
        raise NoKeyring("there is no keyring on this machine that can be used")
    return _Guarded(backend)


class KeyStore:
    """The keys that `claw login` keeps: in the keyring where there is one, else in `<config>/credentials.json`.

    The file also tells which keys are in the keyring, so that hosts that need no key never wait for one.
    `problems` are sentences, for `claw doctor`, on what was passed over.
    """

    def __init__(
        self,
        config: Path,
        keyring: Callable[[], Keyring] = open_keyring,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> None:
        self._folder = config
        self._command_timeout_s = command_timeout_s
        self.path = config / "credentials.json"
        self._open_keyring = keyring
        self.problems: list[str] = []

    def find(self, name: str, command: str | Sequence[str] = (), *, needed: bool = True) -> FoundKey | None:
        """The key of the host `name`: from the keyring, the file, or what `command` prints, in this order.

        `needed` False: the keyring is opened only if `claw login` put a key of this host there.

        *Errors*: UsageError for a file that others can read, a command that fails, a key that cannot be one.
        """
        content = self._read()
        if (needed or name in content["keyring"]) and (key := self._from_keyring(name)):
            return FoundKey(checked_key(key, _IN_KEYRING), _IN_KEYRING)
        if key := content["keys"].get(name, ""):
            return FoundKey(checked_key(key, str(self.path)), str(self.path))
        if command:
            return FoundKey(
                _from_command(name, command, self._folder, self._command_timeout_s),
                f"what key_command of {name} prints",
            )
        return None

    def values(self) -> list[str]:
        """The keys in the file, for whoever must keep them out of something; none where it cannot be read."""
        try:
            return list(self._read()["keys"].values())
        except UsageError:
            return []

    def keep(self, name: str, key: str) -> str:
        """Keep a key, instead of any other of the same host; returns where it is.

        *Errors*: UsageError for a key that cannot be one, or a file that cannot be written.
        """
        checked_key(key, "what was given")
        content = self._read()
        content["keys"].pop(name, None)
        content["keyring"] = [other for other in content["keyring"] if other != name]
        try:
            self._open_keyring().set_password(SERVICE, name, key)
        except NoKeyring as reason:
            self.problems.append(str(reason))
            content["keys"][name] = key
            self._write(content)
            return str(self.path)
        content["keyring"].append(name)
        self._write(content)
        return _IN_KEYRING

    def forget(self, name: str) -> list[str]:
        """Remove a host's key wherever it is kept; returns where it was. *Errors*: UsageError."""
        content, places = self._read(), []
        try:
            keyring = self._open_keyring()
            if keyring.get_password(SERVICE, name) is not None:
                keyring.delete_password(SERVICE, name)
                places.append(_IN_KEYRING)
        except NoKeyring as reason:
            self.problems.append(str(reason))
            if name in content["keyring"]:
                raise UsageError(f"the key of {name} is in the keyring, which is out of reach: {reason}") from None
        if content["keys"].pop(name, None) is not None:
            places.append(str(self.path))
        if places or name in content["keyring"]:
            content["keyring"] = [other for other in content["keyring"] if other != name]
            self._write(content)
        return places

    def _from_keyring(self, name: str) -> str:
        try:
            return self._open_keyring().get_password(SERVICE, name) or ""
        except NoKeyring as reason:
            self.problems.append(str(reason))
            return ""

    def _read(self) -> dict[str, Any]:
        """`{"keys": {name: key}, "keyring": [name]}`, empty where there is no file."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return {"keys": {}, "keyring": []}
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror}") from None
        with os.fdopen(fd, "rb") as file:
            self._check(os.fstat(fd))
            data = file.read(_MAX_FILE_BYTES)
        try:
            content = json.loads(data)
            keys, keyring = content.get("keys", {}), content.get("keyring", [])
            sound = all(isinstance(text, str) for text in (*keys, *keys.values(), *keyring))
        except (ValueError, AttributeError, TypeError, RecursionError):
            sound = False
        if not sound:  # what is in it is not repeated
            raise UsageError(f"{self.path} is damaged: remove it and run `claw login` again")
        return {"keys": dict(keys), "keyring": list(keyring)}

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{self.path} is no regular file")
        if status.st_uid != os.geteuid():
            raise UsageError(f"{self.path} belongs to another user, so no key is taken from it")
        if status.st_mode & 0o077:
            raise UsageError(f"{self.path} can be read by other users: run `chmod 600 {shlex.quote(str(self.path))}`")

    def _write(self, content: dict[str, Any]) -> None:
        """Under another name first, so that the file is never half there, nor ever readable by others."""
        temporary = self._folder / f".credentials-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            make_private_folder(self._folder)
            if self._folder.stat().st_mode & 0o077:
                self._folder.chmod(0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="ascii") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise UsageError(f"cannot write {self.path}: {error.strerror}") from None


def _from_command(name: str, command: str | Sequence[str], folder: Path, timeout_s: float) -> Secret:
    """What the user's own program prints. It is run without a shell, and not in the workspace.

    *Errors*: UsageError with what the program says on stderr, in which nothing of its output is left.
    """
    where = f"key_command of {name}"
    try:
        argv = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise UsageError(f"{where} cannot be read: {error}") from None
    if not argv:
        raise UsageError(f"{where} is empty")
    argv[0] = os.path.expanduser(argv[0])
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder if folder.is_dir() else "/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"{where} cannot be started: {getattr(error, 'strerror', None) or error}") from None
    with process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise UsageError(f"{where} did not end within {timeout_s:g} s") from None
        finally:
            _end_group(process.pid)  # what it left behind would keep the pipes open
    said = stdout.decode("utf-8", "replace")
    if process.returncode:
        complaint = Redactor(said.split()).text(stderr.decode("utf-8", "replace"))
        raise UsageError(f"{where} failed with {process.returncode}: {one_line(complaint, 300) or 'it says nothing'}")
    if not said.strip():
        raise UsageError(f"{where} printed nothing")
    return checked_key(said, f"what {where} prints")


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class _Guarded:
    """A back-end of the keyring package whose errors are all `NoKeyring`."""

    def __init__(self, backend: Keyring) -> None:
        self._backend = backend

    def get_password(self, service: str, username: str) -> str | None:
        try:
            return self._backend.get_password(service, username)
        except _keyring_errors() as error:
            raise NoKeyring(f"the keyring gives nothing out: {one_line(str(error), 200)}") from None

    def set_password(self, service: str, username: str, password: str) -> None:
        try:
            self._backend.set_password(service, username, password)
        except _keyring_errors() as error:
            raise NoKeyring(f"the keyring takes nothing: {one_line(str(error), 200)}") from None

    def delete_password(self, service: str, username: str) -> None:
        try:
            self._backend.delete_password(service, username)
        except _keyring_errors() as error:
            raise NoKeyring(f"the keyring keeps what it has: {one_line(str(error), 200)}") from None


def _keyring_errors() -> tuple[type[Exception], ...]:
    """Back-ends let the errors of their transport through: D-Bus, a socket, a locked file."""
    from keyring.errors import KeyringError

    return (KeyringError, ImportError, OSError, RuntimeError, ValueError, AttributeError)
