"""The account at a glance, against a plain recomputation."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import EntryKind, NextDue, Payment, Portal
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_customer, a_payment, an_allocation, an_entry
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers

from .worlds import HostLedger, opened, over

DEBITS = ("invoice", "refund", "debit_adjustment")
TODAY = dt.date(2025, 1, 15)


def left_over(ledger: Ledger, day: dt.date) -> dict[str, Fraction]:
    """What is left of each entry up to a day, as a plain fraction."""
    dates = {entry.id: entry.date for entry in ledger.entries}
    left = {entry.id: Fraction(entry.amount) for entry in ledger.entries if entry.date <= day}
    for one in ledger.allocations:
        if max(one.date, dates[one.debit_id], dates[one.credit_id]) <= day:
            left[one.debit_id] -= Fraction(one.amount)
            left[one.credit_id] -= Fraction(one.amount)
    return left


def recomputed(ledger: Ledger, day: dt.date, *, statement: bool) -> dict[str, dict[str, Any]]:
    """The summary of each currency, step by step, from entries and allocations."""
    left = left_over(ledger, day)
    found: dict[str, dict[str, Any]] = defaultdict(_nothing)
    for entry in ledger.entries:
        if entry.date > day:
            continue
        one, rest = found[entry.currency], left[entry.id]
        if str(entry.kind) == "payment":
            one["payments"][entry.date] += Fraction(entry.amount)
        if str(entry.kind) not in DEBITS:
            one["credits"] += rest
            continue
        if not rest or (not statement and str(entry.kind) != "invoice"):
            continue
        one["open"] += rest
        one["to_pay"].append((entry.due_date or entry.date, entry.id))
        if entry.due_date and entry.due_date < day:
            one["overdue"] += rest
            one["late"].append((entry.due_date, entry.id))
        elif entry.due_date:
            one["due"][entry.due_date] += rest
    return found


def _nothing() -> dict[str, Any]:
    sums = {"open": Fraction(0), "overdue": Fraction(0), "credits": Fraction(0)}
    return {
        **sums,
        "to_pay": [],
        "late": [],
        "due": defaultdict(Fraction),
        "payments": defaultdict(Fraction),
    }


@settings(max_examples=examples(150), deadline=None)
@given(ledger=ledgers(), day=ledger_days(), statement=st.booleans(), bare=st.booleans())
def test_the_figures(ledger: Ledger, day: dt.date, statement: bool, bare: bool) -> None:
    """Every figure of the summary is what plain adding up gives, with and without the statement."""
    storage = InMemoryStorage()
    storage.customers.save(a_customer(ledger.customer_id))
    storage.ledger.save(*ledger.entries)
    storage.ledger.allocate(*ledger.allocations)
    given = {"ledger": HostLedger(ledger.entries, ledger.allocations)} if bare else {}
    clock = FrozenClock(dt.datetime.combine(day, dt.time(12), dt.UTC))
    access = opened(over(storage, clock, **given), ledger.customer_id, show_statement=statement)
    summary = access.summary()
    expected = recomputed(ledger, day, statement=statement)
    assert summary.as_of == day
    assert set(summary.by_currency) == set(expected)
    for currency, one in summary.by_currency.items():
        check_currency(one, expected[currency], statement=statement)
    assert list(summary.by_currency) == sorted(
        expected,
        key=lambda c: (not expected[c]["overdue"], not balance_of(expected[c], statement), c),
    )


def balance_of(one: dict[str, Any], statement: bool) -> bool:
    """True where a currency counts as one with a balance when they are ordered."""
    return bool(one["open"] or (statement and one["open"] - one["credits"]))


def check_currency(one: Any, expected: dict[str, Any], *, statement: bool) -> None:
    """One currency of a summary against what was added up."""
    assert Fraction(one.open) == expected["open"]
    assert Fraction(one.overdue) == expected["overdue"]
    oldest = one.oldest_overdue and (one.oldest_overdue.entry.due_date, one.oldest_overdue.entry.id)
    assert oldest == min(expected["late"], default=None)
    nearest = min(expected["due"], default=None)
    assert one.next_due == (
        None if nearest is None else NextDue(nearest, _decimal(expected["due"][nearest]))
    )
    paid = [(item.entry.due_date or item.entry.date, item.entry.id) for item in one.to_pay]
    assert paid == sorted(expected["to_pay"])[:5]
    if not statement:
        assert (one.unapplied_credits, one.balance, one.last_payment) == (None, None, None)
        return
    assert Fraction(one.unapplied_credits) == expected["credits"]
    assert Fraction(one.balance) == expected["open"] - expected["credits"]
    last = max(expected["payments"], default=None)
    assert one.last_payment == (
        None if last is None else Payment(last, _decimal(expected["payments"][last]))
    )


def _decimal(value: Fraction) -> Decimal:
    return Decimal(int(value * 10_000)).scaleb(-4)


# --- some words on paper ------------------------------------------------------------------


def test_no_due_date(portal: Portal, storage: Any) -> None:
    """An old invoice without a due date is open and in a bucket, and not called overdue."""
    storage.ledger.save(an_entry("old", date=dt.date(2024, 1, 1), due_date=None))
    access = opened(portal, "C-1001")
    one: Any = access.summary().by_currency["EUR"]
    assert (one.open, one.overdue, one.oldest_overdue, one.next_due) == (119, 0, None, None)
    aging = access.statement().by_currency["EUR"].aging
    assert aging
    assert aging["over 90"] == 119


def test_due_today_is_not_overdue(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """What is due today is due next; tomorrow it is overdue."""
    storage.ledger.save(an_entry("now", due_date=TODAY), an_entry("later"))
    access = opened(portal, "C-1001")
    one: Any = access.summary().by_currency["EUR"]
    assert (one.overdue, one.next_due) == (0, NextDue(TODAY, Decimal(119)))
    clock.advance(days=1)
    one = access.summary().by_currency["EUR"]
    assert (one.overdue, one.next_due) == (119, NextDue(dt.date(2025, 2, 14), Decimal(119)))


def test_the_order_of_currencies(portal: Portal, storage: Any) -> None:
    """Overdue currencies come first, then those with a balance, then the settled, A to Z."""
    late, later = dt.date(2025, 1, 1), dt.date(2025, 2, 1)
    storage.ledger.save(
        an_entry("1", currency="ZAR", due_date=late),
        an_entry("2", currency="USD", due_date=late),
        an_entry("3", currency="EUR", due_date=later),
        a_payment("4", currency="CHF", date=late),
        an_entry("5", currency="AUD", date=late),
        a_payment("6", currency="AUD", date=late),
    )
    storage.ledger.allocate(an_allocation(debit_id="5", credit_id="6", date=late))
    access = opened(portal, "C-1001")
    assert list(access.summary().by_currency) == ["USD", "ZAR", "CHF", "EUR", "AUD"]
    assert list(opened(portal, "C-1001", show_statement=False).summary().by_currency) == [
        "USD",
        "ZAR",
        "EUR",
        "AUD",
        "CHF",
    ]


def test_payments_of_one_day(portal: Portal, storage: Any) -> None:
    """The last payment is all that came in on the latest day by today; credit notes are none."""
    storage.ledger.save(
        a_payment("1", date=dt.date(2025, 1, 10), amount=Decimal(5)),
        a_payment("2", date=dt.date(2025, 1, 12), amount=Decimal(7)),
        a_payment("3", date=dt.date(2025, 1, 12), amount=Decimal("0.5")),
        a_payment("4", date=dt.date(2025, 1, 14), kind=EntryKind.CREDIT_NOTE),
        a_payment("5", date=dt.date(2025, 1, 16)),
    )
    one = opened(portal, "C-1001").summary().by_currency["EUR"]
    assert one.last_payment == Payment(dt.date(2025, 1, 12), Decimal("7.5"))


def test_an_empty_account(portal: Portal) -> None:
    """A customer without an entry has a summary and a statement without a currency."""
    access = opened(portal, "C-1001")
    assert dict(access.summary().by_currency) == {}
    assert dict(access.statement().by_currency) == {}
    assert dict(access.statement(view="open_items").by_currency) == {}


@pytest.mark.parametrize("count", [4, 5, 6])
def test_at_most_five_to_pay(portal: Portal, storage: Any, count: int) -> None:
    """The five that are due first are named; all are in the sum."""
    storage.ledger.save(
        *(an_entry(f"E{n}", due_date=dt.date(2025, 3, 20 - n)) for n in range(count))
    )
    one = opened(portal, "C-1001").summary().by_currency["EUR"]
    named = [item.entry.id for item in one.to_pay]
    assert named == [f"E{n}" for n in reversed(range(count))][:5]
    assert one.open == 119 * count
