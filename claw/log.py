"""Where bugs go. claw has no other log of its own: the session's events are the log of a run."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from claw.printable import printable


def report_bug(bug: BaseException, redact: Callable[[str], str] | None = None) -> None:
    """Print the traceback to stderr: a bug is shown as one, never swallowed.

    `redact` is `Redactor.text` of the session; without it what has the shape of a key is still kept out.
    """
    if redact is None:
        from claw.redact import Redactor

        redact = Redactor().text
    print("claw: this is a bug in claw; please report it with the lines below.", file=sys.stderr)
    print(printable(redact("".join(traceback.format_exception(bug)))), end="", file=sys.stderr)
