"""Allocations: from which day they count, what they leave open, and when they contradict."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import (
    Allocation,
    AppliedPart,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    LedgerError,
    OpenItem,
)
from basis_portal.domain.allocation import (
    applied_by_entry,
    check_age_by,
    check_distinct,
    counted_on,
    open_amounts,
    open_items,
    parts_by_allocation,
)
from basis_portal.testing.builders import an_allocation, an_entry
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers

D = dt.date(2025, 1, 15)


def _invoice(day: dt.date = D, **changes: Any) -> LedgerEntry:
    """An invoice over 100."""
    return an_entry("I", date=day, amount=Decimal(100), **changes)


def _payment(day: dt.date = D, **changes: Any) -> LedgerEntry:
    """A payment of 100."""
    fields: dict[str, Any] = {"kind": EntryKind.PAYMENT, "due_date": None, **changes}
    return an_entry(fields.pop("id", "P"), date=day, amount=Decimal(100), **fields)


def _allocated(amount: int = 100, day: dt.date = D, **changes: Any) -> Allocation:
    """An allocation of the payment to the invoice."""
    fields: dict[str, Any] = {"debit_id": "I", "credit_id": "P", **changes}
    return an_allocation(fields.pop("id", "A"), amount=Decimal(amount), date=day, **fields)


def _open(entries: Iterable[LedgerEntry], parts: Iterable[AppliedPart], as_of: dt.date) -> object:
    return [(item.entry.id, item.open_amount) for item in open_items(list(entries), parts, as_of)]


def _plainly_open(ledger: Ledger, day: dt.date) -> dict[str, Fraction]:
    """What is open by id, added up without a word of the library's own."""
    dates = {entry.id: entry.date for entry in ledger.entries}
    left = {e.id: Fraction(e.amount) for e in ledger.entries if e.date <= day}
    for one in ledger.allocations:
        if one.date <= day and dates[one.debit_id] <= day and dates[one.credit_id] <= day:
            left[one.debit_id] -= Fraction(one.amount)
            left[one.credit_id] -= Fraction(one.amount)
    return {entry_id: amount for entry_id, amount in left.items() if amount}


@given(ledgers(), ledger_days())
def test_what_is_open_as_of_a_day(ledger: Ledger, day: dt.date) -> None:
    """An entry's open amount is its amount less what counts by the day; settled ones go."""
    parts = parts_by_allocation(ledger.entries, ledger.allocations, day)
    items = open_items(ledger.entries, parts, day)
    found = {item.entry.id: Fraction(item.open_amount) for item in items}
    assert found == _plainly_open(ledger, day)
    assert all(item.open_amount > 0 for item in items)
    assert items == sorted(items, key=lambda item: item.entry.key)


@given(ledgers(), ledger_days(), st.integers(0, 500))
def test_what_is_applied_stays_applied(ledger: Ledger, day: dt.date, later: int) -> None:
    """The parts that counted on a day are, on a later day, the parts counted on up to it."""
    parts = parts_by_allocation(ledger.entries, ledger.allocations, day)
    after = parts_by_allocation(ledger.entries, ledger.allocations, day + dt.timedelta(days=later))
    assert parts == [part for part in after if part.counted_on <= day]


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(ledger: Ledger, day: dt.date, random: Any) -> None:
    """Entries and allocations in any order give the same open items and the same parts of each."""
    entries, allocations = list(ledger.entries), list(ledger.allocations)
    parts = parts_by_allocation(entries, allocations, day)
    items, applied = open_items(entries, parts, day), applied_by_entry(parts)
    random.shuffle(entries)
    random.shuffle(allocations)
    parts = parts_by_allocation(entries, allocations, day)
    assert open_items(entries, parts, day) == items
    assert applied_by_entry(parts).keys() == applied.keys()
    for entry_id, found in applied_by_entry(parts).items():
        assert sorted(map(repr, found)) == sorted(map(repr, applied[entry_id]))


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days())
def test_both_sides_know_what_is_applied(ledger: Ledger, day: dt.date) -> None:
    """Each part is listed under its debit and its credit, in the order in which it counts."""
    parts = parts_by_allocation(ledger.entries, ledger.allocations, day)
    applied = applied_by_entry(parts)
    assert sum(map(len, applied.values())) == 2 * len(parts)
    for entry_id, found in applied.items():
        assert all(entry_id in (part.debit.id, part.credit.id) for part in found)
        assert [part.counted_on for part in found] == sorted(part.counted_on for part in found)


