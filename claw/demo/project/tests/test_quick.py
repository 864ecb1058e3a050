import unittest
from datetime import date

from tally.entry import Entry
from tally.quick import parse_quick

DAY = date(2026, 3, 2)


class ParseQuick(unittest.TestCase):
    def test_duration_first(self):
        self.assertEqual(parse_quick(["45m", "acme"], DAY), Entry(DAY, "acme", 45))

    def test_project_first(self):
        self.assertEqual(parse_quick(["acme", "1:30"], DAY), Entry(DAY, "acme", 90))

    def test_whole_hours(self):
        self.assertEqual(parse_quick(["2h", "acme"], DAY), Entry(DAY, "acme", 120))

    def test_the_rest_is_the_note(self):
        entry = parse_quick(["1h15m", "acme", "login", "form"], DAY)
        self.assertEqual(entry, Entry(DAY, "acme", 75, "login form"))

    def test_no_duration(self):
        with self.assertRaisesRegex(ValueError, "no duration in 'acme login'"):
            parse_quick(["acme", "login"], DAY)

    def test_no_project(self):
        with self.assertRaisesRegex(ValueError, "no project"):
            parse_quick(["45m"], DAY)
