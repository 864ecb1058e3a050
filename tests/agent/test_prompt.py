from __future__ import annotations

from pathlib import Path

from claw.agent.prompt import build_prefix, find_agents_files
from claw.protocol.messages import ToolSpec


def test_agents_files_from_ones_own_to_the_nearest(tmp_path: Path) -> None:
    top, own = tmp_path / "repo", tmp_path / "config"
    folder = top / "a" / "b"
    folder.mkdir(parents=True)
    own.mkdir()
    for each in (tmp_path, own, top, folder):
        (each / "AGENTS.md").write_text(str(each))
    assert find_agents_files(folder, top, own) == [own / "AGENTS.md", top / "AGENTS.md", folder / "AGENTS.md"]
    assert find_agents_files(folder, None, own) == [own / "AGENTS.md", folder / "AGENTS.md"]


def test_the_prefix_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Use tabs.\n")
    tools = (ToolSpec("bash", "Run."),)

    def build() -> str:
        return build_prefix(tmp_path, (tmp_path,), tools, find_agents_files(tmp_path, None, tmp_path / "none")).system

    assert build() == build()
    assert f"Working folder: {tmp_path}" in build()
    assert build().endswith(f"# Rules of {tmp_path}/AGENTS.md\nUse tabs.\n")
    assert "2026" not in build()


def test_a_rules_file_without_end_is_cut(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_bytes(b"\xff" + b"x" * 200_000)
    system = build_prefix(tmp_path, (tmp_path,), (), [tmp_path / "AGENTS.md"]).system
    assert len(system) < 80_000
    assert "cut after 65536 bytes" in system
