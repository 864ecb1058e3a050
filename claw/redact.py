"""Keeps secrets out of whatever is kept, shown or sent: known values in the forms they travel in, and patterns.

What is found becomes `[redacted:KIND]`. The patterns stand in `claw.secret_patterns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from claw.secret_patterns import (
    ANY_TRIGGER,
    BOUNDARY,
    BY_TRIGGER,
    LONG_LIMIT_CHARS,
    SHORT_LIMIT_CHARS,
    beginnings,
    is_token,
)  # fmt: skip

MARK_PREFIX = "[redacted:"
MIN_CHARS = 8
"""A known value that is shorter is left alone: it would be found in the middle of words."""

_CONTEXT_CHARS = 8  # how far `BOUNDARY` looks back
_KNOWN = "secret"

_BEGINNINGS = beginnings(bounded=True)
_BEGINNINGS_ANYWHERE = beginnings(bounded=False)
_LONGEST_TRIGGER = max(map(len, BY_TRIGGER))
_FOLDED_TRIGGERS = tuple(trigger for trigger, patterns in BY_TRIGGER.items() if patterns[0].folded)
_EXACT_TRIGGERS = tuple(trigger for trigger, patterns in BY_TRIGGER.items() if not patterns[0].folded)
_LONG_TRIGGERS = tuple(t.lower() for t, patterns in BY_TRIGGER.items() if patterns[0].limit_chars > SHORT_LIMIT_CHARS)

_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSW", "PASSPHRASE", "CREDENTIAL", "AUTH")
_SECRET_ENDINGS = ("_PASS", "_PAT", "_PWD", "_DSN", "DATABASE_URL", "REDIS_URL", "AMQP_URL")
_SWITCHES = frozenset({"disabled", "required", "optional", "automatic", "unlimited", "localhost", "basic auth"})

T = TypeVar("T")


class _Span(NamedTuple):
    """`origin` is where the match begins that the secret is found by: at its name, perhaps."""

    start: int
    end: int
    kind: str
    origin: int


def secret_values(environ: Mapping[str, str]) -> list[str]:
    """The values of `environ` that are secrets by the names of their variables.

    Paths, numbers, switches and addresses without a password are none, whatever the name.
    """
    return [value for name, value in environ.items() if _is_secret_name(name) and _may_be_secret(value.strip())]


def _is_secret_name(name: str) -> bool:
    upper = name.upper()
    return any(word in upper for word in _SECRET_NAMES) or upper.endswith(_SECRET_ENDINGS)


def _may_be_secret(value: str) -> bool:
    if len(value) < MIN_CHARS or value.isdigit() or value.lower() in _SWITCHES:
        return False
    if value.startswith(("/", "~/", "./", "../")) or value[1:3] == ":\\":
        return is_token(value.strip("/"))  # base64 may begin so too
    return "://" not in value or "@" in value


class Redactor:
    """Finds secrets: `values`, also when they are encoded, and what has the shape of a key.

    What has no secret in it is returned as the very same object. Redacting twice changes nothing more.

    *Cost*: about 20 ms a megabyte where nothing is found, and a tenth of that more for each value.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms(value.strip())}
        self._literals = tuple(sorted(forms))
        self._starts = frozenset(literal[:n] for literal in self._literals for n in range(1, MIN_CHARS))
        self._beginnings = _BEGINNINGS | _BEGINNINGS_ANYWHERE | {_fold(start) for start in self._starts}
        self._compiled: dict[str, re.Pattern[str]] = {}

    def text(self, text: str) -> str:
        if len(text) < MIN_CHARS or not (spans := self._spans(text, 0)):
            return text
        return _marked(text, 0, len(text), spans)

    def data(self, data: bytes) -> bytes:
        """Text in UTF-8, or anything else: all but the secrets in it stays byte for byte."""
        text = data.decode("latin-1")
        redacted = self.text(text)
        return data if redacted is text else redacted.encode("latin-1")

    def value(self, value: T) -> T:
        """Everything in it: structs, tuples, lists and dictionaries, to any depth."""
        return cast(T, self._walk(value))

    def stream(self) -> StreamRedactor:
        """For text that comes in pieces."""
        return StreamRedactor(self)

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.data(value)
        if isinstance(value, msgspec.Struct):
            fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
            changed = {name: new for name, old in fields if (new := self._walk(old)) is not old}
            return msgspec.structs.replace(value, **changed) if changed else value
        if isinstance(value, tuple | list | set | frozenset):
            items = [self._walk(item) for item in value]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        if isinstance(value, dict):
            pairs = [(self._walk(key), self._entry(key, item)) for key, item in value.items()]
            same = all(a is c and b is d for (a, b), (c, d) in zip(pairs, value.items(), strict=True))
            return value if same else dict(pairs)
        return value

    def _entry(self, key: Any, item: Any) -> Any:
        """In a dictionary the name of a secret and its value are apart."""
        if isinstance(key, str) and isinstance(item, str) and _is_secret_name(key) and is_token(item):
            return f"{MARK_PREFIX}token]"
        return self._walk(item)

    def _spans(self, text: str, start: int, after_mark: bool = False) -> Sequence[_Span]:
        """What is secret from `start` on, in order, without overlap. `after_mark`: a secret ended just there."""
        found = [*self._known(text, start), *self._shaped(text, start, after_mark)]
        if not found:
            return ()
        spans = _merge(found)
        while True:  # what follows a secret directly begins a word once that is a mark
            more = [each for span in spans for each in self._shaped_after(text, span.end)]
            wider = _merge([*spans, *more])
            if wider == spans:
                return spans
            spans = wider

    def _known(self, text: str, start: int) -> Iterator[_Span]:
        for literal in self._literals:
            at = text.find(literal, start)
            while at >= 0:
                yield _Span(at, at + len(literal), _KNOWN, at)
                at = text.find(literal, at + 1)

    def _shaped(self, text: str, start: int, after_mark: bool) -> Iterator[_Span]:
        for place, triggers in ((text, _EXACT_TRIGGERS), (_fold(text), _FOLDED_TRIGGERS)):
            for trigger in triggers:
                at = place.find(trigger, start)
                while at >= 0:
                    yield from self._shaped_at(text, at, trigger, after_mark and at == start)
                    at = place.find(trigger, at + 1)

    def _shaped_at(self, text: str, at: int, trigger: str, starts_word: bool) -> Iterator[_Span]:
        for pattern in BY_TRIGGER[trigger]:
            if starts_word or not pattern.bounded or self._starts_word(text, at):
                found = self._regex(pattern.whole).match(text, at)
                if found and (not pattern.check or pattern.check(found)):
                    start, end = found.span(found.lastindex or 0)
                    yield _Span(start, min(end, at + pattern.limit_chars), pattern.kind, at)

    def _shaped_after(self, text: str, at: int) -> Iterator[_Span]:
        """A word that begins at `at` because a secret ends there."""
        head = text[at : at + _LONGEST_TRIGGER]
        for head_form, triggers in ((head, _EXACT_TRIGGERS), (_fold(head), _FOLDED_TRIGGERS)):
            if head_form.startswith(triggers):
                for trigger in triggers:
                    if head_form.startswith(trigger):
                        yield from self._shaped_at(text, at, trigger, True)

    def _open_from(self, text: str, start: int, ends: Sequence[int]) -> int:
        """Where the first thing begins that more text could make a secret, or a longer one; else the end.

        `ends` are where secrets ended: a word begins there, whatever stood before.
        """
        end = len(text)
        window = max(start, end - SHORT_LIMIT_CHARS)
        folded = _fold(text)
        cut = self._open_known(text, start, end) if end - start >= MIN_CHARS else end
        for at in range(max(start, end - _LONGEST_TRIGGER + 1), cut):
            tail = folded[at:]
            if tail in self._beginnings and self._may_begin(text, at, tail, ends):
                cut = at
                break
        triggers, at = self._regex(ANY_TRIGGER), window
        while (found := triggers.search(folded, at)) and (at := found.start()) < cut:
            if self._is_open(text, folded, at, ends):
                cut = at
            at += 1
        return min(cut, self._open_long(text, folded, start, window, ends)) if window > start else cut

    def _may_begin(self, text: str, at: int, tail: str, ends: Sequence[int]) -> bool:
        if tail in _BEGINNINGS_ANYWHERE or text[at:] in self._starts:
            return True
        return tail in _BEGINNINGS and (at in ends or self._starts_word(text, at))

    def _is_open(self, text: str, folded: str, at: int, ends: Sequence[int]) -> bool:
        for trigger, patterns in BY_TRIGGER.items():
            if folded.startswith(trigger.lower(), at):
                for pattern in patterns:
                    within = len(text) - at <= pattern.limit_chars
                    bounded = pattern.bounded and at not in ends and not self._starts_word(text, at)
                    if within and not bounded and self._regex(pattern.opening).match(text, at):
                        return True
        return False

    def _open_known(self, text: str, start: int, end: int) -> int:
        cut = end
        for literal in self._literals:
            at = text.find(literal[:MIN_CHARS], max(start, end - len(literal) + 1))
            while at >= 0 and not literal.startswith(text[at:]):
                at = text.find(literal[:MIN_CHARS], at + 1)
            cut = min(cut, at) if at >= 0 else cut
        return cut

    def _open_long(self, text: str, folded: str, start: int, end: int, ends: Sequence[int]) -> int:
        """The same for what may be longer than `SHORT_LIMIT_CHARS`, and begins before `end`."""
        cut, window = len(text), max(start, len(text) - LONG_LIMIT_CHARS)
        for trigger in _LONG_TRIGGERS:
            at = folded.find(trigger, window, end + len(trigger))
            while 0 <= at < cut:
                if self._is_open(text, folded, at, ends):
                    cut = at
                at = folded.find(trigger, at + 1, end + len(trigger))
        return cut

    def _starts_word(self, text: str, at: int) -> bool:
        before = text[max(0, at - _CONTEXT_CHARS) : at]
        return self._regex(BOUNDARY).match(before, len(before)) is not None

    def _regex(self, source: str) -> re.Pattern[str]:
        """Compiled when it is first needed: most runs meet few of them, and none before the first request."""
        regex = self._compiled.get(source)
        if regex is None:
            regex = self._compiled[source] = re.compile(source)
        return regex


