"""Groups that a host reconciled come to pairs: each side is used up, and currencies stay apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from itertools import chain
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import EntryKind, InvalidValue, LedgerEntry, LedgerError, Settlements
from basis_portal.domain.allocation import open_amounts, open_items, parts_by_allocation
from basis_portal.testing.builders import an_entry

DAY = dt.date(2026, 3, 1)
LATER = dt.date(2026, 12, 31)
INVOICE, PAYMENT = EntryKind.INVOICE, EntryKind.PAYMENT
days = st.dates(dt.date(2026, 2, 26), dt.date(2026, 3, 4))
amounts = st.integers(0, 5 * 10**6).map(lambda units: Decimal(units).scaleb(-4))
many = settings(max_examples=examples(100))


@st.composite
def groups(draw: st.DrawFn, currencies: Sequence[str] = ("EUR", "USD", "IDR")) -> list[LedgerEntry]:
    """Entries of one customer, which need not add up to nothing."""
    return [
        an_entry(
            f"L-{number}",
            currency=draw(st.sampled_from(currencies)),
            date=draw(days),
            kind=draw(st.sampled_from(EntryKind)),
            amount=draw(amounts),
            due_date=draw(st.none() | days),
        )
        for number in range(draw(st.integers(1, 8)))
    ]


def left(account: Settlements) -> dict[str, Decimal]:
    """What is open of each entry in the end, as statements reckon it."""
    parts = parts_by_allocation(account.entries, account.allocations, LATER)
    return open_amounts(account.entries, parts, LATER)


def pairs(account: Settlements) -> list[tuple[str, str, Decimal, dt.date]]:
    """The allocations, in short."""
    return [(one.debit_id, one.credit_id, one.amount, one.date) for one in account.allocations]


@given(groups())
@many
def test_of_each_currency_one_side_is_used_up(group: list[LedgerEntry]) -> None:
    """What a group leaves open in a currency is on one side; no entry is used twice over."""
    account = Settlements(group)
    account.settle(group)
    assert account.entries == group
    found = left(account)
    for currency in ("EUR", "USD", "IDR"):
        sides = {one.is_debit for one in group if one.currency == currency and found[one.id]}
        assert len(sides) <= 1


@given(groups(), st.integers(0, 8), st.booleans())
@many
def test_a_group_across_currencies_is_closed_in_each(
    group: list[LedgerEntry], part: int, whole: bool
) -> None:
    """Where several currencies settle each other nothing is left, also of what was paid before."""
    account = Settlements(group)
    account.settle(group[:part])
    group = group if whole else group[part:]
    assume(len({one.currency for one in group}) > 1)
    account.close("R-1", group, DAY)
    added_to: dict[str, list[LedgerEntry]] = {one.currency: [] for one in group}
    for one in account.entries:
        if one.id.startswith("R-1"):
            added_to[one.currency].append(one)
    found = left(account)
    assert all(found[one.id] == 0 for one in (*group, *chain(*added_to.values())))
    for currency, added in added_to.items():
        assert [one.id for one in added] in ([], [f"R-1-{currency}"])
        assert all(one.amount > 0 and one.due_date is None for one in added)
        assert all(one.date == max(DAY, *(other.date for other in group)) for one in added)
        assert {one.kind for one in added} <= {
            EntryKind.CREDIT_ADJUSTMENT,
            EntryKind.DEBIT_ADJUSTMENT,
        }


@given(groups(("EUR",)))
@many
def test_one_currency_alone_is_only_paired(group: list[LedgerEntry]) -> None:
    """A group in one currency gets no adjustment, though it may not add up to nothing."""
    closed, settled = Settlements(group), Settlements(group)
    closed.close("R-1", group, DAY)
    settled.settle(group, DAY)
    assert (closed.entries, pairs(closed)) == (group, pairs(settled))


@given(groups(), st.randoms(use_true_random=False))
@many
def test_the_order_of_entries_does_not_matter(group: list[LedgerEntry], chance: Random) -> None:
    """The same pairs come out however the host hands the lines over."""
    shuffled = chance.sample(group, len(group))
    one, other = Settlements(group), Settlements(shuffled)
    one.close("R-1", group, DAY)
    other.close("R-1", shuffled, DAY)
    assert one.allocations == other.allocations


@given(groups(), st.integers(0, 8))
@many
def test_what_was_settled_before_stays(group: list[LedgerEntry], part: int) -> None:
    """Closing a group goes on from what its invoice's own payments settled: no pair twice."""
    account = Settlements(group)
    account.settle(group[:part])
    before = list(account.allocations)
    account.close("R-1", group, DAY)
    assert account.allocations[: len(before)] == before
    assert len({one.id for one in account.allocations}) == len(account.allocations)
    assert min(left(account).values()) >= 0


