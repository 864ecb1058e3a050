"""A key that does not leak by being printed."""

from __future__ import annotations

from typing import NoReturn

from claw.errors import UsageError


class Secret:
    """Holds a key; only `reveal` gives it out.

    Printing, formatting and the traceback of a struct that holds it show dots; it cannot be pickled,
    copied into JSON or compared by chance.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def hide(self, text: str) -> str:
        """`text` without the key: some hosts repeat it in their error messages."""
        return text.replace(self._value, "…") if self._value else text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


def checked_key(key: str, place: str) -> Secret:
    """*Errors*: UsageError, which does not repeat the key."""
    key = key.strip()
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise UsageError(f"the key in {place} has characters that no key has: spaces, quotes or line ends?")
    return Secret(key)
