"""The account at a glance agrees with the open items it is made of."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from tests.depth import examples

from basis_portal import EntryKind, NextDue, OpenItem, Payment
from basis_portal.domain.allocation import open_items, parts_by_allocation
from basis_portal.domain.summary import AccountSummary, last_payments, summarize
from basis_portal.testing.builders import a_payment, an_entry
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers

TODAY = dt.date(2025, 3, 31)
DEBITS = {"invoice", "refund", "debit_adjustment"}


def _day(days: int) -> dt.date:
    return TODAY + dt.timedelta(days=days)


def _item(id: str, amount: int = 100, due: int | None = None, **changes: Any) -> OpenItem:
    """An open invoice that is due in so many days, or has no due date."""
    due_date = None if due is None else _day(due)
    entry = an_entry(id, **{"due_date": due_date, "date": dt.date(2025, 1, 1), **changes})
    return OpenItem(entry, Decimal(amount))


def _credit(amount: int, **changes: Any) -> OpenItem:
    return OpenItem(a_payment("P", **changes), Decimal(amount))


def _of(*amounts: int | None) -> tuple[Decimal | None, ...]:
    return tuple(None if amount is None else Decimal(amount) for amount in amounts)


def _summary(*items: OpenItem, **options: Any) -> AccountSummary:
    return summarize(items, TODAY, **{"currencies": ["EUR"], "last_payments": {}, **options})


def _items(ledger: Ledger, day: dt.date) -> list[OpenItem]:
    parts = parts_by_allocation(ledger.entries, ledger.allocations, day)
    return open_items(ledger.entries, parts, day)


@given(ledgers(), ledger_days())
def test_a_summary_adds_up(ledger: Ledger, day: dt.date) -> None:
    """Per currency: open less unapplied credits is the balance, and overdue is part of open."""
    currencies = {e.currency for e in ledger.entries if e.date <= day}
    items = _items(ledger, day)
    paid = last_payments(ledger.entries, day)
    found = summarize(items, day, currencies=currencies, last_payments=paid)
    assert found.by_currency.keys() == currencies
    for currency, one in found.by_currency.items():
        own = [i for i in items if i.entry.currency == currency]
        debits = [i for i in own if i.entry.kind.value in DEBITS]
        late = [i for i in debits if i.entry.due_date and i.entry.due_date < day]
        balance = sum(
            Fraction(e.amount) * (1 if e.kind.value in DEBITS else -1)
            for e in ledger.entries
            if e.currency == currency and e.date <= day
        )
        assert one.unapplied_credits is not None
        assert one.open == sum(Fraction(i.open_amount) for i in debits)
        assert one.overdue == sum(Fraction(i.open_amount) for i in late)
        assert Fraction(one.open) - Fraction(one.unapplied_credits) == balance == one.balance
        assert (one.oldest_overdue is not None) == bool(late)
        assert one.last_payment == paid.get(currency)


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days())
def test_without_a_statement_only_invoices_are_told(ledger: Ledger, day: dt.date) -> None:
    """With the statement off a summary is of invoices alone, and the rest is None."""
    items = _items(ledger, day)
    paid = last_payments(ledger.entries, day)
    found = summarize(items, day, currencies=(), last_payments=paid, invoices_only=True)
    invoices = [i for i in items if i.entry.kind is EntryKind.INVOICE]
    assert found.by_currency.keys() == {i.entry.currency for i in invoices}
    for currency, one in found.by_currency.items():
        own = [i for i in invoices if i.entry.currency == currency]
        assert one.open == sum(Fraction(i.open_amount) for i in own)
        assert (one.unapplied_credits, one.balance, one.last_payment) == (None, None, None)
        assert all(item in own for item in one.to_pay)


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days())
def test_the_last_payment_is_the_latest_day(ledger: Ledger, day: dt.date) -> None:
    """The last payment of a currency is all that was paid on the latest day up to today."""
    paid = [e for e in ledger.entries if e.kind is EntryKind.PAYMENT and e.date <= day]
    found = last_payments(ledger.entries, day)
    assert found.keys() == {e.currency for e in paid}
    for currency, payment in found.items():
        own = [e for e in paid if e.currency == currency]
        latest = max(e.date for e in own)
        assert payment.date == latest
        assert payment.amount == sum(Fraction(e.amount) for e in own if e.date == latest)


@pytest.mark.parametrize(
    ("due", "overdue", "next_due"),
    [(-1, 100, None), (0, 0, _day(0)), (1, 0, _day(1)), (None, 0, None)],
)
def test_overdue_is_what_was_due_before_today(
    due: int | None, overdue: int, next_due: dt.date | None
) -> None:
    """Due today is not overdue; an invoice without a due date is neither overdue nor next."""
    one = _summary(_item("I", due=due)).by_currency["EUR"]
    assert (one.open, one.overdue) == _of(100, overdue)
    assert (one.next_due and one.next_due.date) == next_due


def test_the_oldest_overdue_has_waited_longest() -> None:
    """Not the oldest invoice but the one whose due date is furthest back."""
    items = [_item("A", due=-2, date=dt.date(2024, 1, 1)), _item("B", due=-9), _item("C")]
    one = _summary(*items).by_currency["EUR"]
    assert one.oldest_overdue == items[1]


def test_what_is_due_next_is_added_up_by_day() -> None:
    """All that is due on the nearest day counts, what was due before or later does not."""
    items = [_item("A", due=-1), _item("B", due=3), _item("C", 50, due=3), _item("D", due=4)]
    assert _summary(*items).by_currency["EUR"].next_due == NextDue(_day(3), Decimal(150))


def test_five_items_to_pay() -> None:
    """The first five by due date, by date where there is none, then by id."""
    items = [_item(one, due=due) for one, due in (("F", 9), ("B", 1), ("A", 1), ("C", 2), ("D", 3))]
    items.append(_item("E", date=_day(-5)))
    one = _summary(*items).by_currency["EUR"]
    assert [item.entry.id for item in one.to_pay] == ["E", "A", "B", "C", "D"]


def test_credits_are_not_to_pay() -> None:
    """An open credit lowers the balance, not what is open, and has no due date."""
    one = _summary(_item("I", due=-1), _credit(250, due_date=_day(-9))).by_currency["EUR"]
    assert (one.open, one.overdue) == _of(100, 100)
    assert (one.unapplied_credits, one.balance) == _of(250, -150)
    assert [item.entry.id for item in one.to_pay] == ["I"]


def test_currencies_with_overdue_come_first() -> None:
    """Then those with anything open or a balance, then A to Z; one at zero is there."""
    items = [
        _item("1", due=-1, currency="USD"),
        _item("2", due=1, currency="SGD"),
        _credit(5, currency="JPY"),
        _item("3", currency="GBP"),
        OpenItem(a_payment("4", currency="GBP"), Decimal(100)),
    ]
    found = _summary(*items, currencies=["EUR", "AUD", "USD"])
    assert list(found.by_currency) == ["USD", "GBP", "JPY", "SGD", "AUD", "EUR"]
    assert found.by_currency["EUR"].open == found.by_currency["EUR"].balance == 0
    assert found.as_of == TODAY


def test_a_payment_of_today_counts_and_one_of_tomorrow_does_not() -> None:
    """Refunds and credit notes are no payments; two of a day are added up."""
    entries = [
        a_payment("1", date=_day(0), amount=Decimal(10)),
        a_payment("2", date=_day(1), amount=Decimal(99)),
        a_payment("3", date=_day(-1), amount=Decimal(5)),
        a_payment("4", date=_day(0), amount=Decimal(7)),
        a_payment("5", date=_day(0), kind=EntryKind.CREDIT_NOTE),
    ]
    assert last_payments(entries, TODAY) == {"EUR": Payment(TODAY, Decimal(17))}


def test_items_of_a_summary_can_be_changed() -> None:
    """A change of items reaches the oldest overdue one and those to pay, and no figure."""
    before = _summary(_item("A", due=-1), _item("B", due=1, currency="USD"))
    after = before.with_items(
        lambda item: attrs.evolve(item, entry=attrs.evolve(item.entry, document_id=None))
    )
    for currency, one in after.by_currency.items():
        assert [item.entry.document_id for item in one.to_pay] == [None]
        assert one.open == before.by_currency[currency].open
    assert after.by_currency["EUR"].oldest_overdue == after.by_currency["EUR"].to_pay[0]
    assert after.by_currency["USD"].oldest_overdue is None


def test_the_entries_of_a_summary_are_those_it_names() -> None:
    """Those to pay and the oldest overdue one, in every currency: what a customer may open."""
    summary = _summary(_item("A", due=-1), _item("B", due=1), _item("C", due=1, currency="USD"))
    assert {entry.id for entry in summary.entries()} == {"A", "B", "C"}
    late = attrs.evolve(summary.by_currency["EUR"], to_pay=())
    bare = attrs.evolve(summary, by_currency={"EUR": late})
    assert [entry.id for entry in bare.entries()] == ["A"]
