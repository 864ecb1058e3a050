"""`--image FILE`, and `@picture.png` in a prompt: what goes to the model beside the words."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from claw.config import Settings
from claw.protocol.messages import Content

Attach = Callable[[Sequence[Path], Sequence[Path]], Awaitable[Content]]

# At the start of a word: `me@example.org` names no file. A quoted name may hold blanks.
_MENTION = re.compile(r"""(?<![^\s(\[{<"'`,;:])@(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"']+))""")
_AFTER_A_NAME = ".,;:!?)]}>`"
_MAX_MENTIONS = 200


async def with_media(prompt: str, settings: Settings, attach: Attach) -> Content:
    """The pictures and videos that go with `prompt`: those of `--image`, then those that it mentions.

    *Errors*: UsageError for one that is missing, damaged or not taken by the host. A mention that is no
    picture and no video is only words.
    """
    mentioned = [settings.cwd / name for name in mentions(prompt)]
    if not (settings.images or mentioned):
        return ()
    return await attach(settings.images, [path for path in mentioned if _is_file(path)])


def mentions(prompt: str) -> Iterator[str]:
    """Every name after an `@`, in order; where punctuation follows it, with and without."""
    for n, found in enumerate(_MENTION.finditer(prompt)):
        if n == _MAX_MENTIONS:
            return
        quoted, bare = found[1] or found[2], found[3]
        if quoted:
            yield str(Path(quoted).expanduser()) if quoted.startswith("~/") else quoted
            continue
        for name in dict.fromkeys((bare, bare.rstrip(_AFTER_A_NAME))):
            if name:
                yield str(Path(name).expanduser()) if name.startswith("~/") else name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL byte
        return False
