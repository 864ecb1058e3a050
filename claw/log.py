"""Where bugs go. claw has no other log of its own: the session's events are the log of a run."""

from __future__ import annotations

import sys
import traceback


def report_bug(bug: BaseException) -> None:
    """Print the traceback to stderr: a bug is shown as one, never swallowed."""
    print("claw: this is a bug in claw; please report it with the lines below.", file=sys.stderr)
    traceback.print_exception(bug, file=sys.stderr)
