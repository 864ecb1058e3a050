"""Whether the tests pass, taken from what was executed and never from what was said."""

from claw.agent.evidence.observer import Evidence, observe

__all__ = ["Evidence", "observe"]
