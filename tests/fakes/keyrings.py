"""A keyring as claw sees it."""

from __future__ import annotations

from claw.providers.keys import NoKeyring


class FakeKeyring:
    """Holds keys in memory; `broken` answers everything with that reason."""

    def __init__(self, broken: str = "") -> None:
        self.keys: dict[tuple[str, str], str] = {}
        self.n_opened = 0
        self._broken = broken

    def __call__(self) -> FakeKeyring:
        self.n_opened += 1
        if self._broken:
            raise NoKeyring(self._broken)
        return self

    def get_password(self, service: str, username: str) -> str | None:
        return self.keys.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.keys[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.keys[service, username]
