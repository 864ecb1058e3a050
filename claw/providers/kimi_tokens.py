"""Kimi K2's own way to write tool calls and thinking, as text: for hosts that let it through unparsed.

    <|tool_calls_section_begin|>
      <|tool_call_begin|>functions.NAME:INDEX<|tool_call_argument_begin|>{…}<|tool_call_end|> …
    <|tool_calls_section_end|>

without the blanks, after `<think>…</think>` and the answer. Read tolerantly: a section mark may be missing,
the name may lack `functions.`, and where only a counter is given the name is found by the arguments.

What the model writes may quote a stranger's file, so markers do not count in two places: in Markdown code,
where someone explains them, and within a JSON string, where they would smuggle in a call.

*Source*: the chat template of Kimi K2 (`tokenizer_config.json` of its checkpoints).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from claw.protocol.messages import ToolCall, ToolSpec

SECTION_BEGIN, SECTION_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
CALL_BEGIN, CALL_END = "<|tool_call_begin|>", "<|tool_call_end|>"
ARGUMENT_BEGIN = "<|tool_call_argument_begin|>"
THINK_BEGIN, THINK_END = "<think>", "</think>"

# The model now and then writes the section marks in the singular.
_MARKERS = (
    SECTION_BEGIN, SECTION_END, CALL_BEGIN, CALL_END, ARGUMENT_BEGIN,
    "<|tool_call_section_begin|>", "<|tool_call_section_end|>",
)  # fmt: skip
_STEM = "<|tool_call"  # what all markers begin with
_MARKER = re.compile("|".join(map(re.escape, _MARKERS)))
_ARGUMENT_TOKEN = re.compile(r'\\[\s\S]|"|' + _MARKER.pattern)
_END_OF_THINKING = re.compile("|".join(map(re.escape, (THINK_END, SECTION_BEGIN, _MARKERS[5], CALL_BEGIN))))
_HEAD = re.compile(r"\s{0,20}([^\s<>{}\"]{0,200})\s{0,20}")
_NATIVE_ID = re.compile(r"functions\.(.+):\d+", re.DOTALL)
BLANKS_LIMIT = 1000  # before `<think>`
_FENCES = ("```", "~~~")

State = Literal["text", "section", "head", "arguments"]


def render_calls(calls: Sequence[ToolCall]) -> str:
    """A section with `calls`, or nothing for none.

    An id that is not `functions.NAME:INDEX` gives way to one that counts from 0. Markers within the
    arguments are escaped as JSON escapes them, so that they are read back as what they were.
    """
    if not calls:
        return ""
    written = [
        f"{CALL_BEGIN}{_native_id(call, i)}{ARGUMENT_BEGIN}{_escaped(call.arguments)}{CALL_END}"
        for i, call in enumerate(calls)
    ]
    return f"{SECTION_BEGIN}{''.join(written)}{SECTION_END}"


def parse(text: str, tools: Sequence[ToolSpec] = ()) -> tuple[str, tuple[ToolCall, ...]]:
    """The text without its sections, and the calls in them. `tools` as in `ToolTextSplitter`."""
    splitter = ToolTextSplitter(tools)
    content = splitter.feed(text)
    rest, calls = splitter.finish()
    return content + rest, calls


class ToolTextSplitter:
    """Parts streamed text from the calls in it. However the text is cut, the outcome is the same.

    `tools` are those that were offered; they name a call that has only a counter. `n_dropped` counts the
    calls that were begun and are not among the recovered: cut off, or of a tool that cannot be told.
    Ids are the model's, made distinct where it gave one twice. Arguments are byte for byte what stood
    there, without the blanks around; they need not be JSON.

    *Cost*: linear in the text, whatever is in it.
    """

    def __init__(self, tools: Sequence[ToolSpec] = ()) -> None:
        self.n_dropped = 0
        self._tools = tools
        self._calls: list[ToolCall] = []
        self._ids: set[str] = set()
        self._state: State = "text"
        self._held = ""  # the end of what was fed, which may be the start of something
        self._code = _MarkdownCode()
        self._head = ""
        self._arguments: list[str] = []
        self._in_string = False

    def feed(self, text: str) -> str:
        """What of the text so far is safe to show and was not returned before."""
        if self._state == "text" and not self._held and "<" not in text:
            self._code.feed(text)
            return text
        data, self._held = self._held + text, ""
        shown: list[str] = []
        while data:
            match self._state:
                case "text":
                    data = self._read_text(data, shown)
                case "section":
                    data = self._read_section(data)
                case "head":
                    data = self._read_head(data)
                case "arguments":
                    data = self._read_arguments(data)
        return "".join(shown)

    def finish(self) -> tuple[str, tuple[ToolCall, ...]]:
        """The rest of the text, and all calls that are whole. A call that is cut off is none."""
        rest = ""
        if self._state in ("head", "arguments"):
            self.n_dropped += 1
        elif not self._held.startswith(_STEM):
            rest = self._held
        self._state, self._held = "text", ""
        return rest, tuple(self._calls)

    def _read_text(self, data: str, shown: list[str]) -> str:
        marker = _MARKER.search(data)
        if not marker:
            cut = len(data) - len(_start_of(_MARKERS, data))
            self._show(data[:cut], shown)
            self._held = data[cut:]
            return ""
        self._show(data[: marker.start()], shown)
        if self._code.inside:
            self._show(marker[0], shown)
        else:
            self._take(marker[0])
        return data[marker.end() :]

    def _read_section(self, data: str) -> str:
        """Between two markers of a section. Anything but blanks there is the answer going on."""
        data = data.lstrip()
        if marker := _MARKER.match(data):
            self._take(marker[0])
            return data[marker.end() :]
        if _start_of(_MARKERS, data) == data:
            self._held = data
            return ""
        self._state = "text"
        return data

    def _read_head(self, data: str) -> str:
        """`functions.NAME:INDEX`. What cannot be one was no call: it goes on as text."""
        head = _HEAD.match(data)
        assert head  # it matches the empty string too
        rest = data[head.end() :]
        if not rest or _start_of(_MARKERS, rest) == rest:
            self._held = data
            return ""
        marker = _MARKER.match(rest)
        if marker and head[1] and marker[0] == ARGUMENT_BEGIN:
            self._head = head[1]
            self._arguments, self._in_string, self._state = [], False, "arguments"
            return rest[marker.end() :]
        self.n_dropped += 1
        self._state = "text"
        return rest if marker else data

    def _read_arguments(self, data: str) -> str:
        position = 0
        for token in _ARGUMENT_TOKEN.finditer(data):
            position = token.end()
            if token[0] == '"':
                self._in_string = not self._in_string
            elif token[0].startswith("<") and not self._in_string:
                self._arguments.append(data[: token.start()])
                self._end_call(whole=token[0] == CALL_END)
                if token[0] != CALL_END:
                    self._take(token[0])
                return data[position:]
        tail = data[position:]
        cut = len(data) - len("\\" if tail.endswith("\\") else _start_of(_MARKERS, tail))
        self._arguments.append(data[:cut])
        self._held = data[cut:]
        return ""

    def _take(self, marker: str) -> None:
        if marker == CALL_BEGIN:
            self._state = "head"
        elif marker.endswith("section_begin|>"):
            self._state = "section"
        elif marker.endswith("section_end|>"):
            self._state = "text"

    def _end_call(self, *, whole: bool) -> None:
        """A call that ends in another marker than its own counts if its arguments are whole."""
        self._state = "section"
        arguments = "".join(self._arguments).strip()
        if not whole and _keys(arguments) is None:
            self.n_dropped += 1
            return
        name, _, index = self._head.rpartition(":")
        name = name if name and index.isdecimal() else self._head
        name = name.removeprefix("functions.")
        if name.isdecimal():
            name = self._name_for(arguments)
        if not name:
            self.n_dropped += 1
            return
        self._calls.append(ToolCall(self._distinct_id(name), name, arguments))

    def _name_for(self, arguments: str) -> str:
        """The only tool there is, or the only one that takes such arguments."""
        if len(self._tools) == 1:
            return self._tools[0].name
        keys = _keys(arguments)
        if not keys:
            return ""
        fitting = [tool.name for tool in self._tools if _takes(tool, keys)]
        return fitting[0] if len(fitting) == 1 else ""

    def _distinct_id(self, name: str) -> str:
        call_id, n = self._head, len(self._calls)
        while call_id in self._ids:
            call_id, n = f"functions.{name}:{n}", n + 1
        self._ids.add(call_id)
        return call_id

    def _show(self, text: str, shown: list[str]) -> None:
        self._code.feed(text)
        shown.append(text)


class ThinkSplitter:
    """Parts `<think>…</think>` at the start of streamed text from what follows it.

    `opened`: the template has written `<think>` already. The start of a call ends the thinking too, since
    the model now and then forgets `</think>`; it stays in what follows, for `ToolTextSplitter`.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._state: Literal["start", "thinking", "done"] = "start"
        self._opened = opened
        self._held = ""
        self._code = _MarkdownCode()

    def feed(self, text: str) -> tuple[str, str]:
        """The new part of the reasoning, and of what follows it."""
        if self._state == "done":
            return "", text
        data, self._held = self._held + text, ""
        if self._state == "start":
            start = data.lstrip()
            n_blanks = len(data) - len(start)
            if n_blanks <= BLANKS_LIMIT and len(start) < len(THINK_BEGIN) and THINK_BEGIN.startswith(start):
                self._held = data
                return "", ""
            if n_blanks <= BLANKS_LIMIT and start.startswith(THINK_BEGIN):
                data = start[len(THINK_BEGIN) :]
            elif not self._opened:
                self._state = "done"
                return "", data
            self._state = "thinking"
        return self._think(data)

    def finish(self) -> tuple[str, str]:
        """The rest of both."""
        held, self._held = self._held, ""
        if self._state == "start" and not self._opened:
            return "", held
        return ("" if held.startswith((_STEM, THINK_END[:3])) else held), ""

    def _think(self, data: str) -> tuple[str, str]:
        seen = 0
        for end in _END_OF_THINKING.finditer(data):
            self._code.feed(data[seen : end.start()])
            seen = end.start()
            if end[0] == THINK_END or not self._code.inside:
                self._state = "done"
                return data[: end.start()], data[end.end() if end[0] == THINK_END else end.start() :]
        cut = len(data) - len(_start_of((THINK_END, *_MARKERS), data))
        self._code.feed(data[seen:cut])
        self._held = data[cut:]
        return data[:cut], ""


