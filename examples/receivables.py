"""Read a receivables file, give every customer a link, print a statement and its aging.

    python examples/receivables.py CSV [--database FILE] [--as-of YYYY-MM-DD] [--json]

One row per document: kind,doc_id,customer,currency,date,due_date,amount,applies_to. The kind is
invoice, payment or credit_note; applies_to is the invoice that a payment or credit note settles,
empty where none. What it exceeds the invoice by stays unapplied. Where a row is bad, each bad
cell is named and nothing is imported.
"""

import argparse
import contextlib
import csv
import datetime as dt
import io
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from basis_portal import (
    Aging,
    Allocation,
    CurrencyStatement,
    Customer,
    Document,
    DocumentKind,
    DocumentStatus,
    EntryKind,
    LedgerEntry,
    Portal,
    PortalConfig,
    PortalError,
    format_amount,
    system_clock,
)
from basis_portal.storage.sqlite import SQLiteStorage

COLUMNS = ("kind", "doc_id", "customer", "currency", "date", "due_date", "amount", "applies_to")
KINDS = {kind.value: kind for kind in (EntryKind.INVOICE, EntryKind.PAYMENT, EntryKind.CREDIT_NOTE)}
PROBLEMS_SHOWN = 20


class BadInput(Exception):
    """The file or an option cannot be used; each argument is one line that says why."""


# --- reading the file -----------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One row of the file; ``due_date`` is None and ``applies_to`` empty where there is none."""

    line: int
    kind: EntryKind
    doc_id: str
    customer: str
    currency: str
    date: dt.date
    due_date: dt.date | None
    amount: Decimal
    applies_to: str


@dataclass(frozen=True)
class Problem:
    """A cell that breaks a rule."""

    line: int
    column: str
    rule: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.rule}"


def read_rows(path: Path) -> list[Row]:
    """All rows of the file. Raises `BadInput` that names every bad cell."""
    records = [*_records(path)]
    problems = [*_wrong_lengths(records)]
    records = [(line, cells) for line, cells in records if len(cells) == len(COLUMNS)]
    tables = [(line, dict(zip(COLUMNS, cells, strict=True))) for line, cells in records]
    problems += [*_repeated_ids(tables), *_wrong_targets(tables)]
    rows = [_row(line, cells, problems) for line, cells in tables]
    if problems:
        problems.sort(key=lambda problem: problem.line)
        shown = [f"{path}: {problem}" for problem in problems[:PROBLEMS_SHOWN]]
        more = len(problems) - len(shown)
        raise BadInput(
            *shown,
            *([f"{path}: and {more} more"] if more else []),
            f"{path}: nothing was imported, {_count(len(problems), 'cell')} to correct",
        )
    return [row for row in rows if row]


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header as they stand, each with the line it begins on."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            found = ",".join(header)[:200]
            raise BadInput(f"{path}: line 1 must be {','.join(COLUMNS)}, not {found!r}")
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path}: line {reader.line_num}: {error}") from None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}: line {line} is not UTF-8: {error.reason}") from None


def _wrong_lengths(records: Sequence[tuple[int, list[str]]]) -> Iterator[Problem]:
    for line, cells in records:
        rule = f"the row has {_count(len(cells), 'column')}, not {len(COLUMNS)}"
        if len(cells) < len(COLUMNS):
            yield Problem(line, COLUMNS[len(cells)], rule)
        elif len(cells) > len(COLUMNS):
            yield Problem(line, str(len(COLUMNS) + 1), rule)


