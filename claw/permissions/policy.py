"""The gate by mode: what may run without asking.

| mode        | reads | edits inside the roots | commands | edits elsewhere |
|---          |---    |---                     |---       |---              |
| `read-only` | yes   | no                     | no       | no              |
| `ask`       | yes   | after asking           | after asking | after asking |
| `auto-edit` | yes   | yes                    | yes      | no              |
| `full-auto` | yes   | yes                    | yes      | yes             |

Where nobody can be asked, "after asking" is no. What runs code or steers claw itself (`.git`, `.claw`)
is no ordinary file: the file tools may not write there in any mode but `full-auto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from claw.permissions.base import Verdict
from claw.tooling.base import Access, Effect

MODES = ("read-only", "ask", "auto-edit", "full-auto")
PROTECTED_FOLDERS = frozenset({".git", ".claw"})
# The git tool writes `.git` through git itself, with hooks switched off.
_MAY_WRITE_GIT = "git"
_ALLOWED = Verdict(True)


class ModeGate:
    """*Shapes*: `roots` are canonical folders; `mode` is one of `MODES`."""

    def __init__(self, mode: str, roots: Sequence[Path]) -> None:
        self._mode = mode
        self._roots = tuple(roots)

    def judge(self, tool: str, access: Access) -> Verdict:
        if access.effect in (Effect.NONE, Effect.READ) or self._mode == "full-auto":
            return _ALLOWED
        if self._mode == "read-only":
            return Verdict(False, f"the mode is read-only, and {tool} would change something")
        if self._mode == "ask":
            return Verdict(False, f"the mode is ask, {tool} needs permission, and nobody is here to give it")
        if access.effect is Effect.EXECUTE or tool == _MAY_WRITE_GIT:
            return _ALLOWED
        for path in sorted(access.writes):
            if not any(path.is_relative_to(root) for root in self._roots):
                roots = ", ".join(map(str, self._roots))
                return Verdict(False, f"{path} lies outside the folders that may be written: {roots}")
            if protected := PROTECTED_FOLDERS.intersection(part.casefold() for part in path.parts):
                return Verdict(False, f"{path} lies in a protected folder ({', '.join(sorted(protected))})")
        return _ALLOWED
