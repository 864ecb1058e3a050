"""What differs from one run to the next by nature, and is no difference between two runs.

Folders, durations, moments, commit ids, addresses, process ids: each gives way to a placeholder, in the
recording and in what is compared with it. Only forms that are known to mean such a thing are touched,
since whatever is replaced can no longer be seen to differ.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

_TOKEN = "{{claw:"
"""Begins a placeholder in what must be put back. The same text in the original is written `{{claw:open}}`."""

_STYLES = ((", ", ": "), (",", ":"))
"""The two ways to set JSON that models use; a changed text keeps to its own."""

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
_ZONE = r"(?: ?(?:Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b))?"
_HASH = r"[0-9a-f]{7,40}\b"

# Applied in this order: a date holds a time, a time-stamp in a log line stands beside a duration.
_RULES: tuple[tuple[str, str], ...] = (
    (r"(?<![^\s\"'`])[^\s\"'`]*/\d{8}-\d{6}-[0-9a-f]{4}/blobs/[0-9a-f]{64}", "{blob}"),
    (r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "{session}"),
    (r"\{tmp\}/(?:tmp|claw-|pytest-of-)[\w.-]+(?:/pytest-\d+)?", "{tmp}/{name}"),
    # moments
    (rf"\b\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?{_ZONE}", "{time}"),
    (rf"\b{_DAY},? (?:{_MONTH} +\d{{1,2}}|\d{{1,2}} {_MONTH} \d{{4}}) {_CLOCK}(?: \d{{4}})?{_ZONE}", "{time}"),
    (rf"\b{_MONTH} +\d{{1,2}} +(?:\d\d:\d\d\b|\d{{4}}\b)", "{time}"),
    (rf"\b{_CLOCK}\b", "{time}"),
    (r"\b\d+ (?:second|minute|hour|day|week|month|year)s? ago\b", "{ago}"),
    # durations: `0m0.012s`, `0.03s`, `12 ms`, `in 2 seconds`
    (r"(?<![\w.])(?:\d+h ?)?\d+m ?\d+(?:\.\d+)?s\b", "{duration}"),
    (r"(?<![\w.])\d+\.\d+ ?(?:s|secs?|seconds?|m|mins?|minutes?)\b", "{duration}"),
    (r"(?<![\w.])\d+(?:\.\d+)? ?(?:ms|msecs?|milliseconds?|us|µs|μs|ns)\b", "{duration}"),
    (r"(?i)\b(in|after|took|time:|duration:?|elapsed:?|for) \d+ ?(?:s|secs?|seconds?)\b", r"\1 {duration}"),
    # object ids, where git prints them
    (rf"(?m)^([*|\\/ ]*)\^?{_HASH}(?=[ \n]|$)", r"\1{commit}"),
    (rf"\b(commit|tree|parent|object|Merge:|Updating|at|from|to) {_HASH}(?: {_HASH})?", r"\1 {commit}"),
    (rf"(?<![\w.]){_HASH}\.{{2,3}}{_HASH}", "{commit}..{commit}"),
    (rf"\[([^\[\]\n]+) {_HASH}\]", r"[\1 {commit}]"),
    (r"(?<![\w])[0-9a-f]{40}(?![\w])", "{commit}"),
    # addresses and process ids
    (r"\b(at) 0x[0-9a-fA-F]+\b", r"\1 {address}"),
    (r"\b0x[0-9a-fA-F]{9,16}\b", "{address}"),
    (r"(?i)\b(pid|process(?: id)?)([ :=]{1,2}|\()\d+\b", r"\1\2{pid}"),
    (r"(?m)^(\[\d+\][+-]?) +\d+$", r"\1 {pid}"),
    (r"==\d+==", "=={pid}=="),
    # what test runners fill a line with depends on how long the duration beside it is
    (r"(?m)^([=_-])\1{3,150} ([^\n]{1,200}\{duration\}[^\n]{0,100}) \1{3,150}$", r"\1\1\1\1 \2 \1\1\1\1"),
)


class Normaliser:
    """Knows the folders of this run. `home` is the user's, `tmp` where temporary files go.

    A folder is also known by its real path. The file system's root is never replaced.
    """

    def __init__(self, cwd: Path, home: Path | None = None, tmp: Path | None = None) -> None:
        self._cwd = str(cwd)
        self._named = {"{tmp}": tmp, "{home}": home, "{cwd}": cwd}  # where two are one folder, the last name counts

    @cached_property
    def _names(self) -> dict[str, str]:
        """Every form of every folder, with its placeholder."""
        return {form: name for name, path in self._named.items() if path for form in _forms(path)}

    @cached_property
    def _folders(self) -> re.Pattern[str]:
        return _path_pattern(self._names)

    @cached_property
    def _cwd_or_token(self) -> re.Pattern[str]:
        return _path_pattern(_forms(Path(self._cwd)), also=re.escape(_TOKEN))

    @cached_property
    def _rules(self) -> list[tuple[re.Pattern[str], str]]:
        """Compiled when first needed: most runs neither record nor replay."""
        return [(re.compile(pattern), placeholder) for pattern, placeholder in _RULES]

    def normalise(self, text: str) -> str:
        """`text` with a placeholder for each thing that differs by nature."""
        text = self._folders.sub(lambda found: self._names[found[0]], text)
        for pattern, placeholder in self._rules:
            text = pattern.sub(placeholder, text)
        return text

    def take_cwd_out(self, text: str) -> str:
        """`text` without the working folder in it; `put_cwd_in` is the inverse, in this folder or another."""
        return self._cwd_or_token.sub(
            lambda found: _TOKEN + ("open}}" if found[0] == _TOKEN else "cwd}}"),
            text,
        )

    def put_cwd_in(self, text: str) -> str:
        return re.sub(r"\{\{claw:(cwd|open)\}\}", lambda found: self._cwd if found[1] == "cwd" else _TOKEN, text)

    def take_cwd_out_of_json(self, text: str) -> str:
        """The same within the strings of a JSON text. Where it holds no such folder it stays byte for byte."""
        return _map_json(text, self.take_cwd_out)

    def put_cwd_into_json(self, text: str) -> str:
        return _map_json(text, self.put_cwd_in) if _TOKEN in text else text


def _forms(path: Path) -> list[str]:
    """The path as given and as the system resolves it, unless it is the root."""
    forms = dict.fromkeys([os.path.abspath(path), os.path.realpath(path)])
    return [form for form in forms if len(form) > 1]


def _path_pattern(forms: Iterable[str], also: str = "") -> re.Pattern[str]:
    """Finds whole paths and what lies below them; `/src/app2` does not lie below `/src/app`.

    The longest goes first: the working folder may lie in the home, and the home in `tmp`.
    """
    longest_first = sorted(forms, key=len, reverse=True)
    paths = "|".join(map(re.escape, longest_first))
    whole = rf"(?<![\w.-])(?:{paths})(?![\w-]|\.\w)" if paths else ""
    return re.compile("|".join(filter(None, [also, whole])) or r"(?!)")


def _map_json(text: str, change: Callable[[str], str]) -> str:
    """`text` with `change` applied to every string value in it; to the text itself where it is no JSON."""
    try:
        before = json.loads(text)
    except (ValueError, RecursionError):
        return change(text)
    after = _map_strings(before, change)
    if after == before:
        return text
    separators = next((each for each in _STYLES if _dump(before, each) == text), None)
    return _dump(after, separators)


def _dump(value: Any, separators: tuple[str, str] | None) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=separators)
    # Half a surrogate pair can be kept in JSON only as an escape.
    return text if _is_encodable(text) else json.dumps(value, separators=separators)


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _map_strings(item, change) for key, item in value.items()}
    return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
