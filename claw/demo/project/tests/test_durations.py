import unittest

from tally.durations import format_duration, parse_duration, round_up


class ParseDuration(unittest.TestCase):
    def test_minutes(self):
        self.assertEqual(parse_duration("45m"), 45)

    def test_hours_and_minutes(self):
        self.assertEqual(parse_duration("1h30m"), 90)

    def test_whole_hours(self):
        self.assertEqual(parse_duration("2h"), 120)

    def test_clock(self):
        self.assertEqual(parse_duration("1:30"), 90)

    def test_anything_else_is_refused(self):
        for text in ("", "h", "m", "90", "1h30", "1:60", "-5m", "1.5h", "2 h"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_duration(text)

    def test_nothing_is_refused(self):
        with self.assertRaises(ValueError):
            parse_duration("0m")


class FormatDuration(unittest.TestCase):
    def test_minutes_have_two_digits(self):
        self.assertEqual(format_duration(65), "1:05")

    def test_less_than_an_hour(self):
        self.assertEqual(format_duration(5), "0:05")


class RoundUp(unittest.TestCase):
    def test_up_to_the_next_quarter(self):
        self.assertEqual(round_up(31), 45)

    def test_a_full_quarter_stays(self):
        self.assertEqual(round_up(30), 30)
        self.assertEqual(round_up(0), 0)

    def test_other_steps(self):
        self.assertEqual(round_up(31, step=6), 36)
