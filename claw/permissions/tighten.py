"""How the configuration of a project changes the settings of a run: to the stricter side, or not at all."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from claw.config import SANDBOX_USES, CommandLimits, Limits, Settings
from claw.errors import UsageError
from claw.permissions.policy import MODES
from claw.permissions.project import CONFIG_FILE
from claw.permissions.rules import parse_rule
from claw.printable import one_line
from claw.protocol.events import Notice

_MAX_RULES = 200
_ELSEWHERE = "set it in your own config.toml or by its flag"
_REFUSED = {
    "host": "a project may not choose where requests and the key are sent",
    "hosts": "a project may not choose where requests and the key are sent",
    "model": "a project may not choose what is paid for",
    "models": "a project may not choose what is paid for",
    "permissions.allow": "a project may not allow anything",
    "sandbox.env": "a project may not choose which variables commands see",
    "sandbox.hosts": "a project may not open the network",
}

T = TypeVar("T", bound=Struct)


def tighten(settings: Settings, values: Mapping[str, Any], *, runs: bool = False) -> tuple[Settings, list[Notice]]:
    """`settings` with what the project's `values` make stricter, and a notice for each key that is not obeyed.

    `verify` is obeyed only where the project's executable part `runs`, and no flag names another; `thinking`
    where no flag does. A permission rule that cannot be read is left out, and named.
    *Cost*: none; nothing is read.
    """
    tightening = _Tightening(settings, runs)
    for key, value in values.items():
        tightening.apply(key, value)
    return tightening.settings, tightening.notices


class _Tightening:
    def __init__(self, settings: Settings, runs: bool) -> None:
        self.settings = settings
        self.notices: list[Notice] = []
        self._runs = runs

    def apply(self, key: str, value: Any) -> None:
        match key:
            case "mode":
                self._order("mode", value, tuple(reversed(MODES)), self.settings.mode)
            case "thinking":
                self._thinking(value)
            case "verify":
                self._verify(value)
            case "permissions" | "limits" | "sandbox" if not isinstance(value, dict):
                self._refuse(key, "it must be a table")
            case "permissions":
                for name, rules in value.items():
                    self._permission(f"permissions.{name}", name, rules)
            case "limits":
                self._set(limits=self._lower(key, self.settings.limits, value, _LIMIT_TYPES))
            case "sandbox":
                for name, choice in value.items():
                    self._sandbox(f"sandbox.{name}", name, choice)
            case _:
                self._refuse(key, _REFUSED.get(key, "claw knows no such key here"))

    def _set(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    def _refuse(self, key: str, reason: str) -> None:
        self.notices.append(Notice(text=f"{CONFIG_FILE}: {one_line(key, 80)} is ignored: {reason}"))

    def _order(self, key: str, value: Any, loosest_first: tuple[str, ...], present: str) -> bool:
        """Whether `value` is stricter than what holds. *Shapes*: `key` is a field of `Settings`."""
        if value not in loosest_first:
            self._refuse(key, f"allowed are {', '.join(loosest_first)}")
        elif present not in loosest_first or loosest_first.index(value) > loosest_first.index(present):
            self._set(**{key: value})
            return True
        elif value != present:
            self._refuse(key, f"a project may only be stricter than {present!r}; {_ELSEWHERE}")
        return False

    def _thinking(self, value: Any) -> None:
        if not isinstance(value, bool):
            self._refuse("thinking", "it must be true or false")
        elif not self.settings.thinking_given:
            self._set(thinking=value)

    def _verify(self, value: Any) -> None:
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            self._refuse("verify", "it must be a command")
        elif self._runs and self.settings.verify is None:
            self._set(verify=value)

    def _permission(self, key: str, name: str, rules: Any) -> None:
        if name not in ("deny", "ask"):
            self._refuse(key, _REFUSED.get(key, "claw knows no such key here"))
        elif not _is_texts(rules):
            self._refuse(key, "it must be a list of rules")
        elif len(rules) > _MAX_RULES:
            self._refuse(key, f"more than {_MAX_RULES} rules")
        else:
            present = getattr(self.settings.rules, name)
            kept = tuple(rule for rule in rules if rule not in present and self._is_rule(key, rule))
            self._set(rules=replace(self.settings.rules, **{name: (*present, *kept)}))

    def _is_rule(self, key: str, rule: str) -> bool:
        try:
            parse_rule(rule)
        except UsageError as error:
            self._refuse(key, one_line(str(error), 300))
            return False
        return True

    def _lower(self, table: str, present: T, values: Mapping[str, Any], types: Mapping[str, type]) -> T:
        """`present` with every limit that `values` lower."""
        for name, value in values.items():
            key = f"{table}.{name}"
            if name not in types:
                self._refuse(key, "claw knows no such key here")
                continue
            number: Any = value
            kind: Any = types[name]
            if kind is float and type(value) is int and value.bit_length() < 64:
                number = float(value)
            if type(number) is not kind or not 0 < number < math.inf:
                self._refuse(key, f"it must be {'a whole' if kind is int else 'a'} number above 0")
                continue
            limit = getattr(present, name)
            if limit is None or number < limit:
                present = replace(present, **{name: number})
            elif number > limit:
                self._refuse(key, f"a project may only lower it, and it is {limit:g}; {_ELSEWHERE}")
        return present

    def _sandbox(self, key: str, name: str, value: Any) -> None:
        confine = self.settings.confine
        match name:
            case "use":
                if self._order_sandbox(key, value):
                    self._set(sandbox=value, confine=replace(confine, use=value))
            case "network":
                if value == "off":
                    self._set(network="off", network_hosts=(), confine=replace(confine, network="off", hosts=()))
                else:
                    self._refuse(key, "a project may only switch the network off")
            case "unix_sockets":
                if value is False:
                    self._set(confine=replace(confine, unix_sockets=False))
                else:
                    self._refuse(key, "a project may only switch them off")
            case "hide":
                self._hide(key, value)
            case "limits" if isinstance(value, dict):
                self._set(confine=replace(confine, limits=self._lower(key, confine.limits, value, _COMMAND_TYPES)))
            case "limits":
                self._refuse(key, "it must be a table")
            case _:
                self._refuse(key, _REFUSED.get(key, "claw knows no such key here"))

    def _order_sandbox(self, key: str, value: Any) -> bool:
        if value not in SANDBOX_USES[1:]:
            self._refuse(key, "a project may only say on or required")
            return False
        present = self.settings.sandbox
        return present not in SANDBOX_USES or SANDBOX_USES.index(value) > SANDBOX_USES.index(present)

    def _hide(self, key: str, value: Any) -> None:
        if not _is_texts(value) or len(value) > _MAX_RULES:
            self._refuse(key, f"it must be a list of at most {_MAX_RULES} paths")
            return
        cwd = self.settings.cwd
        for text in value:
            path = Path(os.path.normpath(cwd / text))
            if path == cwd or not path.is_relative_to(cwd):
                self._refuse(key, f"{one_line(text, 80)!r} is no path inside the project")
            elif str(path) not in self.settings.confine.hide:
                confine = self.settings.confine
                self._set(confine=replace(confine, hide=(*confine.hide, str(path))))


_LIMIT_TYPES = {"max_turns": int, "max_cost_usd": float, "max_tokens": int, "max_time_s": float}
_COMMAND_TYPES = dict.fromkeys(CommandLimits.__struct_fields__, int)
assert tuple(_LIMIT_TYPES) == Limits.__struct_fields__


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each and "\0" not in each for each in value)
