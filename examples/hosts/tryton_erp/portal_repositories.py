"""Parties, invoices, sales and the ledger of one company in Tryton, read for the portal.

Everything goes through Tryton's own models, as all activated modules have made them; nothing
is written.
"""

# ruff: noqa: D102 - the protocols of basis_portal say what the methods do

import contextlib
import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from decimal import Decimal
from zoneinfo import ZoneInfo

from trytond import backend
from trytond.pool import Pool
from trytond.tools import escape_wildcard
from trytond.transaction import Transaction

from basis_portal import (
    Customer,
    Document,
    DocumentKind,
    DocumentLine,
    DocumentStatus,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    Page,
    Settlements,
    StorageError,
)

ISSUED = ["posted", "paid", "confirmed", "processing", "done"]  # a quotation is no order yet
INVOICES = ("account.invoice", "invoice_date", "invoice")
MODELS = {  # the model of each kind, its date, and how ids begin
    DocumentKind.SALES_INVOICE: INVOICES,
    DocumentKind.CREDIT_NOTE: INVOICES,
    DocumentKind.SALES_ORDER: ("sale.sale", "sale_date", "sale"),
}
ENTRY_KINDS = {  # of a debit and of a credit, by the type of the journal
    "invoice": (EntryKind.INVOICE, EntryKind.CREDIT_NOTE),
    "cash": (EntryKind.REFUND, EntryKind.PAYMENT),
    "write-off": (EntryKind.DEBIT_ADJUSTMENT, EntryKind.WRITE_OFF),
}
ADJUSTMENTS = (EntryKind.DEBIT_ADJUSTMENT, EntryKind.CREDIT_ADJUSTMENT)


def document_id(kind, number):
    """Of a document; of one length, so that as texts they are in the order of the numbers."""
    return f"{MODELS[kind][2]}-{number:010}"


def record_id(text):
    """The number that Tryton knows a party by; 0, which no record has, where it is none."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= 10
    return int(text) if is_number and str(int(text)) == text else 0


class Company:
    """One company of a Tryton database, and the way to read it."""

    def __init__(self, database, company):
        self.database = database
        self.id = company

    @contextlib.contextmanager
    def read(self):
        """A read-only transaction of its own on this thread, also within one of Tryton's.

        As Tryton's root, without access rules (the repositories name the party in each search),
        and with records that were deactivated.
        """
        context = {"company": self.id, "active_test": False, "language": "en"}
        transaction = Transaction(new=True)
        try:
            with transaction.start(self.database, 0, readonly=True, context=context):
                yield Pool(self.database)
        except backend.DatabaseOperationalError as error:
            raise StorageError("Tryton's database cannot be read") from error


class TrytonCustomers:
    """Parties. Tryton does not say who is a customer: all are, but the company itself."""

    def __init__(self, company):
        self._company = company

    def get(self, customer_id):
        return self.get_many([customer_id]).get(customer_id)

    def get_many(self, customer_ids):
        ids = [number for one in customer_ids if (number := record_id(one))]
        return {one.id: one for one in self._search([("id", "in", ids)])}

    def search(self, text="", *, after=None, limit=50):
        """In the order in which they were entered; what is looked at is up to Tryton."""
        if after is not None and self.get(after) is None:
            raise InvalidValue("after must be the next= of an earlier page", field="after")
        domain = [("id", ">", record_id(after or ""))]
        if text:
            domain.append(("rec_name", "ilike", f"%{escape_wildcard(text)}%"))
        found = self._search(domain, limit + 1)
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def _search(self, domain, limit=None):
        with self._company.read() as pool:
            itself = pool.get("company.company")(self._company.id).party.id
            domain = [*domain, ("id", "!=", itself)]
            parties = pool.get("party.party").search(domain, limit=limit, order=[("id", "ASC")])
            return [_customer(party) for party in parties]


def _customer(party):
    email = party.contact_mechanism_get("email", usage="invoice")
    return Customer(
        id=str(party.id),
        name=party.rec_name,
        email=email and email.value,
        number=party.code,
        language=party.lang and party.lang.code.replace("_", "-"),
        blocked=not party.active,
    )


class TrytonDocuments:
    """Customers' invoices, credit notes (which are invoices below zero) and sales."""

    def __init__(self, company):
        self._company = company

    def get(self, customer_id, document_id):
        for kind in DocumentKind:
            for found in self._search(customer_id, kind, [_id_in(kind, [document_id])], 1):
                return found
        return None

    def page(self, customer_id, kind, *, after=None, limit=50, search=None, year=None, ids=None):
        date = MODELS[kind][1]
        domain = [("state", "in", ISSUED)]
        if search is not None:
            start = f"{escape_wildcard(search)}%"
            domain.append(["OR", ("number", "ilike", start), ("reference", "ilike", start)])
        if year is not None:
            domain += [(date, ">=", dt.date(year, 1, 1)), (date, "<=", dt.date(year, 12, 31))]
        if ids is not None:
            domain.append(_id_in(kind, ids))
        if after is not None:
            place = bisect_left(range(2**31), after[1], key=lambda one: document_id(kind, one))
            same_day = [(date, "=", after[0]), ("id", "<", place)]
            domain.append(["OR", (date, "<", after[0]), same_day])
        return self._search(customer_id, kind, domain, limit)

    def _search(self, customer_id, kind, domain, limit):
        model, date, _ = MODELS[kind]
        party = ("party", "=", record_id(customer_id))
        domain = [*domain, party, ("company", "=", self._company.id)]
        if kind is not DocumentKind.SALES_ORDER:
            below = kind is DocumentKind.CREDIT_NOTE
            domain += [("type", "=", "out"), ("total_amount", "<" if below else ">=", 0)]
        with self._company.read() as pool:
            order = [(date, "DESC"), ("id", "DESC")]
            found = pool.get(model).search(domain, limit=limit, order=order)
            return [_document(one, kind, getattr(one, date)) for one in found]


