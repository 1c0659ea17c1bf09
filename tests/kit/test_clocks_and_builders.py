"""The clock stands still until it is moved; builders make valid objects, the same each time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

import basis_portal.testing as kit
from basis_portal import (
    AuditEvent,
    Author,
    Customer,
    DocumentKind,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    system_clock,
)
from basis_portal.testing import FrozenClock, builders

BUILDERS = [
    builders.a_customer,
    builders.a_line,
    builders.an_invoice,
    builders.a_credit_note,
    builders.an_order,
    builders.an_entry,
    builders.a_payment,
    builders.an_allocation,
    builders.a_token,
    builders.a_message,
    builders.a_note,
    builders.an_audit_entry,
]
HOUR = dt.timedelta(hours=1)


# --- clock --------------------------------------------------------------------------------------


def test_the_clock_stands_still() -> None:
    """Read twice it gives the same aware instant in UTC, and counts both reads."""
    clock = FrozenClock()
    assert clock() == clock()
    assert clock().tzinfo is dt.UTC
    assert clock.reads == 3
    assert clock.now == clock()
    assert clock.reads == 4


def test_the_clock_is_moved_by_hand() -> None:
    """It moves by a timedelta or by what makes one, forth and back."""
    clock = FrozenClock(builders.NOW)
    assert clock.advance(HOUR) == builders.NOW + HOUR
    assert clock.advance(days=1, hours=-1) == builders.NOW + dt.timedelta(days=1)
    assert clock.advance(-HOUR) == clock()
    clock.set(builders.NOW - HOUR)
    assert clock() == builders.NOW - HOUR
    assert clock.reads == 2


def test_the_clock_speaks_utc() -> None:
    """An instant of another zone becomes UTC; one of no zone is refused."""
    east = dt.timezone(dt.timedelta(hours=7))
    clock = FrozenClock(dt.datetime(2025, 1, 1, 7, tzinfo=east))
    assert repr(clock) == "FrozenClock(2025-01-01T00:00:00+00:00)"
    with pytest.raises(InvalidValue):
        clock.set(dt.datetime(2025, 1, 1))  # noqa: DTZ001
    with pytest.raises(InvalidValue):
        FrozenClock(dt.date(2025, 1, 1))  # type: ignore[arg-type]
    assert clock().hour == 0


def test_the_clock_is_one_for_the_portal() -> None:
    """It stands in wherever the system's clock does."""
    clock: Callable[[], dt.datetime] = FrozenClock()
    assert clock().tzinfo is system_clock().tzinfo


# --- builders -----------------------------------------------------------------------------------


@pytest.mark.parametrize("build", BUILDERS)
def test_builders_are_deterministic(build: Callable[..., Any]) -> None:
    """The same call makes an equal object."""
    assert build() == build()


@pytest.mark.parametrize("build", [one for one in BUILDERS if one is not builders.a_line])
def test_any_field_can_be_given(build: Callable[..., Any]) -> None:
    """A keyword overrides a field, and the domain's rules hold for it."""
    field = "id" if build is builders.a_customer else "customer_id"
    assert getattr(build(**{field: "other"}), field) == "other"
    with pytest.raises(InvalidValue):
        build(**{field: ""})


def test_builders_make_what_they_say() -> None:
    """Names say kinds; ids come first; the defaults fit together."""
    assert builders.an_invoice("I-7").kind is DocumentKind.SALES_INVOICE
    assert builders.a_credit_note().kind is DocumentKind.CREDIT_NOTE
    assert builders.an_order().kind is DocumentKind.SALES_ORDER
    assert builders.a_payment().kind is EntryKind.PAYMENT
    assert builders.a_message().author is Author.CUSTOMER
    assert builders.an_audit_entry(AuditEvent.ENDED).event is AuditEvent.ENDED
    assert builders.a_customer("C-7") == Customer(
        "C-7", "Kopi Nusantara", email="finance@kopi.example", number="1001"
    )
    entry, allocation = builders.an_entry(), builders.an_allocation()
    assert entry.amount == allocation.amount == builders.a_payment().amount
    assert LedgerEntry.of(builders.an_invoice()).amount == entry.amount
    assert (allocation.debit_id, allocation.credit_id) == (entry.id, builders.a_payment().id)
    assert builders.a_token().customer_id == builders.a_message().customer_id
    assert builders.token_id(2) > builders.token_id(1)


# --- the public face ----------------------------------------------------------------------------


def test_all_public_names_are_there() -> None:
    """Every name of ``__all__`` is there and documented."""
    assert sorted(kit.__all__) == kit.__all__
    for name in kit.__all__:
        assert getattr(kit, name).__doc__
