"""Hunks held against git's own idea of them and what must be true of any two texts; and the verdict on them."""

from __future__ import annotations

import difflib
import os
import random
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claw.code.hunks import (
    Hunk,
    Line,
    apply_hunks,
    changes,
    diff_hunks,
    keep,
    lines_of,
    parse_hunks,
    renumbered,
    split,
    undo_hunks,
    unified,
)
from claw.code.review import ChangedFile, Review, ReviewConflict, apply

# Few different lines, so that texts have much in common; some that naive splitting breaks.
WORD = st.sampled_from(
    ["a", "b", "c", "", "}", "-- x", "++ y", "@@ -1 +1 @@", "\\ No", "d\r", "e\x0cf", "g\u2028h", "\r"]
)
TEXT = st.builds(
    lambda lines, end: "\n".join(lines) + end, st.lists(WORD, max_size=24), st.sampled_from(["", "\n", "\n\n"])
)
CONTEXT = st.integers(0, 4)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and the same after a few edits."""
    lines = lines_of(draw(TEXT))
    new = list(lines)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(new)))
        new[at : at + draw(st.integers(0, 3))] = lines_of(draw(TEXT))[:3]
    if draw(st.booleans()):
        new = [line if line.endswith("\n") else line + "\n" for line in new]
    return "".join(lines), "".join(lines_of("".join(new)))


PAIR = st.one_of(st.tuples(TEXT, TEXT), edited())


@given(PAIR, CONTEXT)
@settings(max_examples=300, deadline=None)
def test_all_hunks_make_the_new_text_and_none_leave_the_old(pair: tuple[str, str], context: int) -> None:
    before, after = pair
    hunks = diff_hunks(before, after, context)
    everything = set(range(len(hunks)))
    assert keep(before, after, everything, context) == after
    assert keep(before, after, set(), context) == before
    assert undo_hunks(after, hunks) == before
    assert bool(hunks) == (before != after)


@given(PAIR, CONTEXT, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_choice_is_the_same_from_both_ends_and_in_any_order(
    pair: tuple[str, str], context: int, is_split: bool, chance: random.Random
) -> None:
    before, after = pair
    hunks = diff_hunks(before, after, context)
    if is_split:
        hunks = [part for hunk in hunks for part in split(hunk)]
    chance.shuffle(hunks)
    kept = {hunk for hunk in hunks if chance.random() < 0.5}
    text = apply_hunks(before, kept)
    assert text == undo_hunks(after, [hunk for hunk in hunks if hunk not in kept])
    # One after the other, each at the place where the ones before have moved it.
    step, done = before, list[Hunk]()
    for hunk in (hunk for hunk in hunks if hunk in kept):
        shift = sum(other.n_added - other.n_removed for other in done if other.old < hunk.old)
        step = apply_hunks(step, [Hunk(hunk.old + shift, hunk.new, hunk.lines)])
        done.append(hunk)
    assert step == text
    # Nothing was glued together: a line without a newline is the last, or not there.
    assert set(lines_of(text)) <= set(lines_of(before)) | set(lines_of(after))


@given(PAIR, CONTEXT)
@settings(max_examples=300, deadline=None)
def test_a_hunk_says_where_its_lines_stand(pair: tuple[str, str], context: int) -> None:
    before, after = pair
    old, new = lines_of(before), lines_of(after)
    for hunk in diff_hunks(before, after, context):
        for part in (hunk, *split(hunk)):
            for line in part.lines:
                assert line.sign == "+" or old[line.old - 1] == line.text
                assert line.sign == "-" or new[line.new - 1] == line.text
            assert [x.old for x in part.lines if x.old] == list(range(part.old + 1, part.old + part.n_old + 1))
            assert [x.new for x in part.lines if x.new] == list(range(part.new + 1, part.new + part.n_new + 1))
        assert tuple(line for part in split(hunk) for line in part.lines) == hunk.lines
        assert all(
            "".join(line.sign for line in part.lines).strip().count(" ") == 0 and part.n_added + part.n_removed
            for part in split(hunk)
        )


@given(PAIR, CONTEXT)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_again(pair: tuple[str, str], context: int) -> None:
    hunks = diff_hunks(*pair, context)
    assert parse_hunks("--- a/x\n+++ b/x\n" + unified(hunks)) == hunks
    assert list(renumbered(hunks)) == hunks


@given(PAIR)
@settings(max_examples=200, deadline=None)
def test_changes_are_those_of_a_correct_difference(pair: tuple[str, str]) -> None:
    old, new = lines_of(pair[0]), lines_of(pair[1])
    i = j = 0
    for number, (i1, i2, j1, j2) in enumerate(changes(old, new)):
        assert old[i:i1] == new[j:j1]
        assert i1 > i or number == 0
        assert (i1, j1) != (i2, j2)
        i, j = i2, j2
    assert old[i:] == new[j:]


@given(st.lists(st.sampled_from("ab"), max_size=12), st.lists(st.sampled_from("ab"), max_size=12))
@settings(max_examples=300, deadline=None)
def test_without_lines_that_are_there_once_the_edit_is_a_shortest(old: list[str], new: list[str]) -> None:
    twice_old, twice_new = ["z", "z", *old * 2, "y"], ["w", "w", *new * 2, "x"]  # nothing is there once in both
    n_equal = len(twice_old) - sum(i2 - i1 for i1, i2, _, _ in changes(twice_old, twice_new))
    row = [0] * (len(twice_new) + 1)
    for a in twice_old:
        last = 0
        for j, b in enumerate(twice_new):
            last, row[j + 1] = row[j + 1], last + 1 if a == b else max(row[j], row[j + 1])
    assert n_equal == row[-1]


@given(edited(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_git_applies_the_same(tmp_path_factory: pytest.TempPathFactory, pair: tuple[str, str], chance: object) -> None:
    before, after = pair
    assert isinstance(chance, random.Random)
    hunks = diff_hunks(before, after)
    kept = [hunk for hunk in hunks if chance.random() < 0.6]
    if not kept or not before:
        return
    folder = tmp_path_factory.mktemp("git")
    assert git_applies(folder, before, list(renumbered(kept))) == apply_hunks(before, kept)


def git_applies(folder: Path, before: str, hunks: list[Hunk]) -> str:
    file = folder / "file"
    file.write_bytes(before.encode())
    patch = "--- a/file\n+++ b/file\n" + unified(hunks)
    command = ["git", "apply", "--whitespace=nowarn", "--unidiff-zero", "-"]
    subprocess.run(command, input=patch.encode(), cwd=folder, check=True, capture_output=True)
    return file.read_bytes().decode() if file.exists() else ""


def test_git_applies_parts_of_a_hunk(tmp_path: Path) -> None:
    before = "".join(f"{n}\n" for n in range(12))
    after = before.replace("3\n", "three\n").replace("5\n", "").replace("8\n", "8\n8 and a half\n").rstrip("\n")
    (hunk,) = diff_hunks(before, after)
    parts = split(hunk)
    assert [(part.n_added, part.n_removed) for part in parts] == [(1, 1), (0, 1), (1, 0), (1, 1)]
    for number in range(16):
        kept = [part for bit, part in enumerate(parts) if number >> bit & 1]
        if kept:
            assert git_applies(tmp_path, before, list(renumbered(kept))) == apply_hunks(before, kept)


def test_a_git_diff_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntwo\n--- three\nfour")
    (tmp_path / "b").write_bytes(b"one\n2\nfour\n")
    ran = subprocess.run(["git", "diff", "--no-index", "a", "b"], cwd=tmp_path, capture_output=True, check=False)
    (hunk,) = parse_hunks(ran.stdout.decode())
    assert hunk == Hunk(
        0,
        0,
        (
            Line(" ", "one\n", 1, 1),
            Line("-", "two\n", 2, 0),
            Line("-", "--- three\n", 3, 0),
            Line("-", "four", 4, 0),
            Line("+", "2\n", 0, 2),
            Line("+", "four\n", 0, 3),
        ),
    )
    assert apply_hunks("one\ntwo\n--- three\nfour", [hunk]) == "one\n2\nfour\n"


def test_what_does_not_fit_is_refused() -> None:
    hunks = diff_hunks("a\nb\nc\n", "a\nB\nc\n")
    with pytest.raises(ValueError, match=r"@@ -1,3 \+1,3 @@ does not fit"):
        apply_hunks("a\nx\nc\n", hunks)
    with pytest.raises(ValueError, match="does not fit"):
        apply_hunks("a\nb\nc\n", [*hunks, *hunks])
    with pytest.raises(ValueError, match="does not fit"):
        apply_hunks("", [Hunk(5, 5, (Line("+", "x\n", 0, 6),))])
    with pytest.raises(ValueError, match="followed by 1 old and 0 new lines"):
        parse_hunks("@@ -1,2 +1 @@\n-a\n")


def test_a_function_that_was_added_is_one_hunk() -> None:
    old = "".join(f"def f{n}():\n    x = {n}\n    return x\n\n\n" for n in range(4))
    new = old.replace("def f2", "def new():\n    y = 1\n    return y\n\n\ndef f2")
    (hunk,) = diff_hunks(old, new)
    assert (hunk.n_added, hunk.n_removed) == (5, 0)


def test_long_files_are_fast() -> None:
    chance = random.Random(1)
    old = [chance.choice(["", "}", "    return", f"line {chance.randrange(4000)}"]) + "\n" for _ in range(20_000)]
    new = [line for line in old if chance.random() > 0.02]
    start = time.process_time()
    hunks = diff_hunks("".join(old), "".join(new))
    assert undo_hunks("".join(new), hunks) == "".join(old)
    other = "".join(f"{chance.random()}\n\n}}\n" for _ in range(7_000))
    assert keep("".join(old), other, {0}) != "".join(old)
    assert time.process_time() - start < 3.0


def test_the_difference_is_about_as_short_as_the_standard_librarys() -> None:
    source = Path(difflib.__file__).read_text("utf-8").splitlines(keepends=True)
    changed = [line for n, line in enumerate(source) if n % 97] + ["    pass\n"]
    ours = sum(i2 - i1 + j2 - j1 for i1, i2, j1, j2 in changes(source, changed))
    matcher = difflib.SequenceMatcher(None, source, changed, autojunk=False)
    theirs = sum(i2 - i1 + j2 - j1 for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")
    assert ours <= theirs


# The verdict

OLD = b"".join(b"line %d\n" % n for n in range(1, 31))
NEW = OLD.replace(b"line 3\n", b"three\n").replace(b"line 15\n", b"").replace(b"line 28\n", b"line 28\n28a\n28b\n")


def test_a_verdict_on_every_kind_of_file(tmp_path: Path) -> None:
    latin = b"caf\xe9\r\n" * 3
    files = [
        ChangedFile("sub/text.py", OLD, NEW),
        ChangedFile("new.py", None, b"x\n"),
        ChangedFile("gone.sh", b"#!/bin/sh\n", None, 0o755),
        ChangedFile("gone/for/good", b"1\n", None),
        ChangedFile("empty", None, b""),
        ChangedFile("image", b"\0old", b"\0new"),
        ChangedFile("latin", latin, latin.replace(b"caf", b"the", 1)),
        ChangedFile("same", b"s", b"s"),
        ChangedFile("undecided", b"a", b"b"),
    ]
    (tmp_path / "sub").mkdir()
    for file in files:
        if file.after is not None:
            (tmp_path / file.path).write_bytes(file.after)
    (tmp_path / "sub/text.py").chmod(0o750)
    review = Review(files)
    assert [file.path for file in review.files] == sorted({file.path for file in files} - {"same"})
    for reviewed in review.files:
        if reviewed.path not in ("sub/text.py", "undecided"):
            reviewed.decide(0, "reject")
    text = next(file for file in review.files if file.path == "sub/text.py")
    text.decide(0, "accept")
    text.decide(1, "reject")
    assert [text.decision(n) for n in range(3)] == ["accept", "reject", ""]
    wanted = {
        **{file.path: file.before for file in files},
        "undecided": b"b",
        "sub/text.py": NEW.replace(b"line 14\n", b"line 14\nline 15\n"),
    }
    del wanted["same"]
    assert review.result() == wanted
    assert apply(review, tmp_path) == tuple(sorted(wanted.keys() - {"undecided"}))
    for path, content in wanted.items():
        assert ((tmp_path / path).read_bytes() if (tmp_path / path).exists() else None) == content
    assert (tmp_path / "sub/text.py").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "gone.sh").stat().st_mode & 0o777 == 0o755
    assert sorted(os.listdir(tmp_path)) == ["gone", "gone.sh", "image", "latin", "same", "sub", "undecided"]
    with pytest.raises(ReviewConflict):
        apply(review, tmp_path)


def test_what_is_not_as_it_was_shown_is_not_written(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"new")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside / "file")
    (root / "folder").symlink_to(outside)
    (root / "changed").write_bytes(b"other")
    (root / "came").write_bytes(b"x")
    (root / "fine").write_bytes(b"new")
    paths = ["link", "folder/file", "changed", "../outside/file", str(outside / "file"), "deleted", "no/folder", "fine"]
    files = [ChangedFile(path, b"old", b"new") for path in paths]
    review = Review([*files, ChangedFile("came", b"old", None), ChangedFile("folder/back", b"old", None)])
    for file in review.files:
        file.decide(0, "reject")
    with pytest.raises(ReviewConflict) as caught:
        apply(review, root)
    assert caught.value.written == ("fine",)
    assert caught.value.conflicts == {
        "link": "is a link or no plain file",
        "folder/file": "lies beyond folder, which is a link or no folder",
        "folder/back": "lies beyond folder, which is a link or no folder",
        "changed": "has changed since",
        "came": "has changed since",
        "../outside/file": "is no path within the folder",
        str(outside / "file"): "is no path within the folder",
        "deleted": "was deleted since",
        "no/folder": "was deleted since",
    }
    assert "changed has changed since; " in str(caught.value)
    assert (outside / "file").read_bytes() == b"new"
    assert os.listdir(outside) == ["file"]
    assert (root / "fine").read_bytes() == b"old"
    assert sorted(os.listdir(root)) == ["came", "changed", "fine", "folder", "link"]
    assert "Undo them yourself.\n\n`../outside/file`" in review.message(caught.value.conflicts)
    assert "undone on the disk already.\n\n`fine`" in review.message(caught.value.conflicts)


def test_a_split_hunk_is_decided_in_parts_and_undone_exactly() -> None:
    review = Review([ChangedFile("a", b"1\n2\n3\n4\n5\n", b"1\ntwo\n3\nfour\n5\n")])
    file = review.files[0]
    file.decide(0, "accept")
    assert file.split(0)
    assert not file.split(0)
    assert [file.decision(n) for n in range(len(file.hunks))] == ["accept", "accept"]
    file.decide(0, "reject")
    assert review.result() == {"a": b"1\n2\n3\nfour\n5\n"}
    assert (file.n_accepted, file.n_rejected) == (1, 1)
    file.decide(0, "")
    assert review.result() == {"a": b"1\ntwo\n3\nfour\n5\n"}


def test_the_message_says_what_was_rejected_and_quotes_what_was_commented() -> None:
    review = Review([ChangedFile("x.py", OLD, NEW), ChangedFile("new`\n.md", None, b"```\ncaf\xe9\n"),
                     ChangedFile("z.png", b"\0", b"\0\0")])  # fmt: skip
    assert review.message() == ""
    markdown, text, image = review.files
    markdown.decide(0, "reject")
    image.decide(0, "reject")
    text.decide(1, "reject")
    last = next(line for line in text.hunks[2].lines if line.text == "28a\n")
    gone = next(line for line in text.hunks[0].lines if line.sign == "-")
    text.comment(last.old, last.new, " why? ")
    text.comment(gone.old, gone.new, "I liked it")
    text.comment(1, 1, "taken back")
    text.comment(1, 1, "")
    assert review.message() == (
        "I reviewed your changes and rejected these. They are undone on the disk already.\n\n"
        "`new'\\n.md`: the new file\n"
        "````diff\n@@ -0,0 +1,2 @@\n+```\n+caf\ufffd\n````\n\n"
        "`x.py`: 1 of 3 changes\n"
        "```diff\n@@ -12,7 +12,6 @@\n line 12\n line 13\n line 14\n-line 15\n line 16\n line 17\n line 18\n```\n\n"
        "`z.png`: the whole change (binary, 1 → 2 bytes)\n\n"
        "My comments on the changes, with the lines that they are about:\n\n"
        "`x.py:3` (not in the file any more)\n```\nline 3\n```\nI liked it\n\n"
        "`x.py:29`\n```\n28a\n```\nwhy?"
    )


@given(edited(), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_line_is_found_where_it_is_after_the_verdict(pair: tuple[str, str], chance: random.Random) -> None:
    review = Review([ChangedFile("a", pair[0].encode(), pair[1].encode())])
    for file in review.files:
        for number in reversed(range(len(file.hunks))):
            file.split(number)
        for number in range(len(file.hunks)):
            file.decide(number, chance.choice(["", "accept", "reject"]))
        content = lines_of((file.content() or b"").decode())
        for hunk in file.hunks:
            rejected = hunk in file.rejected()
            for line in hunk.lines:
                number = file.line_on_disk(line)
                assert bool(number) == (line.sign == " " or (line.sign == "-") == rejected)
                assert not number or content[number - 1] == line.text