@given(groups(), st.none() | days)
@many
def test_a_pair_counts_from_the_latest_day(group: list[LedgerEntry], day: dt.date | None) -> None:
    """Of the day given and those of its two entries."""
    account = Settlements(group)
    account.settle(group, day)
    date_of = {one.id: one.date for one in group}
    for one in account.allocations:
        own = max(date_of[one.debit_id], date_of[one.credit_id])
        assert one.date == max(day or own, own)


def test_what_is_due_first_is_settled_by_what_was_paid_first() -> None:
    """By due date, or date; a credit's own due date says nothing. What is left over stays open."""
    late = an_entry("A", amount=Decimal(50), date=DAY, due_date=dt.date(2026, 5, 1))
    soon = an_entry("B", amount=Decimal(50), date=DAY, due_date=dt.date(2026, 4, 1))
    at_once = an_entry("C", amount=Decimal(5), date=dt.date(2026, 3, 3), due_date=None)
    second = an_entry("D", kind=PAYMENT, amount=Decimal(30), date=dt.date(2026, 3, 8))
    first = an_entry(
        "E", kind=PAYMENT, amount=Decimal(30), date=dt.date(2026, 3, 7), due_date=LATER
    )
    group = [late, soon, at_once, second, first]
    account = Settlements(group)
    account.settle(group)
    assert pairs(account) == [
        ("C", "E", Decimal(5), dt.date(2026, 3, 7)),
        ("B", "E", Decimal(25), dt.date(2026, 3, 7)),
        ("B", "D", Decimal(25), dt.date(2026, 3, 8)),
        ("A", "D", Decimal(5), dt.date(2026, 3, 8)),
    ]
    parts = parts_by_allocation(account.entries, account.allocations, LATER)
    assert [(item.entry.id, item.open_amount) for item in open_items(group, parts, LATER)] == [
        ("A", Decimal(45))
    ]


def test_dollars_pay_euros() -> None:
    """Each currency ends by an adjustment, dated like the latest day; nothing is converted."""
    owed = an_entry("INV-1", amount=Decimal(100), date=DAY)
    paid = an_entry("PAY-1", kind=PAYMENT, amount=Decimal(108), currency="USD", date=LATER)
    account = Settlements([owed, paid])
    account.close("R-1", [owed, paid], DAY)
    assert [
        (one.id, one.customer_id, one.kind, one.amount, one.currency, one.date)
        for one in account.entries[2:]
    ] == [
        ("R-1-EUR", "C-1001", EntryKind.CREDIT_ADJUSTMENT, Decimal(100), "EUR", LATER),
        ("R-1-USD", "C-1001", EntryKind.DEBIT_ADJUSTMENT, Decimal(108), "USD", LATER),
    ]
    assert pairs(account) == [
        ("INV-1", "R-1-EUR", Decimal(100), LATER),
        ("R-1-USD", "PAY-1", Decimal(108), LATER),
    ]
    assert [one.id for one in account.allocations] == ["INV-1/R-1-EUR", "R-1-USD/PAY-1"]
    assert {one.customer_id for one in account.allocations} == {"C-1001"}


def test_what_was_paid_before_is_not_paid_again() -> None:
    """A debt paid in part, and the rest in another currency: the account ends at nothing."""
    owed = an_entry("INV-1", amount=Decimal(100), currency="USD")
    part = an_entry("PAY-1", kind=PAYMENT, amount=Decimal(40), currency="USD")
    rest = an_entry("PAY-2", kind=PAYMENT, amount=Decimal(55), currency="EUR")
    account = Settlements([owed, part, rest])
    account.settle([owed, part])
    account.close("R-1", [owed, rest], DAY)
    assert [(one.id, one.signed_amount) for one in account.entries[3:]] == [
        ("R-1-EUR", Decimal(55)),
        ("R-1-USD", Decimal(-60)),
    ]
    for currency in ("EUR", "USD"):
        own = [one.signed_amount for one in account.entries if one.currency == currency]
        assert sum(own) == 0


def test_ids_may_be_as_long_as_ids_are() -> None:
    """Two of them are too long for that of a pair, which is then a digest of both."""
    debit = an_entry("d" * 255)
    credits_ = [an_entry("c" * 254 + one, kind=PAYMENT, amount=Decimal(1)) for one in "12"]
    account = Settlements([debit, *credits_])
    account.settle([debit, *credits_])
    assert len({one.id for one in account.allocations}) == 2
    short = [an_entry("d" * 127), an_entry("c" * 127, kind=PAYMENT)]
    account = Settlements(short)
    account.settle(short)
    assert account.allocations[0].id == "d" * 127 + "/" + "c" * 127


