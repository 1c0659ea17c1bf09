"""The headline of an account, case by case."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from basis_portal import AccountSummary, CurrencySummary, NextDue, OpenItem, Payment
from basis_portal.i18n.headline import headlines
from basis_portal.testing.builders import an_entry

TODAY = dt.date(2026, 4, 14)
DAY = dt.timedelta(days=1)
PAID = Payment(dt.date(2026, 4, 2), Decimal(900))


def _money(**amounts: Any) -> CurrencySummary:
    given = {name: None if value is None else Decimal(value) for name, value in amounts.items()}
    open_, credit = given.get("open", Decimal(0)), given.get("credit", Decimal(0))
    return CurrencySummary(
        currency="EUR",
        open=open_,
        overdue=given.get("overdue", Decimal(0)),
        oldest_overdue=None,
        next_due=None,
        to_pay=(),
        unapplied_credits=credit,
        balance=None if credit is None else open_ - credit,
        last_payment=None,
    )


def _with(one: CurrencySummary, **changes: Any) -> CurrencySummary:
    fields = {name: getattr(one, name) for name in CurrencySummary.__annotations__}
    return CurrencySummary(**{**fields, **changes})


def _overdue_since(day: dt.date | None, number: str | None = "INV-1042") -> OpenItem:
    return OpenItem(an_entry("INV-1042", due_date=day, number=number), Decimal(1200))


def _spaced(text: str) -> str:
    """Text with the no-break space between currency and amount as a plain one."""
    return text.replace("\u00a0", " ")


LATE = _money(open=4310, overdue=1200, credit=300)
OPEN = _money(open=3110)
ZERO = _money()

CASES = [
    (LATE, "EUR 1,200.00 overdue", "EUR 4,310.00 open in all."),
    (
        _with(LATE, oldest_overdue=_overdue_since(TODAY - 12 * DAY)),
        "EUR 1,200.00 overdue",
        "EUR 4,310.00 open in all. Oldest: INV-1042, due 2 Apr 2026, 12 days overdue.",
    ),
    (
        _with(LATE, oldest_overdue=_overdue_since(TODAY - DAY, None)),
        "EUR 1,200.00 overdue",
        "EUR 4,310.00 open in all. Oldest: INV-1042, due 13 Apr 2026, 1 day overdue.",
    ),
    (_money(open=10, overdue=10, credit=None), "EUR 10.00 overdue", "EUR 10.00 open in all."),
    (OPEN, "EUR 3,110.00 to pay", "Nothing is overdue."),
    (_money(open=10, credit=None), "EUR 10.00 to pay", "Nothing is overdue."),
    (
        _with(OPEN, next_due=NextDue(TODAY + 5 * DAY, Decimal(900))),
        "EUR 3,110.00 to pay",
        "Nothing is overdue. Next: EUR 900.00, due in 5 days (19 Apr 2026).",
    ),
    (
        _with(OPEN, next_due=NextDue(TODAY + DAY, Decimal(900))),
        "EUR 3,110.00 to pay",
        "Nothing is overdue. Next: EUR 900.00, due tomorrow (15 Apr 2026).",
    ),
    (
        _with(OPEN, next_due=NextDue(TODAY, Decimal(900))),
        "EUR 3,110.00 to pay",
        "Nothing is overdue. Next: EUR 900.00, due today (14 Apr 2026).",
    ),
    (
        _money(open=1200, overdue=400, credit=1250),
        "EUR 50.00 in your favour",
        (
            "Open invoices EUR 1,200.00, of which overdue EUR 400.00; "
            "credits of EUR 1,250.00 are not yet applied to them."
        ),
    ),
    (
        _money(open=1200, credit=1200),
        "Balance EUR 0.00",
        "Open invoices EUR 1,200.00; credits of EUR 1,200.00 are not yet applied to them.",
    ),
    (
        _money(credit=250),
        "EUR 250.00 in your favour",
        "No open invoices. Credits not yet applied: EUR 250.00.",
    ),
    (ZERO, "All settled", "Nothing is due."),
    (
        _with(ZERO, last_payment=PAID),
        "All settled",
        "Nothing is due. Last payment we received: EUR 900.00 on 2 Apr 2026.",
    ),
]


@pytest.mark.parametrize(("one", "words", "below"), CASES)
def test_a_headline_says_what_is_to_do(one: CurrencySummary, words: str, below: str) -> None:
    """Overdue, to pay, in your favour or settled: one sentence, and one below it."""
    (found,) = headlines(AccountSummary(TODAY, {"EUR": one}))
    assert (_spaced(found.words), _spaced(found.below)) == (words, below)


def test_an_account_without_entries_has_a_headline() -> None:
    """Before the first entry the page says that invoices will appear."""
    (found,) = headlines(AccountSummary(TODAY, {}))
    assert found.words == "No invoices yet"


def test_currencies_at_zero_share_one_headline() -> None:
    """What is not due is said once for all currencies, after those with something open."""
    by_currency = {"EUR": OPEN, "SGD": _with(ZERO, currency="SGD"), "USD": ZERO}
    by_currency["USD"] = _with(ZERO, currency="USD", last_payment=PAID)
    found = headlines(AccountSummary(TODAY, by_currency))
    assert [_spaced(one.words) for one in found] == [
        "EUR 3,110.00 to pay",
        "Nothing is due in SGD, USD",
    ]
    settled = headlines(
        AccountSummary(TODAY, {"SGD": by_currency["SGD"], "USD": by_currency["USD"]})
    )
    assert [_spaced(one.below) for one in settled] == [
        "Nothing is due. Last payment we received: USD 900.00 on 2 Apr 2026."
    ]


def test_credits_still_to_be_taken_off_are_told() -> None:
    """Beside an amount to pay stand the credits; where they cover it the headline says so."""
    assert headlines(AccountSummary(TODAY, {"EUR": LATE}))[0].credits == LATE
    assert headlines(AccountSummary(TODAY, {"EUR": OPEN}))[0].credits is None
    assert headlines(AccountSummary(TODAY, {"EUR": _money(credit=5)}))[0].credits is None
