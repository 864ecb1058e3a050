"""What a folder tells the model: its `AGENTS.md`, written by whoever wrote the repository."""

from __future__ import annotations

import errno
from pathlib import Path

from claw.printable import printable
from claw.tooling.boundary import is_env_file, plain_name
from claw.tooling.capped import read_capped

AGENTS_FILE = "AGENTS.md"
INSTRUCTIONS_LIMIT_BYTES = 64 * 1024


def read_instructions(folder: Path, within: Path) -> str:
    """The text of `folder`'s instructions as it was written, hidden characters included.

    The file may be a link to another name in `within`, as where several agents share one file, but not to
    anything outside, and not to what holds secrets.
    *Shapes*: `folder` is canonical and lies in the folder `within`, or is it.
    *Errors*: OSError, RuntimeError for a circle of links.
    """
    file = folder / AGENTS_FILE
    found = file.resolve(strict=True)
    if not found.is_relative_to(within):
        raise OSError(errno.EACCES, f"it is a link that leads out of {within}")
    relative = found.relative_to(within)
    if is_env_file(found.name) or any(plain_name(part) == ".git" for part in relative.parts):
        raise OSError(errno.EACCES, f"it is a link to {relative}")
    return decode_instructions(read_capped(within, str(relative), INSTRUCTIONS_LIMIT_BYTES), file)


def decode_instructions(data: bytes, file: Path) -> str:
    """`data` as text, cut at the limit, without a byte order mark, its line ends plain."""
    text = data[:INSTRUCTIONS_LIMIT_BYTES].decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    if len(data) > INSTRUCTIONS_LIMIT_BYTES:
        text += f"\n[cut after {INSTRUCTIONS_LIMIT_BYTES} bytes; read {file} for the rest]"
    return text.strip()


def count_hidden(text: str) -> int:
    """How many characters of `text` a person would not see, or would see as something else."""
    return sum(text.count(character) for character in set(text) if printable(character) != character)