def _repeated_ids(tables: Sequence[tuple[int, Mapping[str, str]]]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for line, cells in tables:
        doc_id = cells["doc_id"]
        if doc_id in first:
            yield Problem(
                line, "doc_id", f"{_cut(repr(doc_id))} stands on line {first[doc_id]} already"
            )
        first.setdefault(doc_id, line)


def _wrong_targets(tables: Sequence[tuple[int, Mapping[str, str]]]) -> Iterator[Problem]:
    invoices = {
        (cells["doc_id"], cells["customer"], cells["currency"])
        for _, cells in tables
        if cells["kind"] == "invoice"
    }
    for line, cells in tables:
        target = cells["applies_to"]
        if target and cells["kind"] == "invoice":
            yield Problem(
                line, "applies_to", f"must be empty for an invoice, not {_cut(repr(target))}"
            )
        elif target and (target, cells["customer"], cells["currency"]) not in invoices:
            account = f"{_cut(cells['customer'])} in {_cut(cells['currency'])}"
            yield Problem(line, "applies_to", f"{_cut(repr(target))} is no invoice of {account}")


def _row(line: int, cells: Mapping[str, str], problems: list[Problem]) -> Row | None:
    """The row, or None where a cell is bad; what is bad is added to ``problems``."""
    values: dict[str, Any] = {"line": line}
    for column in COLUMNS:
        # The due date of a payment or a credit note says nothing.
        ignored = column == "due_date" and cells["kind"] != "invoice"
        try:
            values[column] = None if ignored else CELLS[column](cells[column])
        except ValueError as error:
            problems.append(Problem(line, column, str(error)))
    return Row(**values) if len(values) == len(COLUMNS) + 1 else None


def _kind(text: str) -> EntryKind:
    if text not in KINDS:
        raise ValueError(f"must be one of {', '.join(KINDS)}, not {_cut(repr(text))}")
    return KINDS[text]


def _id(text: str) -> str:
    try:
        return Customer(id=text, name=text).id
    except PortalError as error:
        raise ValueError(str(error).partition(" ")[2]) from None


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise ValueError(
            f"must be a currency code of three capital letters, not {_cut(repr(text))}"
        )
    return text


def parse_day(text: str) -> dt.date:
    """The day of a text such as 2025-01-31. Raises `ValueError`."""
    try:
        if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"must be a date as YYYY-MM-DD, not {_cut(repr(text))}") from None


def _optional_day(text: str) -> dt.date | None:
    return parse_day(text) if text else None


def _amount(text: str) -> Decimal:
    if not re.fullmatch("-?[0-9]+([.][0-9]+)?", text):
        raise ValueError(f"must be a plain decimal number such as 50.39, not {_cut(repr(text))}")
    amount = Decimal(text)
    if not 0 < amount < 10**14:
        raise ValueError(f"must be above 0 and below 10^14, not {_cut(repr(text))}")
    if len(text.partition(".")[2]) > 4:
        raise ValueError(f"must have at most 4 decimals, not {_cut(repr(text))}")
    return amount


CELLS: Mapping[str, Callable[[str], object]] = {
    "kind": _kind,
    "doc_id": _id,
    "customer": _id,
    "currency": _currency,
    "date": parse_day,
    "due_date": _optional_day,
    "amount": _amount,
    "applies_to": str,
}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# --- into the storage -----------------------------------------------------------------------


def import_rows(storage: SQLiteStorage, rows: Sequence[Row]) -> None:
    """Save everything in one transaction."""
    documents = [_document(row) for row in rows if row.kind is not EntryKind.PAYMENT]
    payments = [_payment(row) for row in rows if row.kind is EntryKind.PAYMENT]

    def work(_: object) -> None:
        names = sorted({row.customer for row in rows})
        storage.customers.save(*(Customer(id=name, name=name) for name in names))
        storage.documents.save(*documents)
        storage.ledger.save(*map(LedgerEntry.of, documents), *payments)
        storage.ledger.allocate(*allocations(rows))

    storage.transact(work)


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


def allocations(rows: Sequence[Row]) -> Iterator[Allocation]:
    """What each credit settles of its invoice: by date, then doc_id, until nothing is open."""
    left = {row.doc_id: row.amount for row in rows if row.kind is EntryKind.INVOICE}
    settling = [row for row in rows if row.applies_to]
    for row in sorted(settling, key=lambda row: (row.date, row.doc_id)):
        part = min(row.amount, left[row.applies_to])
        if part:
            left[row.applies_to] -= part
            yield Allocation(row.doc_id, row.customer, row.applies_to, row.doc_id, part, row.date)