@pytest.mark.parametrize("how", ["settle", "close"])
@pytest.mark.parametrize(
    ("group", "says"),
    [
        (["INV-1", "INV-9"], "a group has 'INV-9', which is not as given"),
        (["INV-1", "PAY-1", "INV-1"], "entry of a group twice in the ledger: 'INV-1'"),
    ],
)
def test_a_group_that_cannot_be_is_refused(how: str, group: list[str], says: str) -> None:
    """The error names the entry, and nothing was settled."""
    known = {"INV-1": an_entry("INV-1"), "PAY-1": an_entry("PAY-1", kind=PAYMENT, currency="USD")}
    account = Settlements(known.values())
    given_ = [known.get(one) or an_entry(one) for one in group]
    calls: dict[str, Any] = {
        "settle": lambda: account.settle(given_),
        "close": lambda: account.close("R-1", given_, DAY),
    }
    with pytest.raises(LedgerError, match=says) as refused:
        calls[how]()
    assert refused.value.ids == (group[-1],)
    assert (account.allocations, len(account.entries)) == ([], 2)


def test_ids_are_given_once() -> None:
    """No entry twice, no reconciliation twice, and none that is no id."""
    owed, paid = an_entry("INV-1"), an_entry("PAY-1", kind=PAYMENT, currency="USD")
    with pytest.raises(LedgerError, match="entry twice in the ledger: 'INV-1'"):
        Settlements([owed, owed])
    account = Settlements([owed, paid])
    account.close("R-1", [owed, paid], DAY)
    before = (list(account.entries), list(account.allocations))
    account.close("R-1", [owed, paid], DAY)  # nothing is left of it
    assert (account.entries, account.allocations) == before
    again = [an_entry("INV-2"), an_entry("PAY-2", kind=PAYMENT, currency="USD")]
    account = Settlements([*again, an_entry("R-1-EUR")])
    with pytest.raises(LedgerError, match="entry twice in the ledger: 'R-1-EUR'"):
        account.close("R-1", again, DAY)
    for wrong, field in (("", "id"), (5, "id"), ("x" * 255, "LedgerEntry.id")):
        with pytest.raises(InvalidValue, match=f"^{field} must "):
            account.close(wrong, again, DAY)  # type: ignore[arg-type]
    assert (account.allocations, len(account.entries)) == ([], 3)


def test_pairs_of_ids_that_read_alike_have_ids_of_their_own() -> None:
    """Numbers hold slashes: ``A/1`` with ``2`` is another pair than ``A`` with ``1/2``."""
    group = [
        an_entry("A/1", amount=Decimal(1)),
        an_entry("A", amount=Decimal(1)),
        an_entry("2", kind=PAYMENT, amount=Decimal(1), date=DAY),
        an_entry("1/2", kind=PAYMENT, amount=Decimal(1), date=DAY),
    ]
    account = Settlements(group)
    account.settle([group[0], group[2]])
    account.settle([group[1], group[3]])
    assert len({one.id for one in account.allocations}) == 2


def test_entries_are_taken_as_they_were_given() -> None:
    """One that reads otherwise in a group is refused, and so are two customers and no days."""
    owed, paid = an_entry("INV-1"), an_entry("PAY-1", kind=PAYMENT)
    account = Settlements([owed, paid])
    with pytest.raises(LedgerError, match="a group has 'INV-1', which is not as given"):
        account.settle([attrs.evolve(owed, amount=Decimal(1)), paid])
    for wrong in (dt.datetime(2026, 3, 1, tzinfo=dt.UTC), "2026-03-01"):
        with pytest.raises(InvalidValue, match="date must be a date"):
            account.settle([owed, paid], wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidValue, match="date must be a date"):
            account.close("R-1", [owed, paid], wrong)  # type: ignore[arg-type]
    assert account.allocations == []
    with pytest.raises(LedgerError, match="of several customers, 'C-1001', 'C-9'; give") as refused:
        Settlements([owed, an_entry("INV-2", customer_id="C-9")])
    assert refused.value.ids == ("C-1001", "C-9")


@pytest.mark.parametrize("days", [-400, 0, 400])
def test_what_is_added_is_of_the_latest_day(days: int) -> None:
    """That of the reconciliation, or of an entry that is still later."""
    group = [an_entry("INV-1"), an_entry("PAY-1", kind=PAYMENT, currency="USD", date=DAY)]
    account, day = Settlements(group), DAY + dt.timedelta(days=days)
    account.close("R-1", group, day)
    latest = max(day, *(one.date for one in group))
    assert [one.date for one in account.entries[2:]] == [latest] * 2


def test_a_group_may_be_any_iterable() -> None:
    """It is gone through once."""
    owed, paid = an_entry("INV-1"), an_entry("PAY-1", kind=PAYMENT)
    for how in ("settle", "close"):
        account = Settlements(iter([owed, paid]))
        group = (one for one in (owed, paid))
        account.settle(group) if how == "settle" else account.close("R-1", group, DAY)
        assert [one.id for one in account.allocations] == ["INV-1/PAY-1"]


def test_an_empty_group_settles_nothing() -> None:
    """There may be reconciliations of which this customer has no line."""
    account = Settlements([])
    account.settle([])
    account.close("R-1", [], DAY)
    assert (account.entries, account.allocations) == ([], [])
