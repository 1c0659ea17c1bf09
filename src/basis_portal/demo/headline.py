"""The headline of an account: one sentence per currency, and what stands below it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import attrs

from ..domain.money import ZERO
from ..domain.summary import AccountSummary, CurrencySummary, Payment
from .text import money, show_day, show_days


@attrs.define(frozen=True)
class Headline:
    """What an overview says first.

    Attributes:
        words: such as ``EUR 1,200.00 overdue``.
        below: the line below it, or an empty text.
        credits: the currency whose credits are still to be taken off, or None.
    """

    words: str
    below: str = ""
    credits: CurrencySummary | None = None


def headlines(summary: AccountSummary) -> list[Headline]:
    """One headline for each currency with something open; those at zero share one."""
    found = summary.by_currency.values()
    told = [one for one in found if one.open or one.unapplied_credits]
    quiet = [one for one in found if not (one.open or one.unapplied_credits)]
    lines = [_headline(one, summary.as_of) for one in told]
    if quiet and told:
        lines.append(Headline(f"Nothing is due in {', '.join(one.currency for one in quiet)}"))
    elif quiet:
        lines.append(Headline("All settled", f"Nothing is due.{_last_payment(quiet)}"))
    return lines or [Headline("No invoices yet", "They appear here when one is issued.")]


def _headline(one: CurrencySummary, as_of: dt.date) -> Headline:
    balance = one.open if one.balance is None else one.balance
    if balance <= 0:
        return Headline(_in_favour(one), _covered(one))
    pending = one if one.unapplied_credits else None
    if one.overdue:
        below = f"{money(one.currency, one.open)} open in all.{_oldest(one, as_of)}"
        return Headline(f"{money(one.currency, one.overdue)} overdue", below, pending)
    below = f"Nothing is overdue.{_next(one, as_of)}"
    return Headline(f"{money(one.currency, balance)} to pay", below, pending)


def _in_favour(one: CurrencySummary) -> str:
    if not one.balance:
        return f"Balance {money(one.currency, ZERO)}"
    return f"{money(one.currency, -one.balance)} in your favour"


def _covered(one: CurrencySummary) -> str:
    credit = money(one.currency, one.unapplied_credits or ZERO)
    if not one.open:
        return f"No open invoices. Credits not yet applied: {credit}."
    overdue = f", of which overdue {money(one.currency, one.overdue)}" if one.overdue else ""
    return (
        f"Open invoices {money(one.currency, one.open)}{overdue}; "
        f"credits of {credit} are not yet applied to them."
    )


def _oldest(one: CurrencySummary, as_of: dt.date) -> str:
    item = one.oldest_overdue
    if item is None or item.entry.due_date is None:
        return ""
    name, due = item.entry.number or item.entry.id, item.entry.due_date
    return f" Oldest: {name}, due {show_day(due)}, {show_days((as_of - due).days)} overdue."


def _next(one: CurrencySummary, as_of: dt.date) -> str:
    if one.next_due is None:
        return ""
    days = (one.next_due.date - as_of).days
    when = {0: "due today", 1: "due tomorrow"}.get(days, f"due in {days} days")
    amount = money(one.currency, one.next_due.amount)
    return f" Next: {amount}, {when} ({show_day(one.next_due.date)})."


def _last_payment(found: Iterable[CurrencySummary]) -> str:
    payments = [(one.currency, one.last_payment) for one in found if one.last_payment]
    if not payments:
        return ""
    currency, payment = max(payments, key=_date_of)
    return (
        f" Last payment we received: {money(currency, payment.amount)} on {show_day(payment.date)}."
    )


def _date_of(payment: tuple[str, Payment]) -> dt.date:
    return payment[1].date
