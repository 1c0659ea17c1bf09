"""The command `basis-portal statement`: a customer's statement of account as of a day."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any

from ..domain.statement import ACTIVITY, OPEN_ITEMS
from ..errors import InvalidValue
from .portal import add_by, add_portal_command, print_json, the_portal

_STATEMENT = """\
Prints the customer's statement of account as the customer sees it, with the balance and the open
amounts by age as of the last day. The statement must be switched on. It is a preview, and audited
as one.
"""


def add_statement(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    parser = add_portal_command(
        commands, "statement", _statement, "a customer's statement of account", _STATEMENT
    )
    parser.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    parser.add_argument("--as-of", metavar="DAY", type=_day, help="the last day, today without it")
    parser.add_argument(
        "--start", metavar="DAY", type=_day, help="the first day; that of the first entry without"
    )
    parser.add_argument("--open-items", action="store_true", help="only what is open on the day")
    add_by(parser)


def _day(text: str) -> dt.date:
    from ..demo.receivables import parse_day

    try:
        return parse_day("the day", text)
    except InvalidValue as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _statement(options: argparse.Namespace) -> int:
    from ..demo.view import statement_text

    with the_portal(options) as portal:
        access = portal.preview(options.customer, by=options.by)
        view = OPEN_ITEMS if options.open_items else ACTIVITY
        found = access.statement(options.start, options.as_of, view=view)
        name = access.customer.name
    if options.json:
        print_json({"customer_id": options.customer, "statement": found})
    else:
        for line in statement_text(found, name):
            print(line)
    return 0
