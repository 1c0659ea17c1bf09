"""A statement as CSV: streamed, with plain figures, and with no text that is a formula.

The names of columns and rows are the same in every language, so that an import written once
reads the files of all customers.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain, islice

from ..domain.aging import Aging, AgingBucket
from ..domain.ledger import LedgerEntry
from ..domain.money import ZERO, add, subtract, total
from ..domain.statement import ACTIVITY, OPEN_ITEMS, CurrencyStatement, StatementOfAccount
from ..errors import LedgerError
from .source import StatementSource

ACTIVITY_COLUMNS = (
    *("currency", "row", "date", "due_date", "kind", "number", "reference"),
    *("charged", "credited", "balance"),
)
OPEN_ITEMS_COLUMNS = (
    *("currency", "row", "date", "due_date", "kind", "number", "reference"),
    *("original", "open", "days_overdue"),
)
BOM = "\ufeff"
"""Without it Excel reads UTF-8 as something else."""
ROWS = 500  # to a piece of the file

Row = tuple[str, ...]

# Spreadsheets take a cell for a formula by its first character; some drop blanks before it.
# One that expects another separator, such as the semicolon of a German Excel, begins a cell
# in the middle of a text: so what would stand first after any separator counts as well.
_BEGINS_FORMULA = re.compile(
    "(?:^|[,;|\t\r\n])[\\s\u200b\u200e\u200f\u2060\ufeff'\"]*(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])"
)
_BEGINS_ODDLY = re.compile("^(?=[\t\r\n])")


def statement_csv(
    source: StatementSource,
    start: dt.date | None = None,
    end: dt.date | None = None,
    view: str = ACTIVITY,
    age_by: str = "due_date",
) -> Iterator[bytes]:
    """A statement as the pieces of a CSV file: UTF-8 with BOM, commas, CRLF.

    The activity is streamed: however long it is, about a thousand lines are held at a time,
    and the link is checked again for each thousand. The last row says ``end``; a file without
    it is not whole.

    Args:
        source: a `PortalAccess`.
        start: first day; the day of the first entry where None.
        end: last day; today where None or later than today.
        view: ``"activity"`` or ``"open_items"``.
        age_by: ``"due_date"`` or ``"date"``.

    Raises:
        SectionHidden: the statement is switched off for customers.
        LedgerError: the ledger contradicts itself, or changed while it was read.
        InvalidValue: an argument breaks its rule, or start is after end.

    What `PortalAccess.statement` would raise is raised by the call itself; what happens later,
    such as a revoked link, while the pieces are read.
    """
    statement = source.statement(start, end, view, age_by, lines=False)
    if view == OPEN_ITEMS:
        columns, rows = OPEN_ITEMS_COLUMNS, _open_items(statement)
    else:
        columns, rows = ACTIVITY_COLUMNS, _activity(source, statement)
    ending = (_row("", "end", *[""] * (len(columns) - 2)),)
    return _written(chain([columns], rows, ending))


def defused(text: str) -> str:
    """A text of a host or customer that no spreadsheet takes for a formula.

    An apostrophe goes before each character that would begin one, as OWASP advises.
    """
    return _BEGINS_ODDLY.sub("'", _BEGINS_FORMULA.sub(r"\g<0>'", text))


# --- rows -----------------------------------------------------------------------------------


def _activity(source: StatementSource, statement: StatementOfAccount) -> Iterator[Row]:
    first, last = statement.start, statement.end
    for currency, one in statement.by_currency.items():
        opening, charged, credited = one.opening_balance or ZERO, ZERO, ZERO
        yield _row(currency, "opening_balance", _day(first), *[""] * 6, _plain(opening))
        for line in source.statement_lines(currency, first, last):
            charged = add(charged, line.charged or ZERO)
            credited = add(credited, line.credited or ZERO)
            figures = (_plain(line.charged), _plain(line.credited), _plain(line.balance))
            yield _row(currency, "line", *_entry(line.entry), *figures)
        _check_whole(one, subtract(add(opening, charged), credited))
        sums = (_plain(charged), _plain(credited), "")
        yield _row(currency, "total", _day(last), *[""] * 4, *sums)
        closing = _plain(one.closing_balance)
        yield _row(currency, "closing_balance", _day(last), *[""] * 6, closing)
        for kind, amount in _ages(one.aging):
            figures = ("", "", _plain(amount))
            yield _row(currency, "aging", _day(last), "", kind, "", "", *figures)


def _open_items(statement: StatementOfAccount) -> Iterator[Row]:
    last = _day(statement.end)
    for currency, one in statement.by_currency.items():
        for item in one.open_items:
            late = item.days_overdue(statement.end)
            figures = (_plain(item.entry.signed_amount), _plain(item.signed_amount))
            days = "" if late is None else str(late)
            yield _row(currency, "open_item", *_entry(item.entry), *figures, days)
        whole = total(item.signed_amount for item in one.open_items)
        yield _row(currency, "total", last, *[""] * 5, _plain(whole), "")
        for kind, amount in _ages(one.aging):
            yield _row(currency, "aging", last, "", kind, "", "", "", _plain(amount), "")


def _entry(entry: LedgerEntry) -> Row:
    due = entry.due_date if entry.is_debit else None
    texts = (defused(entry.number or ""), defused(entry.reference or ""))
    return (_day(entry.date), _day(due), entry.kind.value, *texts)


def _ages(aging: Aging | None) -> Iterator[tuple[str, Decimal]]:
    assert aging is not None  # asked for
    yield from ((_name(bucket), bucket.amount) for bucket in aging.buckets)
    yield "unapplied_credits", aging.unapplied_credits
    yield "total", aging.total


def _name(bucket: AgingBucket) -> str:
    """``overdue_1_30``: a plain ``1-30`` becomes a day of January in a spreadsheet."""
    if bucket.first is None:
        return bucket.label
    return "overdue_" + bucket.label.replace("-", "_").replace(" ", "_")


def _check_whole(one: CurrencyStatement, closing: Decimal) -> None:
    """Refuse a statement whose lines, read one after another, are not those it began with."""
    if closing != one.closing_balance:
        raise LedgerError(
            f"the lines in {one.currency} lead to {closing}, not to the closing balance of "
            f"{one.closing_balance}: the account changed while its statement was read"
        )


# --- cells and pieces -----------------------------------------------------------------------


def _row(*cells: str) -> Row:
    return cells


def _day(day: dt.date | None) -> str:
    return "" if day is None else day.isoformat()


def _plain(amount: Decimal | None) -> str:
    """An amount as it is, without an exponent and without signs that group."""
    return "" if amount is None else f"{amount:f}"


def _written(rows: Iterable[Row]) -> Iterator[bytes]:
    rest, mark = iter(rows), BOM
    while some := list(islice(rest, ROWS)):
        text = io.StringIO(newline="")
        text.write(mark)
        csv.writer(text, lineterminator="\r\n").writerows(some)
        yield text.getvalue().encode()
        mark = ""