@given(ledgers(), st.integers(0, 99))
@example(
    Ledger(
        "C-1001",
        (an_entry("I"), attrs.evolve(an_entry("P"), kind=EntryKind.PAYMENT)),
        (an_allocation("A", debit_id="I", credit_id="P"),),
    ),
    0,
)
def test_more_than_an_entry_has_is_a_contradiction(ledger: Ledger, place: int) -> None:
    """One ten-thousandth more than an entry has gives no statement, and the error names it."""
    assume(ledger.allocations)
    good = parts_by_allocation(ledger.entries, ledger.allocations, dt.date.max)
    left = open_amounts(ledger.entries, good, dt.date.max)
    one = ledger.allocations[place % len(ledger.allocations)]
    excess = max(left[one.debit_id], left[one.credit_id]) + Decimal("0.0001")
    assume(excess < 10**14)
    more = attrs.evolve(one, id="more", amount=excess)
    parts = parts_by_allocation(ledger.entries, [*ledger.allocations, more], dt.date.max)
    with pytest.raises(LedgerError, match="more is allocated than") as refused:
        open_amounts(ledger.entries, parts, dt.date.max)
    assert set(refused.value.ids) == {one.debit_id, one.credit_id}


@pytest.mark.parametrize(
    ("debit", "credit", "own", "counts"),
    [(0, 0, 0, 0), (5, 0, 0, 5), (0, 5, 0, 5), (0, 0, 5, 5), (9, 3, 1, 9), (3, 9, 1, 9)],
)
def test_an_allocation_counts_from_the_latest_of_three_days(
    debit: int, credit: int, own: int, counts: int
) -> None:
    """Neither its invoice, nor its payment, nor itself may still lie ahead."""
    day = [D + dt.timedelta(days=n) for n in range(10)]
    entries = [_invoice(day[debit]), _payment(day[credit])]
    allocation = _allocated(day=day[own])
    assert counted_on(allocation, *entries) == day[counts]
    for as_of in day:
        parts = parts_by_allocation(entries, [allocation], as_of)
        assert len(parts) == (as_of >= day[counts])


def test_an_advance_payment_is_unapplied_until_its_invoice() -> None:
    """Allocated before the invoice is dated, a payment is a credit until that day."""
    entries = [_invoice(D + dt.timedelta(days=2)), _payment()]
    for days, expected in ((0, [("P", 100)]), (1, [("P", 100)]), (2, [])):
        as_of = D + dt.timedelta(days=days)
        parts = parts_by_allocation(entries, [_allocated()], as_of)
        assert _open(entries, parts, as_of) == expected


def test_a_cancelled_invoice_was_open_until_it_was_cancelled() -> None:
    """A reversing entry allocated on the day of the cancellation changes no earlier day."""
    reversal = _payment(D + dt.timedelta(days=20), id="R", kind=EntryKind.CREDIT_ADJUSTMENT)
    entries = [_invoice(), reversal]
    allocation = _allocated(day=reversal.date, credit_id="R")
    for as_of, expected in ((D + dt.timedelta(days=19), [("I", 100)]), (reversal.date, [])):
        parts = parts_by_allocation(entries, [allocation], as_of)
        assert _open(entries, parts, as_of) == expected


def test_parts_are_told_in_the_order_in_which_they_count() -> None:
    """An old credit that was applied late comes after a younger one applied at once."""
    tomorrow = D + dt.timedelta(days=1)
    entries = [_invoice(), _payment(), _payment(D - dt.timedelta(days=9), id="OLD")]
    allocations = [_allocated(50, tomorrow, id="B", credit_id="OLD"), _allocated(50)]
    parts = parts_by_allocation(entries, allocations, tomorrow)
    assert [part.credit.id for part in applied_by_entry(parts)["I"]] == ["P", "OLD"]


def test_parts_of_other_entries_are_left_out() -> None:
    """Open amounts of some entries ask for no more than those, whatever else is applied."""
    invoice, payment = _invoice(), _payment()
    parts = parts_by_allocation([invoice, payment], [_allocated(40)], D)
    assert open_amounts([invoice], parts, D) == {"I": 60}
    assert open_amounts([payment], parts, D) == {"P": 60}


@pytest.mark.parametrize(
    ("allocation", "ids", "words"),
    [
        (
            _allocated(debit_id="X"),
            ("A", "X", "P"),
            "'A' names 'X', which is no entry of customer 'C-1001'",
        ),
        (_allocated(credit_id="X"), ("A", "I", "X"), "'A' names 'X', which is no entry of cust"),
        (
            _allocated(credit_id="I2"),
            ("A", "I", "I2"),
            "a debit with a credit, not 'I' (invoice) with",
        ),
        (_allocated(debit_id="P2"), ("A", "P2", "P"), "must settle a debit with a credit"),
        (_allocated(debit_id="P", credit_id="I"), ("A", "P", "I"), "a debit with a credit"),
        (_allocated(debit_id="I-USD"), ("A", "I-USD", "P"), "'I-USD' is in USD"),
        (_allocated(debit_id="I-other"), ("A", "I-other", "P"), "crosses customers"),
        (_allocated(credit_id="P-other"), ("A", "I", "P-other"), "crosses customers"),
        (
            _allocated(customer_id="C-2"),
            ("A", "I", "P"),
            "'A' of customer 'C-2' crosses customers: 'I'",
        ),
    ],
)
def test_an_allocation_that_cannot_be(
    allocation: Allocation, ids: tuple[str, ...], words: str
) -> None:
    """Missing entries, wrong sides, other customers and currencies are named by their ids."""
    entries = [
        _invoice(),
        _payment(),
        attrs.evolve(_invoice(), id="I2"),
        attrs.evolve(_payment(), id="P2"),
        attrs.evolve(_invoice(), id="I-USD", currency="USD"),
        attrs.evolve(_invoice(), id="I-other", customer_id="C-2"),
        attrs.evolve(_payment(), id="P-other", customer_id="C-2"),
    ]
    assert parts_by_allocation(entries, [_allocated()], D)
    with pytest.raises(LedgerError) as refused:
        parts_by_allocation(entries, [allocation], D)
    assert refused.value.ids == ids
    assert words in str(refused.value)


