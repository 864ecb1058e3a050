import tempfile
import unittest
from datetime import date
from pathlib import Path

from tally.entry import Entry
from tally.store import Store


class StoreTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "tally.csv")

    def test_no_file_is_empty(self):
        self.assertEqual(Store(self.path).load(), [])

    def test_what_was_added_is_loaded(self):
        entries = [
            Entry(date(2026, 3, 2), "acme", 90, "login form, with a comma"),
            Entry(date(2026, 3, 3), "zoo", 5),
        ]
        for entry in entries:
            Store(self.path).add(entry)
        self.assertEqual(Store(self.path).load(), entries)

    def test_the_header_is_written_once(self):
        for _ in range(2):
            Store(self.path).add(Entry(date(2026, 3, 2), "acme", 90))
        self.assertEqual(self.path.read_text().count("day,project,minutes,note"), 1)

    def test_a_broken_line_is_named(self):
        self.path.write_text("day,project,minutes,note\n2026-03-02,acme,ninety,\n")
        with self.assertRaisesRegex(ValueError, "line 2"):
            Store(self.path).load()
