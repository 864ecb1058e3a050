"""The model's side of `claw demo`, written by hand: how the three defects of `project/` are repaired.

A replay stops at the first difference in what the tools return, so nothing here depends on the Python
version (tracebacks and the long names of tests are filtered out), on the clock, or on who wrote a file first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claw.protocol.messages import AssistantMessage, ToolCall

PROMPT = (
    "Some tests of this package fail. Find out why, repair the code, not the tests, and show that all of them pass."
)

SHOW_FAILURES = "python3 -m unittest 2>&1 | grep -E '^(ERROR|FAIL|[A-Za-z]+Error|Ran|OK)' | sed 's/ (tests\\..*//'"
RUN_TESTS = "python3 -m unittest"
TRY_THE_README = (
    'file="$(mktemp -d)/tally.csv" && python3 -m tally --file "$file" add 1h30m acme "login form" --day 2026-03-02'
    ' && python3 -m tally --file "$file" add 2h acme --day 2026-03-03'
    ' && python3 -m tally --file "$file" invoice acme --rate 80'
)

PATCH = '''\
*** Begin Patch
*** Update File: tally/durations.py
@@
-_WRITTEN = re.compile(r"(?:(?P<hours>\\d+)h)?(?P<minutes>\\d+)m")
+_WRITTEN = re.compile(r"(?=\\d)(?:(?P<hours>\\d+)h)?(?:(?P<minutes>\\d+)m)?")
 _CLOCK = re.compile(r"(?P<hours>\\d+):(?P<minutes>[0-5]\\d)")
@@
+def is_duration(text):
+    """Whether `text` is written as a duration."""
+    return bool(_WRITTEN.fullmatch(text) or _CLOCK.fullmatch(text))
+
+
 def parse_duration(text):
-    """Minutes in `45m`, `1h30m` or `1:30`.
+    """Minutes in `45m`, `1h30m`, `2h` or `1:30`.
@@
-    minutes = 60 * int(match["hours"] or 0) + int(match["minutes"])
+    minutes = 60 * int(match["hours"] or 0) + int(match["minutes"] or 0)
*** Update File: tally/quick.py
@@
-import re
-
-from tally.durations import parse_duration
+from tally.durations import is_duration, parse_duration
 from tally.entry import Entry
-
-_DURATION = re.compile(r"(\\d+h)?\\d+m|\\d+:[0-5]\\d")
@@
-    at = next((i for i, word in enumerate(words[:2]) if _DURATION.fullmatch(word)), None)
+    at = next((i for i, word in enumerate(words[:2]) if is_duration(word)), None)
*** End Patch
'''

_STEPS = (
    "Run the tests, see what fails",
    "Entry.client: use the field's present name",
    "round_up: leave full quarters alone",
    "Durations: read whole hours",
    "Run all tests, look over the diff",
)
_CLIENT = {"old": "entry.client == project", "new": "entry.project == project"}
_ROUND_UP = (
    {"old": '"""The next multiple of `step`."""', "new": '"""`minutes`, or the next multiple of `step` above."""'},
    {"old": "return (minutes // step + 1) * step", "new": "return -(-minutes // step) * step"},
)


def script() -> list[AssistantMessage]:
    """The replies in order. The last calls no tool: it is the answer."""
    write = _Writer()
    return [
        write.reply(
            "Start from the failures. I filter the output down to names and errors; tracebacks can wait.",
            "I will run the tests first, and read what the package is meant to do.",
            ("todo", {"items": _plan(n_done=0)}),
            ("bash", {"command": SHOW_FAILURES}),
            ("read", {"path": "README.md"}),
        ),
        write.reply(
            "Three kinds of failure. `Entry` has no `client`: AttributeError in the report and the invoice. `2h` is "
            "not read as a duration, in two places with two messages. And 30 minutes are rounded to 45. I need the "
            "modules that share these: entry, durations, quick, and every user of `client`. On the rounding the "
            "README is clear: half an hour is billed as half an hour.",
            "Seven failures with what looks like three causes. I will read the modules involved.",
            ("grep", {"pattern": r"\bclient\b", "path": "tally", "glob": "*.py", "output_mode": "content"}),
            ("read", {"path": "tally/entry.py"}),
            ("read", {"path": "tally/durations.py"}),
            ("read", {"path": "tally/quick.py"}),
        ),
        write.reply(
            "`Entry.project` is the field's name; report.py and invoice.py still say `client`. I must read both "
            "before editing. For the rounding I want to see what the test expects of other steps.",
            "",
            ("read", {"path": "tally/report.py"}),
            ("read", {"path": "tally/invoice.py"}),
            ("grep", {"pattern": "round_up", "path": "tests/test_durations.py", "output_mode": "content"}),
        ),
        write.reply(
            "The first two causes are clear. `client` → `project` in both users. `minutes // step + 1` is one step too "
            "many for a full multiple; ceiling division is right, and the docstring should say what happens to a "
            "multiple.",
            "First cause: the field was renamed to `project`, and two modules were left behind. "
            "Second: `round_up` adds a step even to a full quarter, which the README rules out.",
            ("todo", {"items": _plan(n_done=1)}),
            ("edit", {"path": "tally/report.py", "edits": [_CLIENT]}),
            ("edit", {"path": "tally/invoice.py", "edits": [_CLIENT]}),
            ("edit", {"path": "tally/durations.py", "edits": list(_ROUND_UP)}),
        ),
        write.reply(
            "Check these before going on.",
            "",
            ("bash", {"command": SHOW_FAILURES}),
        ),
        write.reply(
            "As expected only the whole hours are left. The form of a duration is written down twice: `_WRITTEN` in "
            "durations.py and a copy in quick.py, and both demand minutes. AGENTS.md says that only durations.py knows "
            "how people write durations, so quick.py should ask it instead of keeping a copy. The lookahead keeps the "
            "empty string out, now that both parts are optional.",
            "Three failures left, all of them `2h`. The pattern stands in two files and both lack the case; "
            "I will give durations.py an `is_duration` and let quick.py use it.",
            ("todo", {"items": _plan(n_done=3)}),
            ("patch", {"patch": PATCH}),
        ),
        write.reply(
            "Now the whole suite, unfiltered, so that its exit status counts too.",
            "",
            ("bash", {"command": RUN_TESTS}),
            ("bash", {"command": TRY_THE_README}),
        ),
        write.reply(
            "Everything passes and the README's example prints what the README shows. One look at the diff for "
            "anything that does not belong.",
            "All tests pass. Let me look over the whole change.",
            ("git", {"action": "status"}),
            ("git", {"action": "diff"}),
            ("grep", {"pattern": r"\bclient\b|_DURATION", "path": "tally", "glob": "*.py", "output_mode": "content"}),
        ),
        write.reply(
            "Only the four files, no left-over of the old names.",
            "",
            ("todo", {"items": _plan(n_done=len(_STEPS))}),
        ),
        write.reply(
            None,
            "All tests pass now; seven failed before. There were three causes:\n\n"
            "1. `Entry.client` had been renamed to `project`, but `report.py` and `invoice.py` still used the old "
            "name. Both use `project` now.\n"
            "2. `round_up` added a step to durations that were full quarters already, so half an hour was billed as "
            "three quarters. It rounds with a ceiling now, and its docstring says so.\n"
            "3. Whole hours (`2h`) were not read. The form of a duration was written down twice, in `durations.py` and "
            "`quick.py`, and both lacked the case. `durations.py` reads it now, and `quick.py` asks "
            "`is_duration` instead of keeping a copy.\n\n"
            "The example of the README prints what the README says. No test was changed; nothing is committed.",
        ),
    ]


class _Writer:
    """Numbers the calls through the whole script, as Kimi does."""

    def __init__(self) -> None:
        self._n_calls = 0

    def reply(self, reasoning: str | None, content: str, *calls: tuple[str, dict[str, object]]) -> AssistantMessage:
        return AssistantMessage(content, reasoning, tuple(self._call(name, arguments) for name, arguments in calls))

    def _call(self, name: str, arguments: dict[str, object]) -> ToolCall:
        call = ToolCall(f"functions.{name}:{self._n_calls}", name, msgspec.json.encode(arguments).decode())
        self._n_calls += 1
        return call


def _plan(n_done: int) -> Sequence[dict[str, str]]:
    """The todo list with its first `n_done` steps done and the next one in progress."""
    states = ["done"] * n_done + ["in_progress"] + ["pending"] * len(_STEPS)
    return [{"text": text, "status": status} for text, status in zip(_STEPS, states, strict=False)]
