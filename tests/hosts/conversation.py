"""A simulated Kimi: drives a long run of tool calls and looks at everything that comes back.

It remembers what it said and compares it, byte for byte, with what the history says that it said. What
does not fit is a complaint, and it stops working: it says that it has lost the thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

N_TURNS = 30
COLOUR = "crimson"
LOST = "I have lost the thread"
STEERED_AT_TURN, STEERS = 15, ("Mind the gap.", "Mind the doors.")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "words": {"type": "array", "items": {"type": "string"}},
        "colour": {"type": "string", "enum": [COLOUR]},
    },
    "required": ["words", "colour"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Said:
    """One reply. `expects` holds, for each call, a text that its result must hold; `image`: a picture, too."""

    content: str = ""
    reasoning: str | None = None
    calls: tuple[tuple[str, str], ...] = ()
    expects: tuple[str, ...] = ()
    image: bool = False
    raw: bool = False


@dataclass
class Heard:
    """One reply as the history gives it back, with the results of its calls in the order of the calls."""

    content: str
    reasoning: str | None
    calls: list[tuple[str, str]]
    results: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class History:
    """What a request says, however the host likes to be told. `schema`: the host was asked to hold to one."""

    replies: Sequence[Heard]
    user_texts: Sequence[str]
    n_images: int
    schema: Mapping[str, Any] | None
    reads_reasoning: bool


def word(turn: int) -> str:
    """What stands in the note of a turn."""
    return f"wörd-{turn * 7919 % 1000:03d}"


def write_notes(folder: Path) -> None:
    for turn in range(1, N_TURNS + 2):
        (folder / f"note-{turn:02d}.txt").write_text(f"The word of note {turn} is {word(turn)}.\n", "utf-8")


def final_answer() -> dict[str, Any]:
    return {"words": [word(turn) for turn in range(1, N_TURNS)], "colour": COLOUR}


def plan(raw_turn: bool) -> list[Said]:
    """The whole run: 29 turns with calls, parallel ones in most, then the answer.

    Odd turns among them: reasoning that is missing, empty, or full of odd characters; blank text beside
    calls; an unknown tool; a picture; a file written and read again; and, where `raw_turn`, calls that
    the host's parser missed, so that they arrive as the model's raw tokens.
    """
    return [*(_turn(turn, raw_turn) for turn in range(1, N_TURNS)), _answer()]


def _turn(turn: int, raw_turn: bool) -> Said:
    calls: list[tuple[str, dict[str, Any], str]] = [_read(turn)]
    content, image = "", False
    reasoning: str | None = f"Turn {turn}: I read note {turn}, since its word is still missing.\n"
    match turn:
        case 3:
            content = " \n\n"
        case 4:
            reasoning = ""
        case 5:
            reasoning = None
        case 6:
            reasoning = 'Odd: "quotes", \\ and \u2028 and \u00e9\u0301 and \U0001f980 and \t tab </think>'
            content = "Ümläute und ein Krebs \U0001f980."
        case 7:
            calls.append(("no_such_tool", {"x": 1}, "no tool 'no_such_tool'"))
        case 8:
            content = "I go on."
            calls += [_read(9), _read(10), _read(11)]
        case 9:
            calls.append(("write", {"path": "out.txt", "content": "gap \U0001f980\n"}, "out.txt"))
        case 10:
            calls.append(("read", {"path": "out.txt"}, "gap \U0001f980"))
        case 12:
            calls, image = [("view_media", {"path": "picture.png"}, "picture.png")], True
        case _ if turn % 2:
            calls.append(_read(turn + 1))
    return Said(
        content,
        reasoning,
        tuple((name, json.dumps(arguments, ensure_ascii=turn % 3 == 0)) for name, arguments, _ in calls),
        tuple(expected for _, _, expected in calls),
        image,
        raw_turn and turn in (13, 14),
    )


def _read(turn: int) -> tuple[str, dict[str, Any], str]:
    return "read", {"path": f"note-{turn:02d}.txt"}, word(turn)


def _answer() -> Said:
    return Said(json.dumps(final_answer(), ensure_ascii=False), "That is all of them.")


class SimulatedModel:
    """`complaints` says what was wrong with the histories it was shown. `steers` must be heard in the middle."""

    def __init__(self, said: Sequence[Said], steers: Sequence[str] = STEERS) -> None:
        self._plan = said
        self._steers = steers
        self.complaints: list[str] = []

    def reply(self, history: History) -> Said:
        """The next reply of the plan; a history is only ever answered where all of it is right."""
        turn = len(history.replies)
        faults = self._faults(history)
        if faults:
            self.complaints += faults
            return Said(f"{LOST}: {faults[0]}", "Strange.")
        said = self._plan[min(turn, len(self._plan) - 1)]
        if said.calls or history.schema is not None:
            return said
        return Said(f"Here it is:\n```json\n{said.content}\n```", said.reasoning)

    def _faults(self, history: History) -> list[str]:
        if not history.n_images:
            return ["the picture is missing"]
        if len(history.replies) > len(self._plan):
            return ["the run goes on after the answer"]
        faults = [
            f"turn {turn}: {fault}"
            for turn, (said, heard) in enumerate(zip(self._plan, history.replies, strict=False), 1)
            for fault in _compare(said, heard, history.reads_reasoning)
        ]
        if len(history.replies) > STEERED_AT_TURN:
            heard = "\n".join(history.user_texts)
            faults += [f"{text!r} was not said" for text in self._steers if text not in heard]
        return faults


def _compare(said: Said, heard: Heard, reads_reasoning: bool) -> list[str]:
    faults = []
    if heard.content.strip() != said.content.strip():
        faults.append(f"I said {said.content!r}, not {heard.content!r}")
    if reads_reasoning and (said.reasoning or "") != (heard.reasoning or ""):
        faults.append("my reasoning is gone" if heard.reasoning is None else "my reasoning is not what I thought")
    if heard.calls != list(said.calls):
        faults.append(f"I called {said.calls}, not {heard.calls}")
    for (name, _), expected, result in zip(said.calls, said.expects, heard.results, strict=False):
        text = result if isinstance(result, str) else "\n".join(part.get("text", "") for part in result)
        if expected not in text:
            faults.append(f"the result of {name} does not hold {expected!r}: {text[:80]!r}")
        if said.image and not any(part["type"] == "image_url" for part in result if isinstance(part, dict)):
            faults.append("the result holds no picture")
    return faults
