"""Groups that a host reconciled become pairs that leave nothing over."""

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from settlements import Settlements

from basis_portal import EntryKind, LedgerEntry

DAY = dt.date(2026, 3, 1)
amounts = st.integers(1, 10**6).map(lambda cents: Decimal(cents).scaleb(-2))
days = st.dates(dt.date(2026, 2, 27), dt.date(2026, 3, 4))


@st.composite
def groups(draw, currencies=("EUR",)):
    """Entries of a customer; those in one currency only need not add up to nothing."""
    return [
        LedgerEntry(
            id=f"line-{number}",
            customer_id="7",
            currency=draw(st.sampled_from(currencies)),
            date=draw(days),
            kind=draw(st.sampled_from([EntryKind.INVOICE, EntryKind.PAYMENT])),
            amount=draw(amounts),
            due_date=draw(st.none() | days),
        )
        for number in range(draw(st.integers(1, 8)))
    ]


def left(account):
    """What is not allocated of each entry."""
    found = {one.id: one.amount for one in account.entries}
    for one in account.allocations:
        found[one.debit_id] -= one.amount
        found[one.credit_id] -= one.amount
    return found


@given(groups())
def test_the_smaller_side_is_used_up(group):
    """Of one currency, what is left is on one side only, and no entry is used twice over."""
    account = Settlements(group)
    account.settle(group)
    open_sides = {one.is_debit for one in group if left(account)[one.id]}
    assert len(open_sides) <= 1
    assert min(left(account).values()) >= 0
    assert account.entries == group


@given(groups(("EUR", "USD", "IDR")))
def test_a_group_across_currencies_is_closed_in_each(group):
    """Where several currencies settle each other nothing is left of any, and each balances."""
    account = Settlements(group)
    account.close("reconciliation", group, DAY)
    currencies = {one.currency for one in group}
    if len(currencies) > 1:
        assert set(left(account).values()) == {0}
        for currency in currencies:
            mine = [one.signed_amount for one in account.entries if one.currency == currency]
            assert sum(mine) == 0
        assert all(one.date >= DAY for one in account.entries[len(group) :])


@given(groups(("EUR", "USD")), st.randoms())
def test_the_order_of_lines_does_not_matter(group, chance):
    """The same pairs come out however the host hands the lines over."""
    shuffled = chance.sample(group, len(group))
    one, other = Settlements(group), Settlements(shuffled)
    one.close("reconciliation", group, DAY)
    other.close("reconciliation", shuffled, DAY)
    assert sorted(one.allocations, key=str) == sorted(other.allocations, key=str)


@given(groups())
def test_what_was_settled_before_stays(group):
    """Closing a group goes on from what its invoice's own payments settled: no pair twice."""
    account = Settlements(group)
    account.settle(group[: len(group) // 2])
    before = list(account.allocations)
    account.close("reconciliation", group, DAY)
    assert account.allocations[: len(before)] == before
    assert len({one.id for one in account.allocations}) == len(account.allocations)
    assert min(left(account).values()) >= 0


def test_what_is_due_first_is_settled_first():
    """A payment settles the older instalment, and counts from the day given."""
    first, second = (
        LedgerEntry(f"line-{n}", "7", "EUR", DAY, EntryKind.INVOICE, Decimal(50), due_date=due)
        for n, due in ((1, dt.date(2026, 5, 1)), (2, dt.date(2026, 4, 1)))
    )
    paid = LedgerEntry("line-3", "7", "EUR", DAY, EntryKind.PAYMENT, Decimal(60))
    account = Settlements([first, second, paid])
    account.settle(account.entries, dt.date(2026, 3, 9))
    pairs = [(one.debit_id, one.amount, one.date) for one in account.allocations]
    assert pairs == [
        ("line-2", Decimal(50), dt.date(2026, 3, 9)),
        ("line-1", Decimal(10), dt.date(2026, 3, 9)),
    ]
