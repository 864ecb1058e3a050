"""What a check can come to."""

from __future__ import annotations

from typing import Literal, NamedTuple

Status = Literal["ok", "fault", "unknown", "skipped"]


class Verdict(NamedTuple):
    """`fault`: claw would not work as it should, or not at its price. `unknown`: it could not be found out."""

    status: Status
    finding: str


class Hopeless(Exception):
    """No later check can succeed. `finding` says why; `unreachable` where the host itself is not there."""

    def __init__(self, finding: str, *, unreachable: bool = False) -> None:
        super().__init__(finding)
        self.finding = finding
        self.unreachable = unreachable


def ok(finding: str) -> Verdict:
    return Verdict("ok", finding)


def fault(finding: str) -> Verdict:
    return Verdict("fault", finding)


def unknown(finding: str) -> Verdict:
    return Verdict("unknown", finding)