# --- what there is to see -------------------------------------------------------------------


def make_portal(storage: SQLiteStorage, as_of: dt.date) -> Portal:
    """A portal that is switched on and takes ``as_of`` for today."""
    noon = dt.datetime.combine(as_of, dt.time(12), dt.UTC)
    portal = Portal(
        storage,
        secret_keys=[secrets.token_hex(32)],
        base_url="https://erp.example.com/portal",
        clock=lambda: noon,
    )
    portal.settings.save(PortalConfig(enabled=True, show_credit_notes=True, show_statement=True))
    return portal


@dataclass(frozen=True)
class Balance:
    """One currency of one customer's account."""

    customer: str
    currency: str
    closing: Decimal
    aging: Aging

    @property
    def overdue(self) -> Decimal:
        """What is past its due date (its date where it has none)."""
        return self.aging.open_debits - self.aging["current"]

    def to_dict(self) -> dict[str, str]:
        """As the list of ``--json`` has it."""
        amounts = [("closing_balance", self.closing)]
        amounts += [(b.label.replace(" ", "_"), b.amount) for b in self.aging.buckets]
        amounts += [("unapplied_credits", self.aging.unapplied_credits)]
        plain = {name: format_amount(amount).replace(",", "") for name, amount in amounts}
        return {"customer": self.customer, "currency": self.currency, **plain}


def balances(portal: Portal, customers: Sequence[str]) -> list[Balance]:
    """What each customer would see of its account today, by customer, then currency."""
    return [
        Balance(customer, currency, one.closing_balance, one.aging)
        for customer in customers
        for currency, one in portal.preview(customer).statement().by_currency.items()
        if one.aging
    ]


# --- printing -------------------------------------------------------------------------------

WIDTH = 24


def report(
    portal: Portal, rows: Sequence[Row], found: Sequence[Balance], links: int, kept: str
) -> None:
    """Print what was read, one customer's statement, and the totals of all."""
    kinds = [row.kind for row in rows]
    counts = [_count(len({row.customer for row in rows}), "customer")]
    counts += [_count(kinds.count(kind), _kind_words(kind)) for kind in KINDS.values()]
    print(f"{_count(len(rows), 'row')}: {', '.join(counts)}. {kept}".rstrip())
    print(f"{_count(links, 'link')} generated.")
    if found:
        _print_account(portal, max(found, key=lambda one: (one.overdue, one.aging.open_debits)))
    for currency in sorted({one.currency for one in found}):
        agings = [one.aging for one in found if one.currency == currency]
        title = f"All customers, {currency} ({_count(len(agings), 'account')})"
        _print_aging(title, _added_up(map(_parts, agings)))
    due_days = [row.due_date or row.date for row in rows if row.kind is EntryKind.INVOICE]
    if due_days and not any(one.aging.open_debits for one in found):
        print(f"No invoice is open on {portal.today()}. Try --as-of {max(due_days)}.")


def _print_account(portal: Portal, balance: Balance) -> None:
    url = portal.tokens.link(balance.customer)
    why = " (most overdue)" if balance.overdue else ""
    print(f"The link of {balance.customer}{why}, and what it shows:\n\n  {url}\n")
    access = portal.open(url.rsplit("/", 1)[1])
    statement = access.statement()
    for currency, one in statement.by_currency.items():
        print(f"Statement of account of {access.customer.name}, {currency}, to {statement.end}\n")
        _print_lines(one)
        if one.aging:
            _print_aging(f"Aging of {access.customer.name}, {currency}", _parts(one.aging))


def _print_lines(statement: CurrencyStatement) -> None:
    cells: list[tuple[str, ...]] = [("Date", "What", "Number", "Charged", "Paid", "Balance")]
    for line in statement.lines:
        amounts = (line.charged, line.credited, line.balance)
        shown = ("" if amount is None else format_amount(amount) for amount in amounts)
        what = _kind_words(line.kind).capitalize()
        cells.append((str(line.date), what, _cut(line.number or ""), *shown))
    closing = format_amount(statement.closing_balance)
    cells.append(("", "", "Closing balance", "", "", closing))
    _print_table(cells, left=3)


