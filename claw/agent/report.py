"""The event that ends a run."""

from __future__ import annotations

import os
from pathlib import Path

from claw.agent.costs import CostMeter
from claw.agent.evidence import Evidence
from claw.agent.outcome import Outcome, Run
from claw.agent.structured import Structured
from claw.code.base import WorkTree
from claw.protocol import events


class RunReport:
    """The end of a run as an event, with what was executed rather than what was said. Relative paths, from `cwd`."""

    def __init__(self, evidence: Evidence, work_tree: WorkTree, structured: Structured | None, cwd: Path) -> None:
        self._evidence = evidence
        self._structured = structured
        self._work_tree = work_tree
        self._cwd = cwd
        self._edited: dict[str, None] = {}
        self._meter = CostMeter()

    def note(self, event: events.Event) -> None:
        """Subscriber: which files the tools changed, and what each tool cost."""
        match event:
            case events.RunStarted():
                self._edited.clear()
                self._meter = CostMeter()
            case events.FileChanged(path=path):
                self._edited[path] = None
        self._meter(event)

    def __call__(self, run: Run, outcome: Outcome) -> events.RunFinished:
        changed = sorted({*self._edited, *self._work_tree.changed()})
        return events.RunFinished(
            run=run.number,
            status=outcome.status,
            result=run.result,
            structured=self._structured.value if self._structured else None,
            error=outcome.error,
            tests=self._evidence.tests(),
            changed_files=tuple(os.path.relpath(path, self._cwd) for path in changed),
            n_turns=run.n_turns,
            n_tool_calls=run.n_tool_calls,
            usage=run.usage,
            cost_usd=run.cost_usd,
            cost_by_tool={tool.name: tool.cost_usd for tool in self._meter.report().tools},
            duration_s=round(run.duration_s, 3),
        )