class _MarkdownCode:
    """Whether text that is fed piece by piece is now within code: a fence, or backticks that are open."""

    def __init__(self) -> None:
        self._fenced = False
        self._line_start = ""
        self._n_backticks = 0

    @property
    def inside(self) -> bool:
        return not self._fenced if self._is_fence() else self._fenced or self._n_backticks % 2 == 1

    def feed(self, text: str) -> None:
        if "\n" in text:
            *lines, text = text.split("\n")
            for line in lines:
                self._add(line)
                self._fenced ^= self._is_fence()
                self._line_start, self._n_backticks = "", 0
        self._add(text)

    def _add(self, text: str) -> None:
        if len(self._line_start) < 3:
            self._line_start = (self._line_start + text).lstrip()[:3]
        if "`" in text:
            self._n_backticks += text.count("`")

    def _is_fence(self) -> bool:
        return self._line_start in _FENCES and self._n_backticks <= 5  # six: three open it and three close it


def _start_of(markers: Sequence[str], text: str) -> str:
    """The end of `text` that may be the start of one of `markers`."""
    start = text.rfind("<")
    tail = text[start:] if start >= 0 else ""
    return tail if tail and any(marker.startswith(tail) for marker in markers) else ""


def _native_id(call: ToolCall, index: int) -> str:
    found = _NATIVE_ID.fullmatch(call.id)
    return call.id if found and found[1] == call.name else f"functions.{call.name}:{index}"


def _escaped(arguments: str) -> str:
    return arguments.replace("<|tool_call", "\\u003c|tool_call") if _STEM in arguments else arguments


def _keys(arguments: str) -> frozenset[str] | None:
    """The names of the arguments; None for what is no JSON object."""
    try:
        parsed = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return frozenset(parsed) if isinstance(parsed, dict) else None


def _takes(tool: ToolSpec, keys: frozenset[str]) -> bool:
    properties, required = tool.parameters.get("properties"), tool.parameters.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return False
    return keys <= properties.keys() and keys.issuperset(name for name in required if isinstance(name, str))
