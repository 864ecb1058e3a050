from __future__ import annotations

import os
from pathlib import Path

from claw.agent.prompt import AgentsFile, build_prefix, find_agents_files, untrusted_instructions
from claw.protocol.messages import ToolSpec


def everyone(folder: Path) -> bool:
    return True


def test_agents_files_from_ones_own_to_the_nearest(tmp_path: Path) -> None:
    top, own = tmp_path / "repo", tmp_path / "config"
    folder = top / "a" / "b"
    folder.mkdir(parents=True)
    own.mkdir()
    for each in (tmp_path, own, top, folder):
        (each / "AGENTS.md").write_text(str(each))

    def paths(top: Path | None) -> list[Path]:
        return [file.path for file in find_agents_files(folder, top, own, everyone)]

    assert paths(top) == [own / "AGENTS.md", top / "AGENTS.md", folder / "AGENTS.md"]
    assert paths(None) == [own / "AGENTS.md", folder / "AGENTS.md"]
    assert untrusted_instructions(folder, top, everyone) == []


def test_only_a_trusted_folder_speaks(tmp_path: Path) -> None:
    top, own = tmp_path / "repo", tmp_path / "config"
    folder = top / "a"
    folder.mkdir(parents=True)
    for each in (top, folder):
        (each / "AGENTS.md").write_text(str(each))
    assert find_agents_files(folder, top, own) == []
    assert untrusted_instructions(folder, top) == [top / "AGENTS.md", folder / "AGENTS.md"]

    def only_the_folder(asked: Path) -> bool:
        return asked == folder

    assert find_agents_files(folder, top, own, only_the_folder) == [AgentsFile(folder / "AGENTS.md", str(folder))]
    assert untrusted_instructions(folder, top, only_the_folder) == [top / "AGENTS.md"]


def test_a_link_may_lead_to_another_name_in_the_repository_but_not_out_of_it(tmp_path: Path) -> None:
    top = tmp_path.resolve() / "repo"
    folder = top / "sub"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("key")
    (top / "CLAUDE.md").write_text("shared")
    (top / "AGENTS.md").symlink_to("CLAUDE.md")
    (folder / "AGENTS.md").symlink_to("../../secret")
    own = tmp_path / "none"
    assert find_agents_files(folder, top, own, everyone) == [AgentsFile(top / "AGENTS.md", "shared")]
    assert untrusted_instructions(folder, top, everyone) == [folder / "AGENTS.md"]
    for target in ("/dev/zero", "AGENTS.md", "../.env", "../.git/config", "/proc/self/environ"):
        (folder / "AGENTS.md").unlink()
        (top / ".env").write_text("KEY=1")
        (folder / "AGENTS.md").symlink_to(target)
        assert untrusted_instructions(folder, top, everyone) == [folder / "AGENTS.md"]
        assert len(find_agents_files(folder, top, own, everyone)) == 1


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "AGENTS.md")
    assert find_agents_files(tmp_path, None, tmp_path / "none", everyone) == []
    assert untrusted_instructions(tmp_path, None, everyone) == [tmp_path / "AGENTS.md"]


def test_what_hides_in_a_text_is_written_out(tmp_path: Path) -> None:
    hidden = "".join(chr(0xE0000 + ord(each)) for each in "rm -rf")
    (tmp_path / "AGENTS.md").write_bytes(f"\ufeffUse tabs.{hidden}\r\n\u202egnihton\x1b[8m\r\n".encode())
    [file] = find_agents_files(tmp_path, None, tmp_path / "none", everyone)
    tags = "".join(f"\\U{0xE0000 + ord(each):08x}" for each in "rm -rf")
    assert file.text == f"Use tabs.{tags}\n\\u202egnihton\\x1b[8m"


def test_the_prefix_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Use tabs.\n")
    tools = (ToolSpec("bash", "Run."),)

    def build() -> str:
        files = find_agents_files(tmp_path, None, tmp_path / "none", everyone)
        return build_prefix(tmp_path, (tmp_path,), tools, files).system

    assert build() == build()
    assert f"Working folder: {tmp_path}" in build()
    assert build().endswith(f"# Rules of {tmp_path}/AGENTS.md\nUse tabs.\n")
    assert "2026" not in build()


def test_a_rules_file_without_end_is_cut(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_bytes(b"\xff" + b"x" * 200_000)
    files = find_agents_files(tmp_path, None, tmp_path / "none", everyone)
    system = build_prefix(tmp_path, (tmp_path,), (), files).system
    assert len(system) < 80_000
    assert "cut after 65536 bytes" in system
