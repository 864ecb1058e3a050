"""What a session cost, for frontends: they may not reach into the agent."""

from __future__ import annotations

from claw.agent.costs import Cost as Cost
from claw.agent.costs import CostMeter as CostMeter
from claw.agent.costs import CostReport as CostReport
