import unittest
from datetime import date
from decimal import Decimal

from tally.entry import Entry
from tally.invoice import Line, lines_for, render

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


class Invoice(unittest.TestCase):
    def test_one_project_in_order_of_days(self):
        entries = [Entry(TUESDAY, "acme", 61), Entry(MONDAY, "zoo", 5), Entry(MONDAY, "acme", 31, "login form")]
        self.assertEqual(
            lines_for("acme", entries, "80"),
            [Line(entries[2], 45, Decimal("60.00")), Line(entries[0], 75, Decimal("100.00"))],
        )

    def test_full_quarters_are_not_rounded(self):
        (line,) = lines_for("acme", [Entry(MONDAY, "acme", 90)], "80")
        self.assertEqual((line.minutes, line.amount), (90, Decimal("120.00")))

    def test_no_entries(self):
        self.assertEqual(render(lines_for("acme", [], "80")), "total       0:00      0.00")

    def test_table(self):
        lines = [Line(Entry(MONDAY, "acme", 31, "login form"), 45, Decimal("60.00"))]
        self.assertEqual(
            render(lines),
            "2026-03-02  0:45     60.00  login form\ntotal       0:45     60.00",
        )
