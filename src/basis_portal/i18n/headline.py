"""The headline of an account: one sentence per currency, and what stands below it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from enum import StrEnum

import attrs

from ..domain.money import ZERO, negate
from ..domain.summary import AccountSummary, CurrencySummary, Payment
from .language import ENGLISH, Language


class Urgency(StrEnum):
    """How loud a headline is."""

    ALERT = "alert"
    PLAIN = "plain"


@attrs.define(frozen=True)
class Headline:
    """What an overview says first.

    Attributes:
        words: such as ``EUR 1,200.00 overdue``.
        below: the line below it, or an empty text.
        credits: the currency whose credits are still to be taken off, or None.
        urgency: alert where something is overdue and to be paid.
    """

    words: str
    below: str = ""
    credits: CurrencySummary | None = None
    urgency: Urgency = Urgency.PLAIN


def headlines(
    summary: AccountSummary, language: Language = ENGLISH, *, seller: str | None = None
) -> list[Headline]:
    """One headline for each currency with something open; those at zero share one."""
    teller = _Teller(language, summary.as_of)
    found = summary.by_currency.values()
    told = [one for one in found if one.open or one.unapplied_credits]
    quiet = [one for one in found if not (one.open or one.unapplied_credits)]
    lines = [teller.tell(one) for one in told]
    if quiet:
        lines.append(teller.quiet(quiet) if told else teller.settled(quiet))
    return lines or [teller.nothing_yet(seller)]


@attrs.define(frozen=True)
class _Teller:
    language: Language
    as_of: dt.date

    def _(self, text: str, **values: object) -> str:
        return self.language.gettext(text, **values)

    def tell(self, one: CurrencySummary) -> Headline:
        balance = one.open if one.balance is None else one.balance
        if balance <= 0:
            return Headline(self._in_favour(one), self._covered(one))
        pending = one if one.unapplied_credits else None
        money = self.language.money
        if one.overdue:
            words = self._("%(money)s overdue", money=money(one.currency, one.overdue))
            below = self._("%(money)s open in all.", money=money(one.currency, one.open))
            below += self._oldest(one)
            return Headline(words, below, pending, Urgency.ALERT)
        words = self._("%(money)s to pay", money=money(one.currency, balance))
        return Headline(words, self._("Nothing is overdue.") + self._next(one), pending)

    def quiet(self, found: Sequence[CurrencySummary]) -> Headline:
        names = ", ".join(one.currency for one in found)
        words = self._("Nothing is due in %(currencies)s", currencies=names)
        return Headline(words, self._last_payment(found))

    def settled(self, found: Sequence[CurrencySummary]) -> Headline:
        if all(one.balance is None for one in found):
            return Headline(self._("No open invoices"))
        said = [self._("Nothing is due."), self._last_payment(found)]
        return Headline(self._("All settled"), " ".join(filter(None, said)))

    def nothing_yet(self, seller: str | None) -> Headline:
        below = self._("They appear here when one is issued.")
        if seller is not None:
            below = self._("They appear here when %(seller)s issues one.", seller=seller)
        return Headline(self._("No invoices yet"), below)

    def _in_favour(self, one: CurrencySummary) -> str:
        if not one.balance:
            zero = self.language.money(one.currency, ZERO)
            return self._("Balance %(money)s", money=zero)
        money = self.language.money(one.currency, negate(one.balance))
        return self._("%(money)s in your favour", money=money)

    def _covered(self, one: CurrencySummary) -> str:
        money = self.language.money
        credit = money(one.currency, one.unapplied_credits or ZERO)
        if not one.open:
            return self._("No open invoices. Credits not yet applied: %(money)s.", money=credit)
        values = {"open": money(one.currency, one.open), "credit": credit}
        if one.overdue:
            return self._(
                "Open invoices %(open)s, of which overdue %(overdue)s; "
                "credits of %(credit)s are not yet applied to them.",
                overdue=money(one.currency, one.overdue),
                **values,
            )
        return self._(
            "Open invoices %(open)s; credits of %(credit)s are not yet applied to them.", **values
        )

    def _oldest(self, one: CurrencySummary) -> str:
        item = one.oldest_overdue
        if item is None or item.entry.due_date is None:
            return ""
        due = item.entry.due_date
        return " " + self.language.ngettext(
            "Oldest: %(number)s, due %(day)s, %(count)s day overdue.",
            "Oldest: %(number)s, due %(day)s, %(count)s days overdue.",
            (self.as_of - due).days,
            number=item.entry.number or item.entry.id,
            day=self.language.day(due),
        )

    def _next(self, one: CurrencySummary) -> str:
        if one.next_due is None:
            return ""
        values = {
            "money": self.language.money(one.currency, one.next_due.amount),
            "day": self.language.day(one.next_due.date),
        }
        days = (one.next_due.date - self.as_of).days
        if days == 0:
            return " " + self._("Next: %(money)s, due today (%(day)s).", **values)
        if days == 1:
            return " " + self._("Next: %(money)s, due tomorrow (%(day)s).", **values)
        return " " + self.language.ngettext(
            "Next: %(money)s, due in %(count)s day (%(day)s).",
            "Next: %(money)s, due in %(count)s days (%(day)s).",
            days,
            **values,
        )

    def _last_payment(self, found: Iterable[CurrencySummary]) -> str:
        payments = [(one.currency, one.last_payment) for one in found if one.last_payment]
        if not payments:
            return ""
        currency, payment = max(payments, key=_date_of)
        return self._(
            "Last payment we received: %(money)s on %(day)s.",
            money=self.language.money(currency, payment.amount),
            day=self.language.day(payment.date),
        )


def _date_of(payment: tuple[str, Payment]) -> dt.date:
    return payment[1].date
