"""A file of receivables, posted into Tryton: invoices, and what paid them.

Its columns: kind (invoice, credit_note, payment), doc_id, customer, currency, date, due_date,
amount, applies_to (the doc_id of the invoice that a payment or credit note settles, or nothing).
"""

import csv
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import bookkeeping as books
import database
from trytond.pool import Pool

KINDS = ("invoice", "credit_note", "payment")
BATCH = 500  # Tryton looks each record up among those it has in memory: more are slower each


class BadInput(Exception):
    """The file cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Row:
    """One line of the file."""

    kind: str
    doc_id: str
    customer: str
    currency: str
    date: dt.date
    due_date: dt.date
    amount: Decimal
    applies_to: str


def read_rows(path: Path) -> list[Row]:
    """All rows of a file, or `BadInput` naming the first line that cannot be used."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return applied([_row(values, f"{path}, line {reader.line_num}") for values in reader])


def _row(values: dict[str, str], where: str) -> Row:
    try:
        date = dt.date.fromisoformat(values["date"])
        due = dt.date.fromisoformat(values["due_date"] or values["date"])
        amount = Decimal(values["amount"])
        texts = {name: values[name] for name in ("doc_id", "customer", "currency", "applies_to")}
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise BadInput(
            f"{where}: {error!r}; the columns must be those of a receivables file"
        ) from None
    if values["kind"] not in KINDS:
        raise BadInput(f"{where}: kind must be one of {', '.join(KINDS)}, not {values['kind']!r}")
    return Row(kind=values["kind"], date=date, due_date=due, amount=amount, **texts)


def applied(rows: Iterable[Row]) -> list[Row]:
    """The rows, where what pays more than is left of its invoice is two: the rest pays nothing.

    Tryton refuses payments of an invoice above its amount.
    """
    rows = sorted(rows, key=lambda row: (row.date, row.kind != "invoice"))
    left = {row.doc_id: row.amount for row in rows if row.kind == "invoice"}
    whose = {row.doc_id: (row.customer, row.currency) for row in rows}
    found = []
    for row in rows:
        if not row.applies_to:
            found.append(row)
            continue
        if row.applies_to not in left or whose[row.applies_to] != (row.customer, row.currency):
            raise BadInput(
                f"{row.doc_id}: applies_to must be an invoice of the same customer and currency,"
                f" not {row.applies_to!r}"
            )
        amount = min(row.amount, left[row.applies_to])
        left[row.applies_to] -= amount
        if amount:
            found.append(replace(row, amount=amount))
        if rest := row.amount - amount:
            found.append(replace(row, doc_id=f"{row.doc_id}+", amount=rest, applies_to=""))
    return found


def first_customers(rows: Iterable[Row], most: int) -> list[Row]:
    """The rows of so many customers, in the order of their names."""
    rows = list(rows)
    names = sorted({row.customer for row in rows})[:most]
    return [row for row in rows if row.customer in names]


def post(rows: Sequence[Row], company: int) -> dict[str, str]:
    """Post all rows and reconcile what settles what; the party's id by the customer's name."""
    names = sorted({row.customer for row in rows})
    parties = database.write(
        lambda: {name: books.add_party(name).id for name in names}, company=company
    )
    documents = sorted((row for row in rows if row.kind != "payment"), key=lambda row: row.date)
    payments = [row for row in rows if row.kind == "payment"]
    lines: dict[str, list[int]] = {}  # of each row, by its doc_id
    for batch in _batches(documents):
        lines |= database.write(lambda batch=batch: _post_invoices(batch, parties), company=company)
    for batch in _batches(payments):
        lines |= database.write(lambda batch=batch: _post_payments(batch, parties), company=company)
    groups = defaultdict(list)
    for row in rows:
        if row.applies_to:
            groups[row.applies_to].append(row)
    for batch in _batches(list(groups.items())):
        database.write(lambda batch=batch: _settle(batch, lines), company=company)
    return {name: str(party) for name, party in parties.items()}


def _batches(rows: list) -> Iterable[list]:
    return (rows[at : at + BATCH] for at in range(0, len(rows), BATCH))


def _post_invoices(rows: Sequence[Row], parties: dict[str, int]) -> dict[str, list[int]]:
    Party = Pool().get("party.party")  # noqa: N806
    invoices = books.post_invoices(
        [
            books.NewInvoice(
                party=Party(parties[row.customer]),
                date=row.date,
                due=row.due_date,
                prices=[(row.doc_id, row.amount if row.kind == "invoice" else -row.amount)],
                currency=row.currency,
                reference=row.doc_id,
            )
            for row in rows
        ]
    )
    return {
        row.doc_id: [line.id for line in invoice.lines_to_pay]
        for row, invoice in zip(rows, invoices, strict=True)
    }


def _post_payments(rows: Sequence[Row], parties: dict[str, int]) -> dict[str, list[int]]:
    Party = Pool().get("party.party")  # noqa: N806
    lines = books.post_payments(
        [
            books.NewPayment(
                Party(parties[row.customer]), row.date, row.amount, row.currency, row.doc_id
            )
            for row in rows
        ]
    )
    return {row.doc_id: [line.id] for row, line in zip(rows, lines, strict=True)}


def _settle(groups: list[tuple[str, list[Row]]], lines: dict[str, list[int]]) -> None:
    """Reconcile what adds up to nothing; the rest are payments of their invoice so far."""
    Line = Pool().get("account.move.line")  # noqa: N806
    balanced = []
    for invoice, rows in groups:
        own = Line.browse(lines[invoice])
        paid = Line.browse([one for row in rows for one in lines[row.doc_id]])
        if sum(line.debit - line.credit for line in [*own, *paid]) == 0:
            balanced.append([*own, *paid])
        else:
            books.pay_in_part(own[0].move.origin, paid)
    if balanced:
        books.reconcile(*balanced)
