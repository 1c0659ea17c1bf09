"""Hosts without allocations: the oldest debts are settled first, and stay settled."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import AppliedPart, EntryKind, LedgerEntry, LedgerError
from basis_portal.domain.allocation import open_amounts, open_items, parts_by_fifo
from basis_portal.testing.builders import an_entry
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers

INVOICE, PAYMENT = EntryKind.INVOICE, EntryKind.PAYMENT
DEBITS = {"invoice", "refund", "debit_adjustment"}

Settled = tuple[str, str, Fraction, dt.date]


def _plain_fifo(entries: Iterable[LedgerEntry], day: dt.date) -> list[Settled]:
    """The rule spelt out: look through all that is open for what comes first, each time."""
    waiting: list[list[Any]] = []
    settled = []
    by_day = [e for e in entries if e.date <= day]
    for entry in sorted(by_day, key=lambda e: (e.date, e.kind.value not in DEBITS, e.id)):
        debit = entry.kind.value in DEBITS
        place = (entry.due_date or entry.date, entry.id) if debit else (entry.date, entry.id)
        new = [debit, entry.currency, place, entry.id, Fraction(entry.amount)]
        waiting.append(new)
        while new[4]:
            others = [w for w in waiting if w[0] is not debit and w[1] == new[1] and w[4]]
            if not others:
                break
            other = min(others, key=lambda w: w[2])
            amount = min(new[4], other[4])
            new[4] -= amount
            other[4] -= amount
            pair = (new[3], other[3]) if debit else (other[3], new[3])
            settled.append((*pair, amount, entry.date))
    return settled


def _told(parts: Iterable[AppliedPart]) -> list[Settled]:
    return [(p.debit.id, p.credit.id, Fraction(p.amount), p.counted_on) for p in parts]


def _unlike(one: list[Settled], other: list[Settled]) -> list[Settled]:
    """What is in one of two lists alone; in order or not, both may hold the same."""
    first, second = Counter(one), Counter(other)
    return [*(first - second), *(second - first)]


def _entry(id: str, day: int, kind: EntryKind, amount: int, due: int | None = None) -> LedgerEntry:
    def date(n: int) -> dt.date:
        return dt.date(2025, 1, n)

    due_date = date(due) if due else None
    return an_entry(id, date=date(day), kind=kind, amount=Decimal(amount), due_date=due_date)


def _settle(*entries: LedgerEntry) -> list[tuple[str, str, int]]:
    return [(p.debit.id, p.credit.id, int(p.amount)) for p in parts_by_fifo(entries, dt.date.max)]


def _crowded() -> st.SearchStrategy[list[LedgerEntry]]:
    """Small amounts on few days: ties of all kinds, and due dates against the order of dates."""
    one = st.tuples(
        st.integers(1, 4),
        st.sampled_from([PAYMENT, INVOICE, *EntryKind]),
        st.integers(0, 3),
        st.none() | st.integers(1, 6),
    )
    return st.lists(one, min_size=4, max_size=12).map(
        lambda found: [_entry(f"{n * 7 % 10}-{n}", *parts) for n, parts in enumerate(found)]
    )


@given(_crowded() | ledgers().map(lambda ledger: list(ledger.entries)), ledger_days())
def test_fifo_is_the_rule_spelt_out(entries: list[LedgerEntry], day: dt.date) -> None:
    """What settles what is what a plain search for the first in line finds."""
    for as_of in (day, dt.date.max):
        assert not _unlike(_told(parts_by_fifo(entries, as_of)), _plain_fifo(entries, as_of))


@given(ledgers(), ledger_days())
def test_fifo_applies_no_more_than_there_is(ledger: Ledger, day: dt.date) -> None:
    """Nothing is over-applied, each part is above 0 and counts from its later entry's date."""
    parts = parts_by_fifo(ledger.entries, day)
    assert all(amount >= 0 for amount in open_amounts(ledger.entries, parts, day).values())
    for part in parts:
        assert part.amount > 0
        assert part.debit.is_debit
        assert not part.credit.is_debit
        assert part.debit.currency == part.credit.currency
        assert part.counted_on == max(part.debit.date, part.credit.date) <= day


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days())
def test_fifo_leaves_one_side_open(ledger: Ledger, day: dt.date) -> None:
    """No currency has an open debit and an open credit at once."""
    items = open_items(ledger.entries, parts_by_fifo(ledger.entries, day), day)
    owing = {item.entry.currency for item in items if item.entry.is_debit}
    in_favour = {item.entry.currency for item in items if not item.entry.is_debit}
    assert not owing & in_favour


@given(_crowded(), st.integers(0, 5))
def test_what_is_settled_stays_settled(entries: list[LedgerEntry], day: int) -> None:
    """Entries of later days change no part that was settled up to a day."""
    as_of = dt.date(2025, 1, 1) + dt.timedelta(days=day)
    known = parts_by_fifo([entry for entry in entries if entry.date <= as_of], as_of)
    after = parts_by_fifo(entries, dt.date.max)
    assert not _unlike(_told(known), _told(p for p in after if p.counted_on <= as_of))


