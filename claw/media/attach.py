"""Files that a person names as parts of their message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from claw.errors import ToolError, UsageError
from claw.media.intake import open_regular, take
from claw.media.signatures import HEAD_BYTES, SVG, recognise
from claw.protocol.messages import Content, Image, Part
from claw.tooling.services import HostMedia


async def attach(given: Sequence[Path], mentioned: Sequence[Path], host: HostMedia) -> Content:
    """Each file once, in the order named. Of `mentioned`, what is no picture and no video is passed over.

    *Errors*: UsageError for a file that cannot be shown to the model; ProviderError if an upload fails.
    """
    wanted = dict.fromkeys([*map(_resolved, given), *(path for path in map(_resolved, mentioned) if _is_media(path))])
    try:
        content = tuple([await _take(path, host) for path in wanted])
    except ToolError as error:
        raise UsageError(str(error)) from None
    n_pictures = sum(isinstance(part, Image) for part in content)
    if n_pictures > host.takes.max_images:
        raise UsageError(f"{n_pictures} pictures in one message, but {host.host} takes at most {host.takes.max_images}")
    return content


async def _take(path: Path, host: HostMedia) -> Part:
    with open_regular(path) as file:
        return (await take(str(path), file, host)).part


def _resolved(path: Path) -> Path:
    """*Errors*: UsageError for a circle of links, an unknown `~user`, a NUL byte."""
    try:
        return path.expanduser().resolve()
    except (RuntimeError, OSError, ValueError) as error:
        raise UsageError(f"not a path: {str(path)!r}: {error}") from None


def _is_media(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return recognise(file.read(HEAD_BYTES)) not in (None, SVG)
    except (ToolError, OSError):
        return False
