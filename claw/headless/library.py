"""claw from Python: one prompt in, the same result out as `claw exec --output-format json` prints."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from claw.config import Settings
from claw.headless.result import Result, result_of
from claw.protocol.events import Event, RunFinished
from claw.protocol.ops import UserTurn
from claw.runtime.composition import open_runtime


async def run(
    settings: Settings,
    prompt: str,
    *,
    environ: Mapping[str, str] | None = None,
    subscribers: Sequence[Callable[[Event], None]] = (),
) -> Result:
    """Work on `prompt` until the run ends. Cancelling it stops the run and what it started.

    `subscribers` are called with each event, on the loop; the sessions and the key come from `environ`.

    *Errors*: ClawError for a run that cannot begin; how one that began has ended is `Result.status`.
    """
    ends: list[RunFinished] = []

    def note(event: Event) -> None:
        if isinstance(event, RunFinished):
            ends.append(event)

    runtime = open_runtime(settings, os.environ if environ is None else environ, [*subscribers, note])
    try:
        runtime.submit(UserTurn.of(prompt))
        runtime.end_of_input()
        await runtime.serve()
    finally:
        await runtime.close()
    return result_of(ends[-1], runtime.sandbox)
