import contextlib
import io
import tempfile
import unittest
from datetime import date
from pathlib import Path

from tally.cli import main

TODAY = date(2026, 3, 4)


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = str(Path(folder.name, "tally.csv"))

    def tally(self, *words):
        """Exit code, stdout and stderr of `tally words…`."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["--file", self.file, *words], today=TODAY)
        return code, out.getvalue(), err.getvalue()

    def test_add_and_report(self):
        self.assertEqual(self.tally("add", "1h30m", "acme"), (0, "added 90 minutes to acme\n", ""))
        self.assertEqual(self.tally("report"), (0, "acme        1:30\ntotal       1:30\n", ""))

    def test_another_week(self):
        self.tally("add", "45m", "acme", "--day", "2026-02-27")
        self.assertEqual(self.tally("report"), (0, "total       0:00\n", ""))

    def test_the_example_in_the_readme(self):
        self.tally("add", "1h30m", "acme", "login form", "--day", "2026-03-02")
        self.tally("add", "2h", "acme", "--day", "2026-03-03")
        self.assertEqual(
            self.tally("invoice", "acme", "--rate", "80"),
            (
                0,
                "2026-03-02  1:30    120.00  login form\n"
                "2026-03-03  2:00    160.00\n"
                "total       3:30    280.00\n",
                "",
            ),
        )

    def test_a_mistake_is_one_line(self):
        self.assertEqual(self.tally("add", "soon", "acme"), (1, "", "tally: no duration in 'soon acme'\n"))
