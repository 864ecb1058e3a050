"""Changed files as one long page of diffs, of which only what is on the screen is made and painted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from claw.printable import printable
from claw.tui.blocks.paint import Piece, fitted, strip, strips, wrapped
from claw.tui.blocks.words import Marks, changed_words
from claw.tui.look import Look
from claw.tui.markdown.paint import wrapped_code
from claw.tui.widgets.transcript import marked

_MOST_CHARS = 2_000  # of a line
Decision = Literal["", "accept", "reject"]


class LineLike(Protocol):
    """Numbers count from 1, and are 0 where the line is not on that side. `text` has its newline."""

    @property
    def sign(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def old(self) -> int: ...
    @property
    def new(self) -> int: ...


class HunkLike(Protocol):
    @property
    def lines(self) -> Sequence[LineLike]: ...


class FileLike(Protocol):
    """A file under review, as the core of claw has it: this layer knows only its form."""

    path: str

    @property
    def kind(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def hunks(self) -> Sequence[HunkLike]: ...
    @property
    def n_accepted(self) -> int: ...
    @property
    def n_rejected(self) -> int: ...
    @property
    def n_comments(self) -> int: ...
    def decision(self, number: int) -> Decision: ...
    def decide(self, number: int, decision: Decision) -> None: ...
    def split(self, number: int) -> bool: ...
    def comment(self, old: int, new: int, text: str) -> None: ...
    def comment_on(self, old: int, new: int) -> str: ...


class Entry(NamedTuple):
    """What is painted in one piece: `file`, `note`, `hunk`, `comment`, `blank`, or a line.

    A line is `old` or `new`, with what it replaces or what replaces it at the other side; `both` stand side by side.
    """

    kind: str
    hunk: int = 0
    left: LineLike | None = None
    right: LineLike | None = None

    @property
    def is_place(self) -> bool:
        """Whether the cursor may stand there."""
        return self.kind in ("old", "new", "both", "note")

    @property
    def line(self) -> LineLike | None:
        """The one that is commented."""
        return self.left if self.kind == "old" or self.right is None else self.right

    @property
    def lines(self) -> list[LineLike]:
        """Those that are seen here."""
        sides = {id(side): side for side in ((self.left, self.right) if self.kind == "both" else (self.line,)) if side}
        return list(sides.values())


class Place(NamedTuple):
    """A row of the page; they compare as they lie."""

    file: int
    entry: int
    row: int = 0


class Page:
    """The rows of all files. *Cost*: a file is compared when it is first seen, an entry painted when it is seen."""

    def __init__(self, files: Sequence[FileLike], look: Look) -> None:
        self.files = files
        self.look = look
        self.width = 80
        self.is_split = False
        self.words = ""
        self._entries: dict[int, list[Entry]] = {}
        self._rows: dict[tuple[int, int], list[Strip]] = {}

    def changed(self, file: int | None = None) -> None:
        """How it is painted; if `file` is said, also which entries that has."""
        self._rows.clear()
        if file is not None:
            self._entries.pop(file, None)

    def lay_out(self, width: int, is_split: bool) -> None:
        if is_split != self.is_split:
            self._entries.clear()
        self.width, self.is_split = width, is_split
        self._rows.clear()

    def entries(self, file: int) -> list[Entry]:
        if file not in self._entries:
            self._entries[file] = list(_entries(self.files[file], self.is_split))
        return self._entries[file]

    def rows(self, place: Place) -> list[Strip]:
        key = (place.file, place.entry)
        if key not in self._rows:
            if len(self._rows) > 2_000:
                self._rows.clear()
            self._rows[key] = self._painted(self.files[place.file], place) or [Strip.blank(0)]
        return self._rows[key]

    # Moving over the rows

    @property
    def end(self) -> Place:
        last = len(self.files) - 1
        entry = Place(last, len(self.entries(last)) - 1)
        return entry._replace(row=len(self.rows(entry)) - 1)

    def moved(self, place: Place, rows: int) -> Place:
        """So many rows down, or up if negative; at most to the first or the last row."""
        while rows:
            if 0 <= place.row + rows < len(self.rows(place)):
                return place._replace(row=place.row + rows)
            if rows > 0:
                rows -= len(self.rows(place)) - place.row
                there = self.beside(place, 1)
                if there is None:
                    return place._replace(row=len(self.rows(place)) - 1)
                place = there
            else:
                rows += place.row + 1
                there = self.beside(place, -1)
                if there is None:
                    return place._replace(row=0)
                place = there._replace(row=len(self.rows(there)) - 1)
        return place

    def beside(self, place: Place, step: Literal[1, -1]) -> Place | None:
        """The next entry or the one before."""
        file, entry = place.file, place.entry + step
        if 0 <= entry < len(self.entries(file)):
            return Place(file, entry)
        file += step
        if not 0 <= file < len(self.files):
            return None
        return Place(file, 0 if step == 1 else len(self.entries(file)) - 1)

    def stop(self, place: Place, step: Literal[1, -1], *, itself: bool = False) -> Place | None:
        """The nearest entry on that side where the cursor may stand."""
        at: Place | None = place if itself else self.beside(place, step)
        while at and not self.entries(at.file)[at.entry].is_place:
            at = self.beside(at, step)
        return at and at._replace(row=0)

    def start_of(self, file: int, hunk: int = 0) -> Place:
        """Where the cursor comes to: the first line of the hunk that is changed."""
        entries = self.entries(file)
        mine = [Place(file, n) for n, entry in enumerate(entries) if entry.hunk == hunk and entry.is_place]
        changed = (place for place in mine if (line := entries[place.entry].line) is None or line.sign != " ")
        return next(changed, mine[0])

    def find(self, file: int, line: tuple[int, int]) -> Place | None:
        """The entry of the line that has these numbers."""
        for number, entry in enumerate(self.entries(file)):
            if entry.is_place and any((side.old, side.new) == line for side in entry.lines):
                return Place(file, number)
        return None

    def found(self, start: Place, step: Literal[1, -1], *, itself: bool = False) -> Place | None:
        """The next entry with the words that are searched for, round the page."""
        words = self.words.casefold()
        edge = Place(0, 0) if step == 1 else self.end
        for at in (self.stop(start, step, itself=itself), self.stop(edge, step, itself=True)):
            while at and words:
                if any(words in line.text.casefold() for line in self.entries(at.file)[at.entry].lines):
                    return at
                at = self.stop(at, step)
        return None

    # Painting

    def listed(self, number: int, width: int, *, is_here: bool) -> Strip:
        """A file as a row of a list, with what was decided on it."""
        file, look = self.files[number], self.look
        signs = [line.sign for hunk in file.hunks for line in hunk.lines]
        counts = [
            (f" +{signs.count('+')}", look.success),
            (f" {'-' if look.ascii else '−'}{signs.count('-')}", look.error),
        ]
        right = strip(*(counts if signs else []))
        is_done = file.n_accepted + file.n_rejected == len(file.hunks)
        state = "  " if not is_done else f"{sign_of('reject' if file.n_rejected else 'accept', look)} "
        path = tail(shown(file.path), max(width - 2 - right.cell_length, 1))
        left = strip((state, look.error if file.n_rejected else look.success), (path, look.text))
        row = Strip.join([left.extend_cell_length(max(width - right.cell_length, 0)), right]).crop(0, width)
        return selected(row, look) if is_here else row

    def _painted(self, file: FileLike, place: Place) -> list[Strip]:
        look, width = self.look, max(self.width, 1)
        entry = self.entries(place.file)[place.entry]
        if entry.kind == "file":
            word = "" if file.kind == "modified" else f" {file.kind}"
            return [strip((tail(shown(file.path), width - len(word)), look.strong), (word, look.dim)).crop(0, width)]
        if entry.kind == "note":
            return [strip((fitted(f"({file.note})", width), look.dim))]
        decision = file.decision(entry.hunk)
        if entry.kind == "hunk":
            return [strip(*self._head(file, entry.hunk, decision)).crop(0, width)]
        if entry.kind == "comment" and entry.line:
            text = printable(file.comment_on(entry.line.old, entry.line.new))
            bar = ("  | " if look.ascii else "  ┃ ", look.accent)
            return [row.crop(0, width) for row in strips(wrapped([(text, look.user)], max(width - 4, 1)), bar, bar)]
        if not entry.is_place:
            return [Strip.blank(0)]
        lines = file.hunks[entry.hunk].lines
        digits = len(str(max(max(line.old, line.new) for line in file.hunks[-1].lines)))
        is_dos = all(line.text.endswith("\r\n") for line in lines)
        marks = _changed_words(entry.left, entry.right)
        off = decision == "reject"
        if entry.kind != "both":
            line, mine = (entry.left, marks[0]) if entry.kind == "old" else (entry.right, marks[1])
            assert line
            return list(self._line(line, line.new or line.old, digits, width, mine, is_dos, off))
        half = max((width - 3) // 2, 1)
        sides = [
            list(self._line(line, number, digits, half, mine, is_dos, off)) if line else []
            for line, number, mine in (
                (entry.left, entry.left.old if entry.left else 0, marks[0]),
                (entry.right, entry.right.new if entry.right else 0, marks[1]),
            )
        ]
        between = strip((" | " if look.ascii else " │ ", look.rule))
        blank = Strip.blank(half)
        return [
            Strip.join([left.extend_cell_length(half), between, right]).crop(0, width)
            for n in range(max(map(len, sides)))
            for left, right in [[side[n] if n < len(side) else blank for side in sides]]
        ]

    def _head(self, file: FileLike, hunk: int, decision: Decision) -> list[Piece]:
        look = self.look
        lines = file.hunks[hunk].lines
        numbers = [line.new for line in lines if line.new] or [line.old for line in lines if line.old] or [0]
        place = f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        word = f"  {sign_of(decision, look)} {decision}ed" if decision else ""
        style = look.error if decision == "reject" else look.success
        return [("... " if look.ascii else "⋯ ", look.hunk), (place, look.hunk), (word, style)]

    def _line(
        self, line: LineLike, number: int, digits: int, width: int, marks: Marks, is_dos: bool, off: bool
    ) -> Iterator[Strip]:
        look = self.look
        base, word = {"+": (look.added, look.added_word), "-": (look.removed, look.removed_word)}.get(
            line.sign, (look.text, look.text)
        )
        if off:
            base = word = look.dim
        head = f"{number:>{digits}} {line.sign} "
        text = line.text.removesuffix("\n")
        text = (text.removesuffix("\r") if is_dos else text)[:_MOST_CHARS]
        pieces: list[Piece] = []
        position = 0
        for start, end in marks:
            pieces += [(shown(text[position:start]), base), (shown(text[start:end]), word)]
            position = end
        pieces.append((shown(text[position:]), base))
        cut = len(line.text) > len(text) + 2
        if cut or (line.sign != " " and not line.text.endswith("\n")):
            pieces.append(("…" if cut else "  no newline at the end", base + Style(italic=True)))
        inner = max(width - cell_len(head), 1)
        for n, row in enumerate(wrapped_code(pieces, inner)):
            body = marked(strip(*row), self.words, look.search) if self.words else strip(*row)
            lead = (head if n == 0 else " " * len(head), base if line.sign != " " else look.hunk)
            rest = (" " * (inner - body.cell_length), base)
            yield Strip.join([strip(lead), body, strip(rest)]).crop(0, width)


def _entries(file: FileLike, is_split: bool) -> Iterator[Entry]:
    yield Entry("file")
    for number, hunk in enumerate(file.hunks):
        if not hunk.lines:
            yield Entry("note", number)
            continue
        yield Entry("hunk", number)
        for entry in _lines(hunk.lines, number, is_split):
            yield entry
            for line in entry.lines:
                if file.comment_on(line.old, line.new):
                    yield Entry("comment", number, line)
    yield Entry("blank", len(file.hunks) - 1)


def _lines(lines: Sequence[LineLike], hunk: int, is_split: bool) -> Iterator[Entry]:
    at = 0
    while at < len(lines):
        if lines[at].sign == " ":
            yield Entry("both", hunk, lines[at], lines[at]) if is_split else Entry("new", hunk, None, lines[at])
            at += 1
            continue
        old = at
        while at < len(lines) and lines[at].sign == "-":
            at += 1
        new = at
        while at < len(lines) and lines[at].sign == "+":
            at += 1
        left, right = lines[old:new], lines[new:at]
        n_pairs = max(len(left), len(right))
        pairs = [(left[n] if n < len(left) else None, right[n] if n < len(right) else None) for n in range(n_pairs)]
        if is_split:
            yield from (Entry("both", hunk, *pair) for pair in pairs)
        else:
            yield from (Entry("old", hunk, *pair) for pair in pairs if pair[0])
            yield from (Entry("new", hunk, *pair) for pair in pairs if pair[1])


def _changed_words(old: LineLike | None, new: LineLike | None) -> tuple[Marks, Marks]:
    """Of a line and the one that replaces it."""
    return ((), ()) if old is None or new is None or old is new else changed_words(old.text, new.text)


def tail(text: str, width: int) -> str:
    """The end of `text`, which says most of a path, after an ellipsis if it is wider than `width` cells."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) >= width:
        text = text[1:]
    return f"…{text}" if width > 0 else ""


def selected(row: Strip, look: Look) -> Strip:
    return Strip([Segment(text, (style or Style()) + look.selection) for text, style, _ in row])


def sign_of(decision: Decision, look: Look) -> str:
    signs = {"accept": "y", "reject": "n"} if look.ascii else {"accept": "✓", "reject": "✗"}
    return signs.get(decision, " ")


def shown(text: str) -> str:
    """On one line, with nothing in it that a terminal would obey."""
    return printable(text.replace("\t", "    ")).replace("\n", "\\n")