def test_too_much_on_either_side_is_named() -> None:
    """Whether the invoice or the payment gives more than it has, its id is in the error."""
    invoice, payment = _invoice(), _payment()
    small = attrs.evolve(payment, id="S", amount=Decimal(10))
    tiny = attrs.evolve(invoice, id="T", amount=Decimal(10))
    entries = [invoice, payment, small, tiny]
    cases = [
        ([_allocated(11, credit_id="S")], ("S",)),
        ([_allocated(11, debit_id="T")], ("T",)),
        ([_allocated(100), _allocated(5, id="B", credit_id="S")], ("I",)),
        ([_allocated(11, credit_id="S", debit_id="T")], ("S", "T")),
    ]
    for allocations, ids in cases:
        parts = parts_by_allocation(entries, allocations, D)
        with pytest.raises(LedgerError, match=", ".join(map(repr, ids))) as refused:
            open_items(entries, parts, D)
        assert refused.value.ids == ids


def test_what_stands_there_twice_is_named() -> None:
    """Ids that are there once pass; of a thousand that are there twice a few are told."""
    check_distinct("entry", iter(["b", "a", "c"]))
    with pytest.raises(LedgerError, match=r"^allocation twice in the ledger: 'a', 'b'$") as refused:
        check_distinct("allocation", iter(["b", "a", "c", "a", "b", "b"]))
    assert refused.value.ids == ("a", "b")
    with pytest.raises(LedgerError, match=r"and 995 more$") as refused:
        check_distinct("entry", [f"{n:04}" for n in range(1000)] * 2)
    assert len(refused.value.ids) == 1000


def test_too_much_is_no_contradiction_before_it_counts() -> None:
    """A statement of an earlier day stands, whatever was allocated wrongly later."""
    entries, tomorrow = [_invoice(), _payment()], D + dt.timedelta(days=1)
    allocations = [_allocated(60), _allocated(60, tomorrow, id="B")]
    parts = parts_by_allocation(entries, allocations, D)
    assert _open(entries, parts, D) == [("I", 40), ("P", 40)]
    with pytest.raises(LedgerError):
        open_items(entries, parts_by_allocation(entries, allocations, tomorrow), tomorrow)


def test_a_thousand_contradictions_are_told_in_a_line() -> None:
    """The message names the first few ids; all of them are in the error."""
    payment = attrs.evolve(_payment(), amount=Decimal(10**6))
    invoices = [attrs.evolve(_invoice(), id=f"I{n:04}") for n in range(1000)]
    parts = [AppliedPart(invoice, payment, Decimal(101), D) for invoice in invoices]
    with pytest.raises(LedgerError, match="and 995 more") as refused:
        open_amounts([*invoices, payment], parts, D)
    assert len(refused.value.ids) == 1000
    assert len(str(refused.value)) < 200


def test_an_item_is_aged_by_its_due_date_or_its_date() -> None:
    """Days count from the due date, from the date where there is none or where asked."""
    due = dt.date(2025, 2, 14)
    item = OpenItem(_invoice(due_date=due), Decimal(100))
    assert item.age(dt.date(2025, 2, 15)) == 1
    assert item.age(dt.date(2025, 2, 15), "date") == 31
    assert OpenItem(_invoice(due_date=None), Decimal(100)).age(dt.date(2025, 2, 15)) == 31
    with pytest.raises(InvalidValue, match=r"^age_by must be 'due_date' or 'date', not 'number'$"):
        item.age(due, "number")
    with pytest.raises(InvalidValue, match=r"^age_by "):
        check_age_by(None)  # type: ignore[arg-type]


def test_only_a_debit_with_a_due_date_is_overdue() -> None:
    """Days overdue are 0 on the due day and before; without a due date and for credits, None."""
    item = OpenItem(_invoice(due_date=D), Decimal(100))
    days = [item.days_overdue(D + dt.timedelta(days=n)) for n in (-1, 0, 1, 31)]
    assert days == [0, 0, 1, 31]
    assert OpenItem(_invoice(due_date=None), Decimal(100)).days_overdue(dt.date.max) is None
    assert OpenItem(_payment(due_date=D), Decimal(100)).days_overdue(dt.date.max) is None
