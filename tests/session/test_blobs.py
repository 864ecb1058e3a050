"""Payloads by the hash of their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from claw.errors import SessionError
from claw.redact import Redactor
from claw.session.blobs import FileBlobs
from claw.tooling.services import Blob, Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "blobs", tmp_path / "tmp")


def expected(tmp_path: Path, data: bytes) -> Blob:
    sha256 = hashlib.sha256(data).hexdigest()
    return Blob(sha256, str(tmp_path / "blobs" / sha256), len(data))


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 1_000_000])
def test_put_and_get(blobs: FileBlobs, tmp_path: Path, data: bytes) -> None:
    service: Blobs = blobs
    blob = service.put(data)
    assert blob == expected(tmp_path, data)
    assert (Path(blob.path).read_bytes(), blobs.get(blob.sha256)) == (data, data)
    assert Path(blob.path).stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_same_content_is_stored_once(blobs: FileBlobs, tmp_path: Path) -> None:
    first = blobs.put(b"x")
    inode = Path(first.path).stat().st_ino
    source = tmp_path / "spill"
    source.write_bytes(b"x")
    assert blobs.put(b"x") == blobs.put_file(source) == first
    assert (Path(first.path).stat().st_ino, source.exists()) == (inode, False)


def test_a_file_is_taken_over(blobs: FileBlobs, tmp_path: Path) -> None:
    source = tmp_path / "spill"
    source.write_bytes(b"y" * 3_000_000)
    source.chmod(0o644)
    inode = source.stat().st_ino
    blob = blobs.put_file(source)
    assert blob == expected(tmp_path, b"y" * 3_000_000)
    assert (Path(blob.path).stat().st_ino, Path(blob.path).stat().st_mode & 0o777) == (inode, 0o600)
    assert not source.exists()


def test_a_file_of_another_file_system_is_copied(blobs: FileBlobs) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("no second file system here")
    source = shared / f"claw-test-{hashlib.sha256(repr(blobs).encode()).hexdigest()[:12]}"
    source.write_bytes(b"z")
    try:
        blob = blobs.put_file(source)
        assert (Path(blob.path).read_bytes(), source.exists()) == (b"z", False)
    finally:
        source.unlink(missing_ok=True)


def test_a_blob_that_was_cut_off_is_written_anew(blobs: FileBlobs) -> None:
    blob = blobs.put(b"whole")
    Path(blob.path).write_bytes(b"who")
    assert blobs.get(blob.sha256) is None
    assert blobs.put(b"whole") == blob
    assert blobs.get(blob.sha256) == b"whole"


@pytest.mark.parametrize("name", ["", "..", "../secret", "A" * 64, "a" * 63, "a" * 64 + "\n", "é" * 64])
def test_only_hashes_name_blobs(blobs: FileBlobs, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    assert blobs.get(name) is None


def test_a_disk_that_refuses_is_a_session_error(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file is in the way")
    blobs = FileBlobs(tmp_path / "blobs", tmp_path / "tmp")
    with pytest.raises(SessionError, match="cannot store 1 bytes in"):
        blobs.put(b"x")
    with pytest.raises(SessionError, match=r"cannot store .*none in"):
        blobs.put_file(tmp_path / "none")


KEY = "sk-Qm4tZ8yKp2LxW7vNc3RbTd6HgJ9sFa1E"


def test_secrets_are_taken_out_of_what_is_put(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "blobs", tmp_path / "tmp", Redactor(["correct horse"]))
    around = bytes(range(256)) * 100
    expected_data = around + b"[redacted:secret] [redacted:api-key]" + around
    assert blobs.put(around + b"correct horse " + KEY.encode() + around) == expected(tmp_path, expected_data)


@pytest.mark.parametrize("before", [0, 5_000_000, (1 << 20) - 7, (1 << 20) - 1])
def test_secrets_are_taken_out_of_files_wherever_they_stand(tmp_path: Path, before: int) -> None:
    blobs = FileBlobs(tmp_path / "blobs", tmp_path / "tmp", Redactor(["correct horse"]))
    source = tmp_path / "spill"
    source.write_bytes(b"." * before + b"correct horse" + b"\xff" * 2_000_000)
    expected_data = b"." * before + b"[redacted:secret]" + b"\xff" * 2_000_000
    for _ in range(2):
        blob = blobs.put_file(source)
        assert blob == expected(tmp_path, expected_data)
        assert blobs.get(blob.sha256) == expected_data
        assert (source.exists(), list((tmp_path / "tmp").iterdir())) == (False, [])
        assert Path(blob.path).stat().st_mode & 0o777 == 0o600
        source.write_bytes(b"." * before + b"correct horse" + b"\xff" * 2_000_000)


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_blobs_are_private_whatever_the_umask(blobs: FileBlobs, tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        blob = blobs.put(b"x")
    finally:
        os.umask(before)
    assert Path(blob.path).stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o700}
