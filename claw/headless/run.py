"""One headless run: settings and prompt in, output and an exit code out."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from claw.errors import ClawError, ExitCode, UsageError
from claw.headless.attachments import with_media
from claw.headless.result import describe_tests, result_of, result_of_error
from claw.headless.stdin import OpReader, read_prompt
from claw.printable import printable, printable_json
from claw.protocol.codec import encode_event
from claw.protocol.events import Event, RunFinished
from claw.protocol.messages import Text
from claw.protocol.ops import Shutdown, UserTurn
from claw.runtime.composition import open_runtime
from claw.runtime.policy import Prepared
from claw.runtime.session import Runtime


class Output:
    """Where the run's events go, by format. Text: progress to a terminal on stderr, the answer to stdout.

    What the model, a tool or a host wrote is never sent to a terminal as it is, and nobody can tell where a pipe
    leads: text is escaped always, JSON by JSON's own escapes. `--output-last-message` gets it as it was said.
    """

    def __init__(self, output_format: str, last_message: Path | None = None) -> None:
        self.format = output_format
        self._last_message = last_message
        self.finished: RunFinished | None = None
        self._progress = None
        if output_format == "text" and sys.stderr.isatty():
            from claw.headless.text import Progress

            self._progress = Progress(sys.stderr, live=True)

    def __call__(self, event: Event) -> None:
        if self.format == "stream-json":
            self._write(encode_event(event))
        elif self._progress:
            self._progress(event)
        if isinstance(event, RunFinished):
            self.finished = event
            if self.format == "text":
                self._show_answer(event)

    def _show_answer(self, event: RunFinished) -> None:
        if event.result:
            print(printable(event.result), flush=True)
        if event.error:
            print(f"claw: {event.status}: {printable(event.error)}", file=sys.stderr)
        print(f"claw: {describe_tests(event.tests)}", file=sys.stderr)

    async def tick(self) -> None:
        """Runs beside the work, for a screen that shows the time."""
        if self._progress:
            await self._progress.tick()

    def close(self, sandbox: str) -> ExitCode | None:
        """Write what comes once, at the end, and tell the exit code of the last run, None if there was none."""
        if self.finished is None:
            return None
        if self.format == "json":
            self._write(msgspec.json.encode(result_of(self.finished, sandbox)))
        if self._last_message:
            try:
                self._last_message.write_text(self.finished.result, "utf-8")
            except OSError as error:
                raise UsageError(f"--output-last-message {self._last_message}: {error.strerror}") from None
        return ExitCode[self.finished.status.upper()]

    def refuse(self, error: ClawError) -> None:
        """The run could not begin. Where a script waits for JSON it gets JSON; a person gets the line on stderr."""
        if self.format == "json":
            self._write(msgspec.json.encode(result_of_error(error)))

    def _write(self, line: bytes) -> None:
        sys.stdout.buffer.write(printable_json(line) + b"\n")
        sys.stdout.buffer.flush()


def run_headless(
    prepared: Prepared,
    prompt: str | None,
    input_format: str,
    output: Output,
    environ: Mapping[str, str],
    stdin: BinaryIO,
) -> int:
    """*Errors*: ClawError for a run that cannot begin; everything later is told by the exit code."""
    settings = prepared.settings
    try:
        said = prompt  # what comes in on stdin beside it may be anyone's, and must not pick files of this machine
        if input_format == "text":
            prompt = read_prompt(prompt, stdin)
            said = prompt if said in (None, "-") else said
            if not settings.replay and not (prompt and prompt.strip()):
                raise UsageError("no prompt. Give one as an argument, or `-` to read it from stdin.")
        elif settings.images and not prompt:
            raise UsageError("--image goes with a prompt; an op on stdin carries its own pictures in its content")
        return asyncio.run(_serve(prepared, prompt, said, input_format, output, environ, stdin))
    except ClawError as error:
        output.refuse(error)
        raise


async def _serve(
    prepared: Prepared,
    prompt: str | None,
    said: str | None,
    input_format: str,
    output: Output,
    environ: Mapping[str, str],
    stdin: BinaryIO,
) -> int:
    # A program that sends ops can answer questions too; a prompt alone cannot.
    runtime = open_runtime(prepared, environ, [output], answerable=input_format == "stream-json")
    try:
        signalled = _handle_signals(runtime)
        if prompt := prompt or runtime.recorded_prompt:
            media = await with_media(prompt if said is None else said, prepared.settings, runtime.attach)
            runtime.submit(UserTurn((Text(prompt), *media)))
        if input_format == "stream-json":
            OpReader(stdin, runtime.submit, runtime.end_of_input, runtime.refuse).start()
        else:
            runtime.end_of_input()
        ticking = asyncio.create_task(output.tick())
        await runtime.serve()
        ticking.cancel()
    finally:
        await runtime.close()
    if (code := output.close(runtime.sandbox)) is not None:
        return code
    if signalled:
        return signalled[0]
    raise UsageError("nothing was asked: stdin held no user_turn")


def _handle_signals(runtime: Runtime) -> list[ExitCode]:
    """The first Ctrl-C ends the run in good order, a second one ends the process; SIGTERM ends in good order.

    Returns the exit codes of the signals that have come, a list that fills.
    """
    loop = asyncio.get_running_loop()
    come: list[ExitCode] = []

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)  # the second one raises KeyboardInterrupt
        come.append(ExitCode.INTERRUPTED)
        runtime.submit(Shutdown())

    def terminate() -> None:
        come.append(ExitCode.TERMINATED)
        runtime.submit(Shutdown(terminated=True))

    with contextlib.suppress(NotImplementedError):  # no signal handlers on this platform's loop
        loop.add_signal_handler(signal.SIGINT, interrupt)
        loop.add_signal_handler(signal.SIGTERM, terminate)
        loop.add_signal_handler(signal.SIGHUP, terminate)
    return come
