"""A command that the person runs, with the person's rights, in the working folder: `!make`."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from claw.printable import one_line
from claw.protocol import events as ev
from claw.protocol.details import CommandRun
from claw.protocol.messages import as_content
from claw.tui.blocks.tool import ToolBlock

_KEPT_CHARS = 20_000
_TOLD_CHARS = 8_000
_GRACE_S = 3.0


class OwnCommand:
    """Runs once. `told` is what the model reads of it with the next message."""

    def __init__(self, line: str, cwd: Path, environ: Mapping[str, str], on_change: Callable[[], None]) -> None:
        self.line = line
        self._cwd = cwd
        self._environ = environ
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._text = ""
        self.block = ToolBlock(
            ev.ToolStarted(call_id="", name="you", arguments="", summary=one_line(line, 400), ts=time.time())
        )
        self.told = ""

    async def run(self) -> None:
        """Until it has ended. Its output is shown as it comes; it has no stdin."""
        started = time.time()
        shell = self._environ.get("SHELL") or "/bin/sh"
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                shell, "-c", self.line, cwd=self._cwd, env=dict(self._environ), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._finish(127, f"{shell}: {error.strerror}", 0.0)
            return
        assert process.stdout
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while data := await process.stdout.read(65_536):
            text = decoder.decode(data)
            self._text = (self._text + text)[-_KEPT_CHARS:]
            self.block.output(text)
            self._on_change()
        self._finish(await process.wait(), self._text, time.time() - started)

    def _finish(self, code: int, text: str, seconds: float) -> None:
        shown = text if len(text) <= _TOLD_CHARS else "…" + text[-_TOLD_CHARS:]
        self.told = f"I ran `{self.line}` myself; it ended with {code} and printed:\n{shown.rstrip() or '(nothing)'}"
        brief = "" if code == 0 else f"exit {code}" if code > 0 else f"signal {-code}"
        details = CommandRun(self.line, code, seconds, len(text))
        self.block.finish(
            ev.ToolFinished(
                call_id="",
                name="you",
                content=as_content(text),
                is_error=code != 0,
                brief=brief,
                duration_s=seconds,
                details=details,
            )
        )
        self._on_change()

    async def stop(self) -> None:
        """SIGTERM to all that it started, SIGKILL if that does not help."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                return
            try:
                await asyncio.wait_for(asyncio.shield(process.wait()), _GRACE_S)
                return
            except TimeoutError:
                continue
