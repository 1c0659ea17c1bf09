"""Post a file of receivables into Tryton, and compare the portal's figures with Tryton's own.

    python examples/hosts/tryton_erp/compare.py FILE [--customers 10]

For each customer, as of several days: the closing balance of the statement against Tryton's
account of the party, its open total against Tryton's aged balance, and what is open of each
invoice against the lines that Tryton had not reconciled by then. As of today also the party's
receivable and the amount to pay of each invoice. All to the cent; the status is 1 where one
differs.
"""

import argparse
import datetime as dt
import secrets
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import database
import receivables_file
from portal_repositories import (
    Company,
    TrytonCustomers,
    TrytonDocuments,
    TrytonLedger,
    document_id,
)
from trytond.pool import Pool
from trytond.transaction import Transaction

from basis_portal import DocumentKind, Portal, PortalAccess, PortalConfig
from basis_portal.storage.memory import InMemoryStorage

CENT = Decimal("0.01")
Figures = dict[str, Decimal]
"""Amounts by what they are: ``balance``, ``open``, the id of an invoice."""


# --- what Tryton says -----------------------------------------------------------------------


class TrytonFigures:
    """Tryton's own reports on the parties of one company, whose books are in one currency."""

    def __init__(self, company: int, user: int) -> None:
        self.company = company
        self.user = user

    def as_of(self, day: dt.date) -> dict[str, Figures]:
        """By party: its account, its aged balance and the lines not reconciled, as of a day."""
        context = {"company": self.company, "date": day, "posted": True}
        found: dict[str, Figures] = defaultdict(dict)
        with self._reading(**context, type="customer", unit="day", term1=30, term2=60, term3=90):
            pool = Pool()
            for one in pool.get("account.account.party").search(
                [("account.type.receivable", "=", True), ("company", "=", self.company)]
            ):
                found[str(one.party.id)]["balance"] = _cents(one.balance)
            for one in pool.get("account.aged_balance").search([]):
                found[str(one.party.id)]["open"] = _cents(one.balance)
            for invoice in pool.get("account.invoice").search(_posted(self.company)):
                amount = sum(map(_owed, _open_lines(invoice, day)), Decimal())
                if amount:
                    found[str(invoice.party.id)][_invoice_id(invoice)] = amount
        return found

    def today(self) -> dict[str, Figures]:
        """By party: what it owes, and the amount to pay of each of its posted invoices."""
        found: dict[str, Figures] = defaultdict(dict)
        with self._reading(company=self.company):
            pool = Pool()
            for party in pool.get("party.party").search([]):
                found[str(party.id)]["receivable"] = party.receivable
            for invoice in pool.get("account.invoice").search(_posted(self.company)):
                name = _invoice_id(invoice)
                found[str(invoice.party.id)][name] = invoice.amount_to_pay or Decimal()
        return found

    def _reading(self, **context: Any) -> Transaction:
        return Transaction(new=True).start(
            database.NAME, self.user, readonly=True, context={**context, "active_test": False}
        )


def _cents(amount: Any) -> Decimal:
    """SQLite adds up in floats; Tryton rounds what it shows."""
    return Decimal(str(amount or 0)).quantize(CENT)


def _posted(company: int) -> list[Any]:
    return [("company", "=", company), ("type", "=", "out"), ("state", "in", ["posted", "paid"])]


def _invoice_id(invoice: Any) -> str:
    return document_id(DocumentKind.SALES_INVOICE, invoice.id)


def _open_lines(invoice: Any, day: dt.date) -> Iterator[Any]:
    """The lines that Tryton's amount to pay is made of, as they were on a day."""
    for line in (*invoice.lines_to_pay, *invoice.payment_lines):
        reconciled = line.reconciliation and line.reconciliation.date <= day
        if line.move.date <= day and not reconciled:
            yield line


def _owed(line: Any) -> Decimal:
    return line.amount_second_currency if line.second_currency else line.debit - line.credit


# --- what the portal says -------------------------------------------------------------------


def make_portal(company: int) -> Portal:
    """A portal over the company that keeps its own state nowhere."""
    read = Company(database.NAME, company)
    portal = Portal(
        InMemoryStorage(),
        customers=TrytonCustomers(read),
        documents=TrytonDocuments(read),
        ledger=TrytonLedger(read),
        secret_keys=[secrets.token_hex(32)],
        base_url="https://erp.example.com/portal",
    )
    portal.settings.save(PortalConfig(enabled=True, show_statement=True, show_credit_notes=True))
    return portal


