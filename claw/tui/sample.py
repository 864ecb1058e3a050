"""A bit of everything that a transcript shows, to see a theme by."""

from __future__ import annotations

from textual.strip import Strip

from claw.protocol import events as ev
from claw.protocol.details import CommandRun, FileChange, FileDiffs
from claw.protocol.messages import as_content
from claw.tui.blocks.base import Block
from claw.tui.blocks.said import AnswerBlock, NoteBlock, ThinkingBlock, UserBlock
from claw.tui.blocks.tool import ToolBlock
from claw.tui.look import Look

_ANSWER = """## What was wrong

The parser took `--` for a *flag*, so **nothing** after it was read.

```python
def split(words: list[str]) -> int:
    return words.index("--")  # raises if there is none
```
"""
_DIFF = "@@ -3,3 +3,3 @@\n def split(words):\n-    return words.find('-')\n+    return words.index('--')\n"


def sample(look: Look, width: int) -> list[Strip]:
    """Lines of at most `width` cells."""
    edit = ToolBlock(ev.ToolStarted(call_id="1", name="edit", arguments="", summary="parser.py"))
    change = FileChange("parser.py", "modified", _DIFF, 1, 1)
    edit.finish(ev.ToolFinished(call_id="1", name="edit", content=(), duration_s=0.1, details=FileDiffs((change,))))
    test = ToolBlock(ev.ToolStarted(call_id="2", name="bash", arguments="", summary="pytest -q"))
    run = CommandRun("pytest -q", 1, 2.5)
    test.finish(ev.ToolFinished(call_id="2", name="bash", content=as_content("1 failed"), brief="exit 1", details=run))
    blocks: list[Block] = [
        UserBlock("why is -- not read?"),
        ThinkingBlock("It could be the index.", live=False),
        AnswerBlock(_ANSWER),
        edit,
        test,
        NoteBlock("the host is slow", "warning"),
        NoteBlock("done · 2 turns · 2 calls", "done"),
    ]
    lines: list[Strip] = []
    for block in blocks:
        lines += [*block.lines(max(width, 1), look), Strip.blank(0)]
    return lines
