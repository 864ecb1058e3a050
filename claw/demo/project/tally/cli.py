"""The command line."""

import argparse
import sys
from datetime import date

from tally import invoice, report
from tally.quick import parse_quick
from tally.store import Store
from tally.weeks import week_of, within


def main(argv=None, today=None):
    """Run one command; return the exit code."""
    today = today or date.today()
    options = _parser(today).parse_args(argv)
    try:
        print(options.run(options, Store(options.file)))
    except ValueError as error:
        print(f"tally: {error}", file=sys.stderr)
        return 1
    return 0


def _parser(today):
    parser = argparse.ArgumentParser(prog="tally", description="Writes down what you worked on.")
    parser.add_argument("--file", default="tally.csv", help="the CSV file (tally.csv)")
    commands = parser.add_subparsers(required=True)

    add = commands.add_parser("add", help="write down a piece of work")
    add.add_argument("words", nargs="+", metavar="DURATION PROJECT [NOTE]")
    add.add_argument("--day", type=date.fromisoformat, default=today)
    add.set_defaults(run=_add)

    show = commands.add_parser("report", help="time by project in a week")
    show.add_argument("--week", type=date.fromisoformat, default=today, help="any day of the week")
    show.set_defaults(run=_report)

    bill = commands.add_parser("invoice", help="the bill for a project")
    bill.add_argument("project")
    bill.add_argument("--rate", required=True, help="money for an hour")
    bill.set_defaults(run=_invoice)
    return parser


def _add(options, store):
    entry = parse_quick(options.words, options.day)
    store.add(entry)
    return f"added {entry.minutes} minutes to {entry.project}"


def _report(options, store):
    return report.render(within(store.load(), *week_of(options.week)))


def _invoice(options, store):
    return invoice.render(invoice.lines_for(options.project, store.load(), options.rate))