def as_of(access: PortalAccess, day: dt.date) -> Figures:
    """What a customer's statement says of a day."""
    figures: Figures = {}
    for one in access.statement(end=day).by_currency.values():
        assert one.aging is not None
        parts = [bucket.amount for bucket in one.aging.buckets] + [one.aging.unapplied_credits]
        assert sum(parts) == one.aging.total
        figures |= {"balance": one.closing_balance, "open": one.aging.total}
        for item in one.open_items:
            if name := item.entry.document_id:
                amount = item.open_amount if item.entry.is_debit else -item.open_amount
                figures[name] = figures.get(name, Decimal()) + amount
    return figures


def today(access: PortalAccess) -> Figures:
    """What a customer sees of its account and of each document now."""
    figures = {"receivable": Decimal()}
    for one in access.summary().by_currency.values():
        figures["receivable"] += one.balance or Decimal()
    for kind, sign in ((DocumentKind.SALES_INVOICE, 1), (DocumentKind.CREDIT_NOTE, -1)):
        after = None
        while True:
            page = access.documents(kind, after=after, limit=200)
            figures |= {one.id: sign * (one.open_amount or Decimal()) for one in page}
            if (after := page.next) is None:
                break
    return figures


# --- both -----------------------------------------------------------------------------------


def differences(
    portal: Portal, tryton: TrytonFigures, customers: Sequence[str], days: Sequence[dt.date]
) -> Iterator[str]:
    """Each figure that is not the same, in words."""
    theirs = {day: tryton.as_of(day) for day in days}
    now = tryton.today()
    for customer in customers:
        access = portal.preview(customer)
        for day in days:
            yield from _unequal(
                customer, f"{day}", as_of(access, day), theirs[day].get(customer, {})
            )
        yield from _unequal(customer, "today", today(access), now.get(customer, {}))


def _unequal(customer: str, day: str, ours: Figures, theirs: Figures) -> Iterator[str]:
    for name in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(name, Decimal()), theirs.get(name, Decimal())
        if mine != other:
            yield f"customer {customer}, {day}, {name}: the portal says {mine}, Tryton {other}"


def days_between(first: dt.date, last: dt.date, count: int) -> list[dt.date]:
    """So many days, evenly apart, the last one included."""
    step = (last - first) / count
    return [first + step * number for number in range(1, count)] + [last]


def main() -> int:
    """Run the command."""
    options = _options()
    rows = receivables_file.read_rows(options.csv)
    if options.customers:
        rows = receivables_file.first_customers(rows, options.customers)
    invoices = sum(row.kind == "invoice" for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        database.use_folder(options.data or Path(folder))
        database.create_database()
        made = time.monotonic()
        print(f"Tryton's database made in {made - started:.0f} s.", flush=True)
        company, user, parties = load(rows)
        posted = time.monotonic()
        print(f"{len(rows):,} rows posted in {posted - made:.0f} s.", flush=True)
        first, last = min(row.date for row in rows), max(row.date for row in rows)
        days = days_between(first, last, options.days)
        found = list(
            differences(
                make_portal(company), TrytonFigures(company, user), [*parties.values()], days
            )
        )
        print(*found[:20], sep="\n", end="\n" if found else "")
        print(
            f"{len(parties)} customers, {invoices:,} invoices, {len(days)} days and today compared"
            f" in {time.monotonic() - posted:.0f} s; differences: {len(found)}."
        )
    return 1 if found else 0


def load(rows: Sequence[receivables_file.Row]) -> tuple[int, int, dict[str, str]]:
    """The rows in a new company's books: its id, that of a user, each customer's party."""
    years = {row.date.year for row in rows} | {row.due_date.year for row in rows}
    currencies = sorted({row.currency for row in rows})
    company = database.create_company(
        "The seller of the file",
        currencies[0],
        dict.fromkeys(currencies[1:], "1"),
        range(min(years), max(years) + 1),
    )
    user = database.write(
        lambda: database.create_user("compare", secrets.token_hex(), company, "group_account")
    )
    return company, user, receivables_file.post(rows, company)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the portal's figures with Tryton's own.")
    parser.add_argument("csv", metavar="FILE", type=Path, help="a file of receivables")
    parser.add_argument("--customers", metavar="N", type=int, help="only the first N customers")
    parser.add_argument("--days", metavar="N", type=int, default=8, help="days to compare")
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="keep the database here")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (receivables_file.BadInput, OSError) as error:
        sys.exit(f"compare.py: {error}")