def _parts(aging: Aging) -> list[tuple[str, Decimal]]:
    """Buckets, credits and total, each with its label."""
    parts = [(_age_words(bucket.label), bucket.amount) for bucket in aging.buckets]
    parts.append(("Credits not yet applied", aging.unapplied_credits))
    return [*parts, ("Total", aging.total)]


def _added_up(agings: Iterable[Sequence[tuple[str, Decimal]]]) -> list[tuple[str, Decimal]]:
    by_label: dict[str, Decimal] = {}
    for label, amount in (part for parts in agings for part in parts):
        by_label[label] = by_label.get(label, Decimal()) + amount
    return [*by_label.items()]


def _print_aging(title: str, parts: Iterable[tuple[str, Decimal]]) -> None:
    print(title)
    _print_table([(label, format_amount(amount)) for label, amount in parts], left=1)


def _print_table(rows: Sequence[Sequence[str]], *, left: int) -> None:
    """Print rows of cells in columns; after the first ``left`` ones they stand to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print(f"  {'  '.join(cells)}".rstrip())
    print()


def _kind_words(kind: EntryKind) -> str:
    return kind.replace("_", " ")


def _age_words(label: str) -> str:
    return "Not yet due" if label == "current" else f"{label.capitalize()} days overdue"


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


# --- the command ----------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 2 where the file or an option cannot be used."""
    options = _options(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        run(options.csv, options.database, options.as_of, as_json=options.json)
        sys.stdout.flush()
    except BadInput as error:
        print(*error.args, sep="\n", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (PortalError, OSError) as error:
        print(f"receivables.py: {error}", file=sys.stderr)
        return 1
    return 0


def run(path: Path, database: Path | None, as_of: dt.date, *, as_json: bool) -> None:
    """Import the file, generate the links, and print what was asked for."""
    rows = read_rows(path)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        storage = make_database(database or Path(folder, "receivables.db"), rows)
        stack.callback(storage.close)
        portal = make_portal(storage, as_of)
        customers = sorted({row.customer for row in rows})
        links = sum(result.token is not None for result in portal.tokens.ensure_many(customers))
        found = balances(portal, customers)
        if as_json:
            print(json.dumps([one.to_dict() for one in found], indent=1))
        else:
            kept = f"Kept in {database}." if database else ""
            report(portal, rows, found, links, kept)


def make_database(path: Path, rows: Sequence[Row]) -> SQLiteStorage:
    """A new database with all rows in it; where that fails, no file is left behind."""
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        raise BadInput(f"{path}: exists already; --database must name a new file") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be made: {error.strerror}") from None
    try:
        with contextlib.ExitStack() as on_failure:
            storage = SQLiteStorage(path)
            on_failure.callback(storage.close)
            import_rows(storage, rows)
            on_failure.pop_all()
    except BaseException:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                Path(f"{path}{suffix}").unlink()
        raise
    return storage


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="receivables.py", description="Statements and links from a receivables file."
    )
    parser.add_argument("csv", metavar="CSV", type=Path, help=f"columns: {','.join(COLUMNS)}")
    parser.add_argument("--database", metavar="FILE", type=Path, help="keep it in this new file")
    parser.add_argument(
        "--as-of",
        metavar="YYYY-MM-DD",
        type=_as_of,
        default=system_clock().astimezone().date(),
        help="the day that counts as today",
    )
    parser.add_argument("--json", action="store_true", help="print one list of all balances")
    return parser.parse_args(arguments)


def _as_of(text: str) -> dt.date:
    try:
        day = parse_day(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if day.year == dt.MAXYEAR:
        raise argparse.ArgumentTypeError("leaves no room for a link that lives 30 days")
    return day


if __name__ == "__main__":
    raise SystemExit(main())
