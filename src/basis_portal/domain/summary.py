"""The account at a glance: what is open, overdue and due next, by currency."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from .allocation import OpenItem
from .ledger import EntryKind, LedgerEntry
from .money import ZERO, add, subtract, total


@attrs.define(frozen=True)
class Payment:
    """A payment the seller received.

    Attributes:
        date: its date.
        amount: in the currency it stands under, positive.
    """

    date: dt.date
    amount: Decimal


@attrs.define(frozen=True)
class NextDue:
    """What is due next.

    Attributes:
        date: the nearest due date that has not passed.
        amount: sum of the open amounts due on that day.
    """

    date: dt.date
    amount: Decimal


@attrs.define(frozen=True)
class CurrencySummary:
    """One currency of an account at a glance.

    Attributes:
        currency: three capital letters.
        open: sum of the open amounts of all debits (of invoices, while the statement is off).
        overdue: the part of it whose due date has passed. An invoice without a due date
            ages from its date but is not called overdue.
        oldest_overdue: the overdue item that has waited longest, or None.
        next_due: what is due next, or None.
        to_pay: up to five open debits, the earliest due date (date where none) first.
        unapplied_credits: open credits, as a positive number; None while the statement is off.
        balance: open less unapplied_credits; None while the statement is off.
        last_payment: the latest payment received, or None; None while the statement is off.
    """

    currency: str
    open: Decimal
    overdue: Decimal
    oldest_overdue: OpenItem | None
    next_due: NextDue | None
    to_pay: tuple[OpenItem, ...]
    unapplied_credits: Decimal | None
    balance: Decimal | None
    last_payment: Payment | None


@attrs.define(frozen=True)
class AccountSummary:
    """An account at a glance.

    Attributes:
        as_of: the seller's date on which it is true.
        by_currency: one summary for each currency with any entry by that day; overdue ones
            first, then those with a balance, then A to Z.
    """

    as_of: dt.date
    by_currency: Mapping[str, CurrencySummary]

    def entries(self) -> Iterator[LedgerEntry]:
        """The entries of the open items it names."""
        for one in self.by_currency.values():
            named = (*one.to_pay, *([one.oldest_overdue] if one.oldest_overdue else []))
            yield from (item.entry for item in named)

    def with_items(self, change: Callable[[OpenItem], OpenItem]) -> AccountSummary:
        """The same summary with each open item changed."""
        changed = {
            currency: attrs.evolve(
                one,
                oldest_overdue=change(one.oldest_overdue) if one.oldest_overdue else None,
                to_pay=tuple(map(change, one.to_pay)),
            )
            for currency, one in self.by_currency.items()
        }
        return attrs.evolve(self, by_currency=changed)


def summarize(
    items: Iterable[OpenItem],
    as_of: dt.date,
    *,
    currencies: Iterable[str],
    last_payments: Mapping[str, Payment],
    invoices_only: bool = False,
) -> AccountSummary:
    """The summary of open items; ``invoices_only`` is what customers see without a statement."""
    by_currency: dict[str, list[OpenItem]] = {currency: [] for currency in currencies}
    for item in items:
        if not invoices_only or item.entry.kind is EntryKind.INVOICE:
            by_currency.setdefault(item.entry.currency, []).append(item)
    summaries = [
        _summary(currency, found, as_of, last_payments.get(currency), invoices_only)
        for currency, found in by_currency.items()
    ]
    summaries.sort(key=lambda s: (not s.overdue, not (s.open or s.balance), s.currency))
    return AccountSummary(as_of, {summary.currency: summary for summary in summaries})


def _summary(
    currency: str,
    items: Sequence[OpenItem],
    as_of: dt.date,
    last_payment: Payment | None,
    invoices_only: bool,
) -> CurrencySummary:
    debits = sorted((item for item in items if item.entry.is_debit), key=_due_first)
    unapplied = total(item.open_amount for item in items if not item.entry.is_debit)
    overdue = [item for item in debits if item.days_overdue(as_of)]
    open_debits = total(item.open_amount for item in debits)
    return CurrencySummary(
        currency=currency,
        open=open_debits,
        overdue=total(item.open_amount for item in overdue),
        oldest_overdue=overdue[0] if overdue else None,
        next_due=_next_due(debits, as_of),
        to_pay=tuple(debits[:5]),
        unapplied_credits=None if invoices_only else unapplied,
        balance=None if invoices_only else subtract(open_debits, unapplied),
        last_payment=None if invoices_only else last_payment,
    )


def _due_first(item: OpenItem) -> tuple[dt.date, str]:
    return (item.entry.due_date or item.entry.date, item.entry.id)


def _next_due(debits: Iterable[OpenItem], as_of: dt.date) -> NextDue | None:
    due = [(item.entry.due_date, item.open_amount) for item in debits if item.entry.due_date]
    coming = [(day, amount) for day, amount in due if day >= as_of]
    if not coming:
        return None
    nearest = min(day for day, _ in coming)
    return NextDue(nearest, total(amount for day, amount in coming if day == nearest))


def last_payments(entries: Iterable[LedgerEntry], as_of: dt.date) -> dict[str, Payment]:
    """By currency, the day of the latest payment up to ``as_of`` and what came in that day."""
    result: dict[str, Payment] = {}
    for entry in entries:
        if entry.kind is not EntryKind.PAYMENT or entry.date > as_of:
            continue
        known = result.get(entry.currency)
        if known is None or entry.date > known.date:
            result[entry.currency] = Payment(entry.date, add(ZERO, entry.amount))
        elif entry.date == known.date:
            result[entry.currency] = Payment(known.date, add(known.amount, entry.amount))
    return result
