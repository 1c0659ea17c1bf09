"""Aging: every open debit in exactly one bucket, with its edges as labelled."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import InvalidValue, OpenItem
from basis_portal.domain.aging import (
    DEFAULT_EDGES,
    age_open_items,
    bucket_bounds,
    check_edges,
)
from basis_portal.testing.builders import a_payment, an_entry
from basis_portal.testing.strategies import amounts

AS_OF = dt.date(2025, 3, 31)


def _due(age: int, **changes: Any) -> OpenItem:
    """An invoice over 100 that is ``age`` days overdue; below 0, not yet due."""
    due = AS_OF - dt.timedelta(days=age)
    return OpenItem(an_entry(due_date=due, date=dt.date(2024, 1, 1), **changes), Decimal(100))


def _filled(items: list[OpenItem], **options: Any) -> list[str]:
    """The labels of the buckets that hold anything."""
    aging = age_open_items(items, AS_OF, **options)
    return [bucket.label for bucket in aging.buckets if bucket.amount]


def _edges() -> st.SearchStrategy[tuple[int, ...]]:
    days = st.sets(st.integers(1, 120), min_size=1, max_size=6)
    return days.map(lambda found: tuple(sorted(found)))


@given(st.integers(-400, 400), _edges())
def test_an_age_is_in_one_bucket_alone(age: int, edges: tuple[int, ...]) -> None:
    """The bucket of an age is the only one whose first and last day enclose it."""
    aging = age_open_items([_due(age)], AS_OF, edges=edges)
    for bucket in aging.buckets:
        first = -(10**6) if bucket.first is None else bucket.first
        last = 10**6 if bucket.last is None else bucket.last
        assert bucket.amount == (100 if first <= age <= last else 0)
    assert aging.total == 100


@given(st.lists(st.tuples(st.integers(-200, 200), amounts(above_zero=True), st.booleans())))
def test_buckets_add_up(found: list[tuple[int, Decimal, bool]]) -> None:
    """Buckets hold the debits, the credits stand beside them with the other sign."""
    items = [
        OpenItem(_due(age).entry if debit else a_payment(), amount) for age, amount, debit in found
    ]
    aging = age_open_items(items, AS_OF)
    debits = sum(Fraction(amount) for _, amount, debit in found if debit)
    credited = sum(Fraction(amount) for _, amount, debit in found if not debit)
    assert Fraction(aging.open_debits) == debits
    assert Fraction(aging.unapplied_credits) == -credited
    assert Fraction(aging.total) == debits - credited


@given(_edges())
def test_buckets_leave_no_day_out(edges: tuple[int, ...]) -> None:
    """Each bucket begins on the day after the one before it ends."""
    bounds = bucket_bounds(edges)
    assert [last for _, _, last in bounds] == [0, *edges, None]
    for (_, _, last), (_, first, _) in pairwise(bounds):
        assert last is not None
        assert first == last + 1


@pytest.mark.parametrize(
    ("age", "label", "custom"),
    [
        (-1, "current", "current"),
        (0, "current", "current"),
        (1, "1-30", "1-7"),
        (7, "1-30", "1-7"),
        (8, "1-30", "8"),
        (9, "1-30", "9-60"),
        (30, "1-30", "9-60"),
        (31, "31-60", "9-60"),
        (60, "31-60", "9-60"),
        (61, "61-90", "over 60"),
        (90, "61-90", "over 60"),
        (91, "over 90", "over 60"),
        (36_500, "over 90", "over 60"),
    ],
)
def test_the_edges_are_as_labelled(age: int, label: str, custom: str) -> None:
    """30 days late is in "1-30", 31 days in "31-60", 91 in "over 90"; and so with other edges."""
    assert _filled([_due(age)]) == [label]
    assert _filled([_due(age)], edges=(7, 8, 60)) == [custom]


def test_what_has_no_due_date_is_aged_by_its_date() -> None:
    """Without a due date days count from the document's date."""
    item = OpenItem(an_entry(due_date=None, date=AS_OF - dt.timedelta(days=31)), Decimal(100))
    assert _filled([item]) == ["31-60"]


def test_a_due_date_before_the_date_counts() -> None:
    """A due date that lies before the document's date is taken as it is."""
    entry = an_entry(date=AS_OF, due_date=AS_OF - dt.timedelta(days=61))
    assert _filled([OpenItem(entry, Decimal(100))]) == ["61-90"]


def test_a_host_may_age_by_date() -> None:
    """Aged by date, an invoice that is not yet due is as old as its date."""
    entry = an_entry(date=AS_OF - dt.timedelta(days=30), due_date=AS_OF + dt.timedelta(days=5))
    item = OpenItem(entry, Decimal(100))
    assert _filled([item], age_by="date") == ["1-30"]
    assert _filled([item], age_by="due_date") == ["current"]
    with pytest.raises(InvalidValue, match=r"^age_by "):
        _filled([item], age_by="due")


def test_an_old_credit_is_never_overdue() -> None:
    """An open credit stands on its own line, however old it is."""
    aging = age_open_items([OpenItem(a_payment(), Decimal(30)), _due(91)], AS_OF)
    assert aging.unapplied_credits == -30
    assert (int(aging["over 90"]), int(aging.total)) == (100, 70)


def test_nothing_open_is_zero_everywhere() -> None:
    """Without open items all buckets are there, at zero, and no zero has a minus."""
    aging = age_open_items([], AS_OF)
    assert [b.label for b in aging.buckets] == ["current", "1-30", "31-60", "61-90", "over 90"]
    assert aging.as_of == AS_OF
    figures = [*(b.amount for b in aging.buckets), aging.unapplied_credits, aging.total]
    assert [str(figure) for figure in figures] == ["0"] * 7


def test_a_bucket_is_found_by_its_label() -> None:
    """A label that is none of the buckets' is a KeyError."""
    aging = age_open_items([_due(45)], AS_OF)
    assert aging["31-60"] == 100
    with pytest.raises(KeyError, match=r"^'31-61'$"):
        aging["31-61"]


@pytest.mark.parametrize(
    "edges",
    [
        (),
        [],
        None,
        30,
        "306090",
        (0, 30),
        (-1,),
        (30, 30),
        (60, 30),
        (30.0, 60),
        (True, 30),
        ("30",),
        (36_501,),
        {30, 60},
    ],
)
def test_edges_are_rising_days(edges: object) -> None:
    """Edges that are no rising whole numbers of days are refused."""
    with pytest.raises(InvalidValue) as refused:
        check_edges(edges)
    rule = "must be rising whole numbers of days above 0, such as (30, 60, 90)"
    assert str(refused.value) == f"aging_edges {rule}, not {edges!r}"
    assert refused.value.field == "aging_edges"


def test_good_edges_come_back_as_a_tuple() -> None:
    """A list of edges will do, from one edge to a hundred years."""
    assert check_edges([30, 60, 90]) == DEFAULT_EDGES
    assert check_edges((1,)) == (1,)
    assert check_edges((36_500,)) == (36_500,)