@given(ledgers(), ledger_days(), ledger_days())
def test_open_amounts_are_those_of_the_day(
    ledger: Ledger, one_day: dt.date, other_day: dt.date
) -> None:
    """What was open on a day is found by a replay up to it, or of all that came later too."""
    day, later = sorted([one_day, other_day])
    then = [part for part in parts_by_fifo(ledger.entries, later) if part.counted_on <= day]
    now = parts_by_fifo(ledger.entries, day)
    assert open_amounts(ledger.entries, then, day) == open_amounts(ledger.entries, now, day)


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(ledger: Ledger, day: dt.date, random: Any) -> None:
    """Entries in any order are settled alike."""
    entries = list(ledger.entries)
    parts = parts_by_fifo(entries, day)
    random.shuffle(entries)
    assert not _unlike(_told(parts_by_fifo(entries, day)), _told(parts))


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days(), st.sampled_from(["EUR", "USD", "JPY"]))
def test_currencies_do_not_meet(ledger: Ledger, day: dt.date, currency: str) -> None:
    """A currency is settled as if there were no other."""
    alone = [entry for entry in ledger.entries if entry.currency == currency]
    parts = parts_by_fifo(ledger.entries, day)
    assert parts_by_fifo(alone, day) == [p for p in parts if p.debit.currency == currency]


def test_a_payment_settles_what_is_due_first() -> None:
    """Not the older invoice is settled first but the one due earlier."""
    old, urgent = _entry("1", 1, INVOICE, 100, due=31), _entry("2", 2, INVOICE, 100, due=10)
    assert _settle(old, urgent, _entry("P", 5, PAYMENT, 150)) == [("2", "P", 100), ("1", "P", 50)]


def test_an_invoice_without_a_due_date_is_due_at_once() -> None:
    """An invoice without a due date stands in line by its date, ties by id."""
    first, second = _entry("B", 3, INVOICE, 100, due=4), _entry("C", 4, INVOICE, 100)
    third = _entry("A", 4, INVOICE, 100)
    assert _settle(first, second, third, _entry("P", 5, PAYMENT, 250)) == [
        ("A", "P", 100),
        ("B", "P", 100),
        ("C", "P", 50),
    ]


def test_an_invoice_takes_the_oldest_credit_first() -> None:
    """What was paid in advance is used up by age, a rest stays unapplied."""
    paid = [_entry("P2", 2, PAYMENT, 60), _entry("P1", 3, PAYMENT, 60)]
    invoice = _entry("I", 4, INVOICE, 100)
    assert _settle(*paid, invoice) == [("I", "P2", 60), ("I", "P1", 40)]
    parts = parts_by_fifo([*paid, invoice], dt.date.max)
    [item] = open_items([*paid, invoice], parts, dt.date.max)
    assert (item.entry.id, int(item.open_amount)) == ("P1", 20)


def test_debits_come_before_credits_of_a_day() -> None:
    """A payment of a day settles by due date among the invoices of that day as well."""
    urgent, other = _entry("Z", 2, INVOICE, 100, due=3), _entry("A", 2, INVOICE, 100, due=9)
    assert _settle(_entry("0", 2, PAYMENT, 100), other, urgent) == [("Z", "0", 100)]


def test_later_urgency_unsettles_nothing() -> None:
    """An invoice due earlier that arrives later gets nothing of what was applied before."""
    entries: Sequence[LedgerEntry] = [
        _entry("1", 1, INVOICE, 100, due=31),
        _entry("P", 5, PAYMENT, 100),
        _entry("2", 6, INVOICE, 100, due=1),
    ]
    assert _settle(*entries) == [("1", "P", 100)]


def test_zero_amounts_settle_nothing() -> None:
    """An invoice or a payment of zero is in no part and never in the way."""
    zeros = [_entry("0", 1, INVOICE, 0), _entry("00", 1, PAYMENT, 0)]
    assert _settle(*zeros) == []
    assert _settle(*zeros, _entry("1", 2, INVOICE, 5), _entry("2", 3, PAYMENT, 5)) == [
        ("1", "2", 5)
    ]


def test_an_entry_that_stands_there_twice_is_a_contradiction() -> None:
    """An entry the ledger gives twice would count twice: it is named, and nothing is settled."""
    invoice = _entry("1", 1, INVOICE, 100)
    assert _settle(invoice, _entry("P", 5, PAYMENT, 100)) == [("1", "P", 100)]
    with pytest.raises(LedgerError, match=r"^entry twice in the ledger: '1'$") as refused:
        _settle(invoice, _entry("P", 5, PAYMENT, 100), invoice)
    assert refused.value.ids == ("1",)
