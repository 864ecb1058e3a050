import unittest
from datetime import date

from tally.entry import Entry
from tally.report import minutes_by_day, minutes_by_project, render
from tally.weeks import week_of, within

MONDAY, TUESDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 8)
ENTRIES = [
    Entry(TUESDAY, "zoo", 60),
    Entry(MONDAY, "acme", 45),
    Entry(TUESDAY, "acme", 50),
    Entry(SUNDAY, "bank", 60),
]


class Report(unittest.TestCase):
    def test_by_project_most_first(self):
        self.assertEqual(list(minutes_by_project(ENTRIES).items()), [("acme", 95), ("bank", 60), ("zoo", 60)])

    def test_by_day_in_order(self):
        self.assertEqual(list(minutes_by_day(ENTRIES).items()), [(MONDAY, 45), (TUESDAY, 110), (SUNDAY, 60)])

    def test_by_day_of_one_project(self):
        self.assertEqual(minutes_by_day(ENTRIES, "acme"), {MONDAY: 45, TUESDAY: 50})

    def test_table(self):
        self.assertEqual(render(ENTRIES[:2]), "zoo         1:00\nacme        0:45\ntotal       1:45")


class Weeks(unittest.TestCase):
    def test_a_week_runs_from_monday_to_sunday(self):
        for day in (MONDAY, TUESDAY, SUNDAY):
            self.assertEqual(week_of(day), (MONDAY, SUNDAY))

    def test_both_ends_are_within(self):
        self.assertEqual(within(ENTRIES, MONDAY, TUESDAY), ENTRIES[:3])
