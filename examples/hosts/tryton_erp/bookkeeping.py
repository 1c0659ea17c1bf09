"""Parties, invoices and payments, entered through Tryton's own models and posted in bulk.

Called within `database.write`. The portal never comes here: it only reads.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from database import account_of
from trytond.pool import Pool
from trytond.transaction import Transaction

Record = Any
"""A record of Tryton's."""


@dataclass(frozen=True)
class NewInvoice:
    """An invoice to be posted; a negative price makes it a credit note.

    Attributes:
        party: whom it is for.
        date: its date.
        due: the day it is to be paid, or a payment term.
        prices: of each line, its text and its amount.
        currency: three capital letters.
        reference: the customer's own.
    """

    party: Record
    date: dt.date
    due: dt.date | Record
    prices: Sequence[tuple[str, Decimal]]
    currency: str
    reference: str = ""


@dataclass(frozen=True)
class NewPayment:
    """What a party paid, or got back where the amount is negative."""

    party: Record
    date: dt.date
    amount: Decimal
    currency: str
    text: str = ""


def add_party(
    name: str, *, email: str = "", language: str = "", active: bool = True, **values: Any
) -> Record:
    """A party with an address, an e-mail for everything, and one that invoices go to."""
    general = {"type": "email", "value": f"info@{email.partition('@')[2]}"}
    mechanisms = [general, {"type": "email", "value": email, "invoice": True}] if email else []
    (lang,) = Pool().get("ir.lang").search([("code", "=", language)]) if language else (None,)
    (party,) = (
        Pool()
        .get("party.party")
        .create(
            [
                {
                    "name": name,
                    "active": active,
                    "lang": lang and lang.id,
                    "addresses": [("create", [{}])],
                    "contact_mechanisms": [("create", mechanisms)],
                    **values,
                }
            ]
        )
    )
    return party


def currency(code: str) -> Record:
    """The currency of this code."""
    (found,) = Pool().get("currency.currency").search([("code", "=", code)])
    return found


def journal(kind: str) -> Record:
    """The journal of this type."""
    (found,) = Pool().get("account.journal").search([("type", "=", kind)], limit=1)
    return found


def draft_invoices(new: Iterable[NewInvoice]) -> list[Record]:
    """Invoices as drafts, in this order."""
    common = {
        "type": "out",
        "company": Transaction().context["company"],
        "account": account_of("receivable").id,
        "journal": journal("revenue").id,
    }
    revenue = account_of("revenue").id
    currencies = {code: currency(code).id for code in {one.currency for one in new}}
    return list(
        Pool()
        .get("account.invoice")
        .create([{**common, **_invoice(one, currencies, revenue)} for one in new])
    )


def _invoice(one: NewInvoice, currencies: dict[str, int], revenue: int) -> dict[str, Any]:
    by_day = isinstance(one.due, dt.date)
    lines = [
        {
            "type": "line",
            "account": revenue,
            "currency": currencies[one.currency],
            "description": text,
            "quantity": 1 if price >= 0 else -1,
            "unit_price": abs(price),
        }
        for text, price in one.prices
    ]
    return {
        "party": one.party.id,
        "invoice_address": one.party.addresses[0].id,
        "currency": currencies[one.currency],
        "invoice_date": one.date,
        "payment_term_date" if by_day else "payment_term": one.due if by_day else one.due.id,
        "reference": one.reference,
        "lines": [("create", lines)],
    }


def post_invoices(new: Sequence[NewInvoice]) -> list[Record]:
    """Invoices, posted; in this order."""
    invoices = draft_invoices(new)
    Pool().get("account.invoice").post(invoices)
    return invoices


def draft_payments(new: Sequence[NewPayment]) -> list[Record]:
    """The moves of payments, as drafts; in this order."""
    receivable, cash, kind = account_of("receivable"), _cash(), journal("cash").id
    moves = [_payment(one, receivable, cash, kind) for one in new]
    return list(Pool().get("account.move").create(moves))


