from __future__ import annotations

import stat
from pathlib import Path

import pytest

from claw.code.review import ChangedFile, Review, ReviewConflict, apply

BEFORE = "".join(f"line {number}\n" for number in range(1, 41))
AFTER = BEFORE.replace("line 3\n", "line three\n").replace("line 30\n", "line thirty\n")


def reviewed(tmp_path: Path) -> Review:
    (tmp_path / "f").write_text(AFTER)
    (tmp_path / "f").chmod(0o755)
    return Review([ChangedFile("f", BEFORE.encode(), AFTER.encode())])


def test_a_hunk_is_undone_and_the_other_stays(tmp_path: Path) -> None:
    review = reviewed(tmp_path)
    file = review.files[0]
    assert len(file.hunks) == 2
    file.decide(0, "reject")
    file.decide(1, "accept")
    assert apply(review, tmp_path) == ("f",)
    assert (tmp_path / "f").read_text() == BEFORE.replace("line 30\n", "line thirty\n")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o755
    said = review.message()
    assert "1 of 2 changes" in said
    assert "-line 3\n+line three" in said
    assert "thirty" not in said


def test_what_is_undecided_or_accepted_is_not_touched(tmp_path: Path) -> None:
    review = reviewed(tmp_path)
    review.files[0].decide(1, "accept")
    assert apply(review, tmp_path) == ()
    assert (tmp_path / "f").read_text() == AFTER
    assert review.message() == ""


def test_comments_name_the_line_on_the_disk(tmp_path: Path) -> None:
    review = reviewed(tmp_path)
    file = review.files[0]
    line = next(line for line in file.hunks[1].lines if line.sign == "+")
    file.comment(line.old, line.new, "say 30")
    assert "`f:30`" in review.message()
    assert "say 30" in review.message()


def test_a_file_that_went_on_is_left_alone(tmp_path: Path) -> None:
    review = reviewed(tmp_path)
    review.files[0].decide(0, "reject")
    (tmp_path / "f").write_text("newer\n")
    with pytest.raises(ReviewConflict, match="has changed since") as raised:
        apply(review, tmp_path)
    assert (tmp_path / "f").read_text() == "newer\n"
    assert "Undo them yourself" in review.message(raised.value.conflicts)


def test_made_and_deleted_files(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("x\n")
    review = Review([ChangedFile("made", None, b"x\n"), ChangedFile("a/gone", b"y\n", None)])
    for file in review.files:
        file.decide(0, "reject")
    apply(review, tmp_path)
    assert not (tmp_path / "made").exists()
    assert (tmp_path / "a" / "gone").read_text() == "y\n"
    assert "the new file" in review.message()
    assert "the deletion" in review.message()


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "link/f"])
def test_nothing_outside_is_written(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "f").write_text("new\n")
    (root / "link").symlink_to(outside)
    review = Review([ChangedFile(path, b"old\n", b"new\n")])
    review.files[0].decide(0, "reject")
    with pytest.raises(ReviewConflict):
        apply(review, root)
    assert (outside / "f").read_text() == "new\n"
