"""A receivables file of the user's own: read, checked, and served as a seller's portal.

One row per document: kind,doc_id,customer,currency,date,due_date,amount,applies_to. The kind is
invoice, payment or credit_note; applies_to is the invoice that a payment or credit note settles,
empty where none. What it exceeds the invoice by stays unapplied.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import secrets
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import attrs

from ..clock import Clock
from ..domain.allocation import OpenItem, counted_on, open_items, parts_by_allocation
from ..domain.checks import check_currency, check_id
from ..domain.config import PortalConfig
from ..domain.customers import Customer
from ..domain.documents import Document, DocumentKind, DocumentStatus
from ..domain.ledger import Allocation, EntryKind, LedgerEntry
from ..domain.money import ZERO, add, check_amount, subtract
from ..domain.summary import AccountSummary, summarize
from ..errors import InvalidValue, shown
from ..portal import Portal
from ..repositories import FullStorage
from . import seller
from .text import money, show_day

COLUMNS = ("kind", "doc_id", "customer", "currency", "date", "due_date", "amount", "applies_to")
KINDS = {kind.value: kind for kind in (EntryKind.INVOICE, EntryKind.PAYMENT, EntryKind.CREDIT_NOTE)}
PROBLEMS_SHOWN = 20
NAME_SHOWN = 30
OWN = "Your company"  # the file does not say whose it is

DAY = dt.timedelta(days=1)

Cells = Mapping[str, str]
Span = tuple[dt.date, dt.date]


# --- reading the file -----------------------------------------------------------------------


@attrs.define(frozen=True)
class Row:
    """One row of the file; ``due_date`` is None and ``applies_to`` empty where there is none."""

    kind: EntryKind
    doc_id: str
    customer: str
    currency: str
    date: dt.date
    due_date: dt.date | None
    amount: Decimal
    applies_to: str


@attrs.define(frozen=True)
class Problem:
    """A cell that breaks a rule."""

    line: int
    column: str
    rule: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.rule}"


def read_receivables(path: Path) -> Receivables:
    """What the file says. Raises `InvalidValue` that names each bad cell, one on a line."""
    records = [*_records(path)]
    tables = [
        (line, dict(zip(COLUMNS, cells, strict=True)))
        for line, cells in records
        if len(cells) == len(COLUMNS)
    ]
    problems = [*_wrong_lengths(records), *_repeated_ids(tables), *_wrong_targets(tables)]
    rows = [_row(line, cells, problems) for line, cells in tables]
    if problems:
        raise InvalidValue("\n".join(f"{path}: {one}" for one in _report(problems)))
    if not rows:
        raise InvalidValue(f"{path}: there is no row below the header")
    return Receivables(path.name, tuple(row for row in rows if row))


def _report(problems: Sequence[Problem]) -> Iterator[str]:
    """The first problems in the order of their lines, and how many there are."""
    yield from map(str, sorted(problems, key=lambda one: one.line)[:PROBLEMS_SHOWN])
    if len(problems) > PROBLEMS_SHOWN:
        yield f"and {len(problems) - PROBLEMS_SHOWN:,} more"
    yield f"nothing was imported, {count(len(problems), 'cell')} to correct"


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header as they stand, each with the line it begins on."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            found = shown(",".join(header))
            raise InvalidValue(f"{path}: line 1 must be {','.join(COLUMNS)}, not {found}")
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidValue(f"{path}: line {reader.line_num}: {error}") from None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidValue(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidValue(f"{path}: line {line} is not UTF-8: {error.reason}") from None


def _wrong_lengths(records: Iterable[tuple[int, list[str]]]) -> Iterator[Problem]:
    for line, cells in records:
        if len(cells) != len(COLUMNS):
            column = COLUMNS[len(cells)] if len(cells) < len(COLUMNS) else str(len(COLUMNS) + 1)
            rule = f"the row has {count(len(cells), 'column')}, not {len(COLUMNS)}"
            yield Problem(line, column, rule)


def _repeated_ids(tables: Iterable[tuple[int, Cells]]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for line, cells in tables:
        known = first.setdefault(cells["doc_id"], line)
        if known != line:
            yield Problem(line, "doc_id", f"{shown(cells['doc_id'])} stands on line {known} too")


def _wrong_targets(tables: Sequence[tuple[int, Cells]]) -> Iterator[Problem]:
    def account(name: str, cells: Cells) -> tuple[str, str, str]:
        return name, cells["customer"], cells["currency"]

    invoices = {account(cells["doc_id"], cells) for _, cells in tables if _is_invoice(cells)}
    for line, cells in tables:
        target = cells["applies_to"]
        if target and _is_invoice(cells):
            rule = f"must be empty for an invoice, not {shown(target)}"
            yield Problem(line, "applies_to", rule)
        elif target and account(target, cells) not in invoices:
            whose = f"{shown(cells['customer'])} in {shown(cells['currency'])}"
            yield Problem(line, "applies_to", f"{shown(target)} is no invoice of {whose}")


def _is_invoice(cells: Cells) -> bool:
    return cells["kind"] == EntryKind.INVOICE


def _row(line: int, cells: Cells, problems: list[Problem]) -> Row | None:
    """The row, or None where a cell is bad; what is bad is added to ``problems``."""
    values: dict[str, Any] = {}
    for column, check in CELLS.items():
        # The due date of a payment or a credit note says nothing.
        ignored = column == "due_date" and not _is_invoice(cells)
        try:
            values[column] = None if ignored else check(column, cells[column])
        except InvalidValue as error:  # which begins with the name of the column
            problems.append(Problem(line, column, str(error).removeprefix(f"{column} ")))
    return Row(**values) if len(values) == len(CELLS) else None


def _kind(column: str, text: str) -> EntryKind:
    if text not in KINDS:
        raise InvalidValue.of(column, text, f"must be one of {', '.join(KINDS)}")
    return KINDS[text]


def parse_day(name: str, text: str) -> dt.date:
    """The day of a text such as 2025-01-31. Raises `InvalidValue`."""
    try:
        if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidValue.of(name, text, "must be a date as YYYY-MM-DD") from None


def _optional_day(column: str, text: str) -> dt.date | None:
    return parse_day(column, text) if text else None


def _amount(column: str, text: str) -> Decimal:
    if not re.fullmatch("-?[0-9]+([.][0-9]+)?", text):
        raise InvalidValue.of(column, text, "must be a plain decimal number such as 50.39")
    if text.startswith("-") or not text.strip("0."):
        raise InvalidValue.of(column, text, "must be above zero: the kind says what it does")
    return check_amount(column, Decimal(text))


def _as_it_is(_: str, text: str) -> str:
    return text


CELLS: Mapping[str, Callable[[str, str], object]] = {
    "kind": _kind,
    "doc_id": check_id,
    "customer": check_id,
    "currency": check_currency,
    "date": parse_day,
    "due_date": _optional_day,
    "amount": _amount,
    "applies_to": _as_it_is,
}


def count(number: int, noun: str) -> str:
    """A number of things in words: ``1 row``, ``4,932 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def cut(text: str) -> str:
    """Text of the user's as one short line: the name of a file or a customer."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= NAME_SHOWN else f"{line[: NAME_SHOWN - 3]}..."


# --- what it says ---------------------------------------------------------------------------


@attrs.define(frozen=True, slots=False, eq=False)
class Receivables:
    """The rows of a file as documents and a ledger, and what stands open on a day.

    Attributes:
        name: the name of the file, without its folder.
        rows: its rows, at least one.
    """

    name: str
    rows: tuple[Row, ...]

    @cached_property
    def customers(self) -> list[str]:
        """The ids of the customers, A to Z."""
        return sorted({row.customer for row in self.rows})

    @cached_property
    def documents(self) -> list[Document]:
        """The invoices and credit notes."""
        return [_document(row) for row in self.rows if row.kind is not EntryKind.PAYMENT]

    @cached_property
    def entries(self) -> list[LedgerEntry]:
        """What is on the accounts."""
        payments = [_payment(row) for row in self.rows if row.kind is EntryKind.PAYMENT]
        return [*map(LedgerEntry.of, self.documents), *payments]

    @cached_property
    def allocations(self) -> list[Allocation]:
        """What each credit settles of its invoice: by date, then doc_id, until nothing is open."""
        left = {row.doc_id: row.amount for row in self.rows if row.kind is EntryKind.INVOICE}
        found = []
        for row in sorted(self.rows, key=lambda one: (one.date, one.doc_id)):
            name, target = row.doc_id, row.applies_to
            if target and (part := min(row.amount, left[target])):
                left[target] = subtract(left[target], part)
                found.append(Allocation(name, row.customer, target, name, part, row.date))
        return found

    def counts(self) -> str:
        """How many rows of what: ``4,932 rows: 100 customers, ...``."""
        kinds = Counter(row.kind for row in self.rows)
        told = [count(len(self.customers), "customer")]
        told += [
            count(kinds[kind], kind.replace("_", " "))
            for kind in KINDS.values()
            if kinds[kind] or kind is not EntryKind.CREDIT_NOTE
        ]
        return f"{count(len(self.rows), 'row')}: {', '.join(told)}."

    def summaries(self, day: dt.date) -> dict[str, AccountSummary]:
        """The account of each customer at a glance, as of a day."""
        entries: dict[str, list[LedgerEntry]] = defaultdict(list)
        allocations: dict[str, list[Allocation]] = defaultdict(list)
        for entry in self.entries:
            entries[entry.customer_id].append(entry)
        for one in self.allocations:
            allocations[one.customer_id].append(one)
        return {
            customer: summarize(
                _open(entries[customer], allocations[customer], day),
                day,
                currencies=(),
                last_payments={},
            )
            for customer in self.customers
        }

    def telling_day(self) -> dt.date | None:
        """A late day of the file on which many invoices are overdue, or at least open.

        None where no invoice is open on any day of the file.
        """
        invoices = [entry for entry in self.entries if entry.is_debit]
        days = sorted({day for row in self.rows for day in (row.date, row.due_date) if day})
        settled = self._settled_on()
        late = [
            (max(one.date, one.due_date + DAY), settled[one.id]) for one in invoices if one.due_date
        ]
        found = [(one.date, settled[one.id]) for one in invoices]
        return _latest_busy(days, late) or _latest_busy(days, found)

    def _settled_on(self) -> dict[str, dt.date]:
        """The day from which nothing is open of an invoice, by its id."""
        entries = {entry.id: entry for entry in self.entries}
        left = {entry.id: entry.amount for entry in self.entries if entry.is_debit}
        settled = dict.fromkeys(left, dt.date.max)
        for one in self.allocations:
            debit = entries[one.debit_id]
            left[debit.id] = subtract(left[debit.id], one.amount)
            if not left[debit.id]:
                settled[debit.id] = counted_on(one, debit, entries[one.credit_id])
        return settled


def _latest_busy(days: Sequence[dt.date], spans: Iterable[Span]) -> dt.date | None:
    """The latest day on which at least half as many spans are under way as on any other."""
    real = [(first, over) for first, over in spans if first < over]
    begun, ended = sorted(first for first, _ in real), sorted(over for _, over in real)
    under_way = [bisect_right(begun, day) - bisect_right(ended, day) for day in days]
    most = max(under_way)
    busy = [day for day, many in zip(days, under_way, strict=True) if many and 2 * many >= most]
    return busy[-1] if busy else None


def _open(
    entries: Sequence[LedgerEntry], allocations: Sequence[Allocation], day: dt.date
) -> list[OpenItem]:
    return open_items(entries, parts_by_allocation(entries, allocations, day), day)


def _document(row: Row) -> Document:
    is_invoice = row.kind is EntryKind.INVOICE
    return Document(
        id=row.doc_id,
        customer_id=row.customer,
        kind=DocumentKind.SALES_INVOICE if is_invoice else DocumentKind.CREDIT_NOTE,
        status=DocumentStatus.ISSUED,
        number=row.doc_id,
        date=row.date,
        currency=row.currency,
        total=row.amount,
        due_date=row.due_date,
    )


def _payment(row: Row) -> LedgerEntry:
    return LedgerEntry(
        id=row.doc_id,
        customer_id=row.customer,
        currency=row.currency,
        date=row.date,
        kind=EntryKind.PAYMENT,
        amount=row.amount,
        number=row.doc_id,
    )


# --- how it stands on a day -----------------------------------------------------------------


@attrs.define(frozen=True)
class Standing:
    """What is open on a day, of all customers and of the one to look at first.

    Attributes:
        receivables: the file.
        day: the day.
        summaries: the account of each customer at a glance.
    """

    receivables: Receivables
    day: dt.date
    summaries: Mapping[str, AccountSummary]

    @classmethod
    def of(cls, receivables: Receivables, day: dt.date) -> Standing:
        """How the file stands on this day."""
        return cls(receivables, day, receivables.summaries(day))

    def first(self) -> tuple[str, str]:
        """The customer with most overdue, else with most open, else with most rows; and why."""
        found = [
            (one.overdue, one.open, customer, one.currency)
            for customer, summary in self.summaries.items()
            for one in summary.by_currency.values()
            if one.open
        ]
        if not found:
            rows = Counter(row.customer for row in self.receivables.rows)
            customer, most = max(sorted(rows.items()), key=itemgetter(1))
            return customer, f"nothing open, {count(most, 'row')}"
        overdue, open_amount, customer, currency = max(found, key=itemgetter(0, 1))
        if overdue:
            return customer, f"most overdue: {money(currency, overdue)}"
        return customer, f"most open: {money(currency, open_amount)}"

    def lines(self, *, today: bool) -> Iterator[str]:
        """What was read and what is open in each currency; if nothing is, a day to try instead.

        Args:
            today: False where the day was asked for.
        """
        yield self.receivables.counts()
        when = "today" if today else f"on {show_day(self.day)}"
        open_amounts, overdue = self._totals()
        for currency, amount in sorted(open_amounts.items()):
            late = money(currency, overdue[currency])
            yield f"Open {when}: {money(currency, amount)}, of which {late} overdue."
        if not open_amounts:
            yield self._nothing_open(when)

    def _totals(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """What is open and what is overdue, by currency."""
        open_amounts: dict[str, Decimal] = {}
        overdue: dict[str, Decimal] = {}
        for summary in self.summaries.values():
            for currency, one in summary.by_currency.items():
                if one.open:
                    open_amounts[currency] = add(open_amounts.get(currency, ZERO), one.open)
                    overdue[currency] = add(overdue.get(currency, ZERO), one.overdue)
        return open_amounts, overdue

    def _nothing_open(self, when: str) -> str:
        if min(row.date for row in self.receivables.rows) > self.day:
            said = f"Nothing in this file is dated {show_day(self.day)} or earlier."
        else:
            said = f"Everything in this file is settled {when}."
        day = self.receivables.telling_day()
        return f"{said} Try --as-of {day}." if day else said


# --- a portal of it -------------------------------------------------------------------------


def make_portal(
    storage: FullStorage,
    receivables: Receivables,
    clock: Clock,
    *,
    base_url: str,
    today: bool = True,
) -> Portal:
    """Fill an empty storage, give each customer a link and return the portal.

    Where the clock shows a day that was asked for (``today`` is False), later documents are
    left out: nobody had them on that day.
    """
    portal = Portal(storage, secret_keys=[secrets.token_hex(32)], base_url=base_url, clock=clock)
    last = dt.date.max if today else portal.today()

    def write_down(_: object) -> None:
        storage.customers.save(*(Customer(name, name) for name in receivables.customers))
        storage.documents.save(*(one for one in receivables.documents if one.date <= last))
        storage.ledger.save(*receivables.entries)
        storage.ledger.allocate(*receivables.allocations)

    storage.transact(write_down)
    config = PortalConfig(
        enabled=True, show_credit_notes=True, show_statement=True, allow_messages=True
    )
    portal.settings.save(config, by=seller.STAFF)
    for _ in portal.tokens.ensure_many(receivables.customers, by=seller.STAFF):
        pass
    return portal