def post_payments(new: Sequence[NewPayment]) -> list[Record]:
    """The receivable lines of payments whose moves are posted; in this order."""
    moves, receivable = draft_payments(new), account_of("receivable")
    Pool().get("account.move").post(moves)
    return [next(line for line in move.lines if line.account == receivable) for move in moves]


def _cash() -> Record:
    (cash,) = (
        Pool()
        .get("account.account")
        .search([("code", "=", "1.1.1"), ("company", "=", Transaction().context["company"])])
    )
    return cash


def _payment(one: NewPayment, receivable: Record, cash: Record, kind: int) -> dict[str, Any]:
    pool = Pool()
    company = pool.get("company.company")(Transaction().context["company"])
    amount, second = one.amount, {}
    if one.currency != company.currency.code:
        paid = currency(one.currency)
        with Transaction().set_context(date=one.date):
            amount = pool.get("currency.currency").compute(paid, one.amount, company.currency)
        second = {"second_currency": paid.id, "amount_second_currency": -one.amount}
    debit, credit = max(-amount, Decimal()), max(amount, Decimal())
    return {
        "company": company.id,
        "journal": kind,
        "period": pool.get("account.period").find(company, date=one.date).id,
        "date": one.date,
        "description": one.text,
        "lines": [
            (
                "create",
                [
                    {
                        "account": receivable.id,
                        "party": one.party.id,
                        "debit": debit,
                        "credit": credit,
                        **second,
                    },
                    {"account": cash.id, "debit": credit, "credit": debit},
                ],
            )
        ],
    }


def reconcile(*groups: Sequence[Record], **options: Any) -> None:
    """Reconcile groups of lines, and let the invoices among them become paid."""
    Line = Pool().get("account.move.line")  # noqa: N806
    Line.reconcile(*groups, **options)
    invoices = {line.move.origin for group in groups for line in group}
    Invoice = Pool().get("account.invoice")  # noqa: N806
    Invoice.process([one for one in invoices if isinstance(one, Invoice)])


def pay_in_part(invoice: Record, lines: Sequence[Record]) -> None:
    """Mark lines as payments of an invoice that they do not pay in full."""
    Pool().get("account.invoice").add_payment_lines({invoice: list(lines)})


# --- what a seller sets up once -------------------------------------------------------------


def instalments(name: str, *terms: tuple[Decimal | None, int]) -> Record:
    """A payment term: of each part its share of the total (None for the rest) and its days."""
    lines = [
        {
            "type": "percent_on_total" if share else "remainder",
            "ratio": share,
            "divisor": 1 / share if share else None,
            "relativedeltas": [("create", [{"days": days}])],
        }
        for share, days in terms
    ]
    (term,) = (
        Pool()
        .get("account.invoice.payment_term")
        .create([{"name": name, "lines": [("create", lines)]}])
    )
    return term


def payment_method() -> Record:
    """How customers pay: into the cash account."""
    values = {"credit_account": _cash().id, "debit_account": _cash().id}
    return _one("account.invoice.payment.method", name="Bank", journal=journal("cash").id, **values)


def write_off_method() -> Record:
    """Where small differences go."""
    accounts = {
        "credit_account": account_of("revenue").id,
        "debit_account": account_of("expense").id,
    }
    return _one(
        "account.move.reconcile.write_off",
        name="Small differences",
        journal=_one("account.journal", name="Write-offs", code="WO", type="write-off").id,
        **accounts,
    )


def set_rate(code: str, day: dt.date, rate: str) -> None:
    """From a day on, how many of a currency one of the company's buys."""
    _one("currency.currency.rate", currency=currency(code).id, date=day, rate=Decimal(rate))


def _one(model: str, **values: Any) -> Record:
    company = Transaction().context["company"]
    if "company" in Pool().get(model)._fields:
        values["company"] = company
    (created,) = Pool().get(model).create([values])
    return created
