"""The system prompt and the tools: the prefix of every request, built once a session and then left alone."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from claw.protocol.messages import Prefix, ToolSpec

AGENTS_FILE = "AGENTS.md"
_AGENTS_LIMIT_BYTES = 64 * 1024


def build_prefix(cwd: Path, roots: Sequence[Path], tools: tuple[ToolSpec, ...], agents_files: Iterable[Path]) -> Prefix:
    """Nothing in it changes while the session lives: no date, no git state, no todo."""
    sections = [(Path(__file__).parent / "prompts" / "system.md").read_text("utf-8").strip()]
    sections.append(_describe_place(cwd, roots))
    sections += [_quote(path) for path in agents_files]
    return Prefix("\n\n".join(sections) + "\n", tools)


def find_agents_files(cwd: Path, top: Path | None, own: Path) -> list[Path]:
    """claw's own one, then those from `top` (the repository's root) down to `cwd`: the nearest has the last word."""
    folders = [cwd, *cwd.parents]
    inside = folders[: folders.index(top) + 1] if top in folders else [cwd]
    candidates = [own / AGENTS_FILE, *(folder / AGENTS_FILE for folder in reversed(inside))]
    return [path for path in candidates if path.is_file()]


def _describe_place(cwd: Path, roots: Sequence[Path]) -> str:
    lines = ["# Where you are", f"Working folder: {cwd}"]
    if others := [str(root) for root in roots if root != cwd]:
        lines.append(f"You may also write in: {', '.join(others)}")
    lines.append(f"System: {platform.system()} {platform.machine()}")
    return "\n".join(lines)


def _quote(path: Path) -> str:
    data = path.read_bytes()
    text = data[:_AGENTS_LIMIT_BYTES].decode("utf-8", "replace").strip()
    if len(data) > _AGENTS_LIMIT_BYTES:
        text += f"\n[cut after {_AGENTS_LIMIT_BYTES} bytes; read {path} for the rest]"
    return f"# Rules of {path}\n{text}"
