"""One piece of work."""

from dataclasses import dataclass
from datetime import date

from tally.durations import parse_duration

FIELDS = ("day", "project", "minutes", "note")


@dataclass(frozen=True)
class Entry:
    """`minutes` of work for `project` on `day`."""

    day: date
    project: str
    minutes: int
    note: str = ""

    def to_row(self):
        """The entry as a row of the CSV file."""
        return {
            "day": self.day.isoformat(),
            "project": self.project,
            "minutes": str(self.minutes),
            "note": self.note,
        }

    @classmethod
    def from_row(cls, row):
        """The entry in a row of the CSV file. Raises ValueError if a field makes no sense."""
        minutes = parse_duration(row["minutes"] + "m")
        return cls(date.fromisoformat(row["day"]), row["project"], minutes, row.get("note") or "")