def _id_in(kind, ids):
    numbers = [record_id(one[-10:].lstrip("0")) for one in ids]
    return ("id", "in", [one for one in numbers if document_id(kind, one) in ids])


def _document(record, kind, date):
    sign = -1 if kind is DocumentKind.CREDIT_NOTE else 1
    is_invoice = kind is not DocumentKind.SALES_ORDER
    sales = record.sales if is_invoice else ()
    dues = [line.maturity_date for line in record.lines_to_pay] if is_invoice else ()
    is_issued = DocumentStatus.ISSUED if record.state in ISSUED else DocumentStatus.DRAFT
    return Document(
        id=document_id(kind, record.id),
        customer_id=str(record.party.id),
        kind=kind,
        status=DocumentStatus.CANCELLED if record.state == "cancelled" else is_issued,
        number=record.number or record.rec_name,
        date=date or record.create_date.date(),
        currency=record.currency.code,
        total=sign * record.total_amount,
        due_date=max(filter(None, dues), default=None) if sign > 0 else None,
        net=sign * record.untaxed_amount,
        tax=sign * record.tax_amount,
        reference=record.reference or None,
        order_number=sales[0].number if len(sales) == 1 else None,
        lines=[_line(line, sign) for line in record.line_lines],
    )


def _line(line, sign):
    return DocumentLine(
        description=(line.description or line.product_name or "")[:4000],
        quantity=sign * Decimal(str(round(line.quantity or 0, 8))),
        unit_price=line.unit_price,
        amount=sign * line.amount,
    )


class TrytonLedger:
    """Posted lines of receivable accounts, and what Tryton reconciled or marked as payment."""

    def __init__(self, company):
        self._company = company

    def entries(self, customer_id, *, start=None, end=None):
        first, last = start or dt.date.min, end or dt.date.max
        return [one for one in self._account(customer_id).entries if first <= one.date <= last]

    def allocations(self, customer_id):
        return self._account(customer_id).allocations

    def _account(self, customer_id):
        with self._company.read() as pool:
            mine = [("party", "=", record_id(customer_id))]
            lines = self._lines(pool, mine)
            posted = [*mine, ("company", "=", self._company.id), ("move", "!=", None)]
            invoices = pool.get("account.invoice").search(posted)
            invoice_of = {
                (move, one.account): one
                for one in invoices
                for move in (one.move, *one.additional_moves)
            }
            entries = {one: _entry(one, invoice_of.get((one.move, one.account))) for one in lines}
            account = Settlements(entries.values())
            for one in invoices:
                paying = [*one.lines_to_pay, *one.payment_lines] if one.payment_lines else ()
                for group in _by_reconciliation(line for line in paying if line in entries):
                    account.settle([entries[line] for line in group])
            for group in _by_reconciliation(line for line in lines if line.reconciliation):
                done = group[0].reconciliation
                name = f"reconciliation-{done.id}"
                account.close(name, [entries[line] for line in group], _day(done))
            return account

    def _lines(self, pool, mine):
        """Without exchange differences, which nobody owes: the other lines have the currency."""
        receivable = ("account.type.receivable", "=", True)
        posted = [("move.company", "=", self._company.id), ("move.state", "=", "posted")]
        exchange = pool.get("account.configuration")(1).get_multivalue(
            "currency_exchange_journal", company=self._company.id
        )
        found = pool.get("account.move.line").search(
            [*mine, receivable, *posted], order=[("id", "ASC")]
        )
        return [
            line
            for line in found
            if line.second_currency or line.move.journal != exchange or not _is_foreign(line)
        ]


def _is_foreign(line):
    others = line.reconciliation.lines if line.reconciliation else ()
    return any(one.second_currency for one in others)


def _entry(line, invoice):
    owed = line.amount_second_currency if line.second_currency else line.debit - line.credit
    own_move = invoice is not None and line.move == invoice.move
    kinds = ENTRY_KINDS.get("invoice" if own_move else line.move.journal.type, ADJUSTMENTS)
    return LedgerEntry(
        id=f"line-{line.id}",
        customer_id=str(line.party.id),
        currency=(line.second_currency or line.move.company.currency).code,
        date=line.move.date,
        kind=kinds[owed < 0],
        amount=abs(owed),
        due_date=line.maturity_date if owed >= 0 else None,
        document_id=invoice and document_id(DocumentKind.SALES_INVOICE, invoice.id),
        number=invoice.number if own_move else line.move.number,
        reference=(invoice.reference if own_move else line.move.description) or None,
    )


def _by_reconciliation(lines):
    groups = defaultdict(list)
    for line in lines:
        groups[line.reconciliation].append(line)
    return groups.values()


def _day(reconciliation):
    """From when a reconciliation counts.

    Tryton dates it by the latest day of its lines, days of maturity included. With that alone an
    invoice that is paid early would stay open until it is due.
    """
    zone = ZoneInfo(reconciliation.company.timezone or "UTC")
    made = reconciliation.create_date.replace(tzinfo=dt.UTC).astimezone(zone)
    return min(reconciliation.date, made.date())
