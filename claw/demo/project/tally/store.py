"""Entries in a CSV file that a person can read and mend."""

import csv
from pathlib import Path

from tally.entry import FIELDS, Entry


class Store:
    """The entries in the file at `path`, in the order in which they were added."""

    def __init__(self, path):
        self.path = Path(path)

    def load(self):
        """All entries; none if there is no file yet. Raises ValueError that names the broken line."""
        if not self.path.exists():
            return []
        entries = []
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            for row in reader:
                try:
                    entries.append(Entry.from_row(row))
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(f"{self.path}, line {reader.line_num}: {error}") from error
        return entries

    def add(self, entry):
        """Append `entry`. The first one writes the header too."""
        is_new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            if is_new:
                writer.writeheader()
            writer.writerow(entry.to_row())