class StreamRedactor:
    """Redacts text that comes in pieces, however it is cut: what comes out is what `Redactor.text` makes of the whole.

    Only what may be the beginning of a secret waits for the next piece. `n_found` counts the marks.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._context = ""
        self._after_mark = False
        self._pending = ""
        self.n_found = 0

    def feed(self, text: str) -> str:
        """As much as is certain by now."""
        whole, start = self._context + self._pending + text, len(self._context)
        spans: Sequence[_Span] = ()
        if len(whole) - start >= MIN_CHARS:
            spans = self._redactor._spans(whole, start, self._after_mark)
        ends = [span.end for span in spans]
        if self._after_mark:
            ends.append(start)
        cut = self._redactor._open_from(whole, start, ends)
        while torn := [span.origin for span in spans if span.origin < cut < span.end]:
            cut = min(torn)
        return self._release(whole, start, cut, spans)

    def end(self) -> str:
        """The rest. The stream may be used again afterwards, for another text."""
        whole, start = self._context + self._pending, len(self._context)
        rest = self._release(whole, start, len(whole), self._redactor._spans(whole, start, self._after_mark))
        self._context, self._after_mark = "", False
        return rest

    def _release(self, whole: str, start: int, cut: int, spans: Sequence[_Span]) -> str:
        self._pending = whole[cut:]
        if cut == start:
            return ""
        final = [span for span in spans if span.end <= cut]
        self._after_mark = bool(final) and final[-1].end == cut
        self._context = whole[max(0, cut - _CONTEXT_CHARS) : cut]
        self.n_found += len(final)
        return _marked(whole, start, cut, final) if final else whole[start:cut]


def _marked(text: str, start: int, end: int, spans: Sequence[_Span]) -> str:
    parts, at = [], start
    for span in spans:
        parts += [text[at : span.start], f"{MARK_PREFIX}{span.kind}]"]
        at = span.end
    return "".join([*parts, text[at:end]])


def _merge(spans: Sequence[_Span]) -> list[_Span]:
    """In order, those that overlap as one, of the kind of the first."""
    merged: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = last._replace(end=max(last.end, span.end), origin=min(last.origin, span.origin))
        elif span.end > span.start:
            merged.append(span)
    return merged


def _fold(text: str) -> str:
    """In lower case, and of the same length."""
    return text.lower() if text.isascii() else text.replace("\u0130", "I").lower()


def _forms(value: str) -> Iterator[str]:
    """`value` as it may stand in output: plain, escaped, percent-encoded, in hexadecimal, in base64 at any offset."""
    if len(value) < MIN_CHARS:
        return
    import base64
    import json
    from urllib.parse import quote, quote_plus

    raw = value.encode("utf-8", "surrogateescape")
    escaped = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    yield from (value, raw.decode("latin-1"), *escaped, *(json.dumps(each)[1:-1] for each in escaped))
    yield from (quote(raw, safe=""), quote(raw), quote_plus(raw), raw.hex(), raw.hex().upper())
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset, n_shared in enumerate((0, 2, 3)):  # characters that the bytes before have a part in
            encoded = encode(bytes(offset) + raw).decode()[n_shared : (offset + len(raw)) * 8 // 6]
            if len(encoded) >= MIN_CHARS:
                yield encoded
    for line in value.splitlines():  # of a key that is printed with an indent, or in part
        if len(line.strip()) >= 40 and line.strip() != value and is_token(line.strip()):
            yield line.strip()
