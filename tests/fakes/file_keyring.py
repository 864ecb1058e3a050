"""A back-end of the `keyring` package. To define it is to register it: import it only in another process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Named by `PYTHON_KEYRING_BACKEND`; keeps its keys in the file `FAKE_KEYRING`."""

    priority: ClassVar[Any] = 1

    def _read(self) -> dict[str, str]:
        path = Path(os.environ["FAKE_KEYRING"])
        keys: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return keys

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        Path(os.environ["FAKE_KEYRING"]).write_text(json.dumps({**self._read(), f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        keys = self._read()
        if keys.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("there is none")
        Path(os.environ["FAKE_KEYRING"]).write_text(json.dumps(keys))
