"""What a host's own ledger promises, over the host's own data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from ...domain.allocation import open_amounts, parts_by_allocation
from ...domain.ledger import Allocation, AllocationRule, LedgerEntry
from ...domain.money import total
from ...domain.summary import last_payments
from ...repositories import (
    LedgerRepository,
    SupportsBalances,
    SupportsEntryPages,
    SupportsLookup,
    SupportsOpenItems,
    supports,
)
from .accounts import plain_balances, plain_entry_page, plain_open_items
from .base import Kit, walk
from .host_customers import NOBODY

_MOST_DAYS = 12


def entries_of(ledger: LedgerRepository, customer_id: str) -> list[LedgerEntry]:
    """All entries of a customer in statement order."""
    return sorted(ledger.entries(customer_id), key=lambda entry: entry.key)


def some_days(entries: Sequence[LedgerEntry]) -> list[dt.date]:
    """Days to look at an account: the first, the last, some between, and beyond both."""
    days = sorted({entry.date for entry in entries})
    return [dt.date.min, *days[:: len(days) // _MOST_DAYS + 1], *days[-1:], dt.date.max]


def able(ledger: LedgerRepository | None, capability: type) -> Any:
    """The ledger, or a skipped test where the host does not offer the capability."""
    if not supports(ledger, capability):
        pytest.skip(f"the ledger is no {capability.__name__}; it is derived")
    return ledger


class HostLedgerConformance(Kit):
    """The ledger gives a customer's own entries, whole, and allocations that fit them.

    Attributes:
        allocation_rule: as the portal is told; with FIFO no allocations are asked for.
    """

    allocation_rule: ClassVar[AllocationRule] = AllocationRule.EXPLICIT

    def test_known_customers_have_entries(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """Two of the known customers have entries; without them these tests show nothing."""
        having = [c for c in set(known_customer_ids) if entries_of(_given(ledger), c)]
        assert len(having) >= 2, "two known customers must have entries"

    def test_entries_are_the_customers_own(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """All entries are the customer's own, and an id is one entry's among all customers."""
        ids: list[str] = []
        for customer_id in dict.fromkeys(known_customer_ids):
            entries = entries_of(_given(ledger), customer_id)
            assert {entry.customer_id for entry in entries} <= {customer_id}
            ids += [entry.id for entry in entries]
        assert len(set(ids)) == len(ids)
        assert entries_of(_given(ledger), NOBODY) == []

    def test_entries_are_bounded_by_days(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """Entries come from the first to the last day asked for, both included."""
        for customer_id in known_customer_ids:
            entries = entries_of(_given(ledger), customer_id)
            days = some_days(entries)
            middle = days[len(days) // 2]
            for start, end in [(day, day) for day in days] + [(middle, None), (None, middle)]:
                found = _given(ledger).entries(customer_id, start=start, end=end)
                expected = [
                    entry
                    for entry in entries
                    if (start or dt.date.min) <= entry.date <= (end or dt.date.max)
                ]
                assert sorted(found, key=lambda entry: entry.key) == expected

    def test_allocations_fit_their_entries(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """Allocations join a debit and a credit of one customer and currency, and no more."""
        for customer_id in known_customer_ids:
            entries = entries_of(_given(ledger), customer_id)
            allocations = self._allocations(ledger, customer_id)
            assert {allocation.customer_id for allocation in allocations} <= {customer_id}
            assert len({allocation.id for allocation in allocations}) == len(allocations)
            for day in some_days(entries):
                parts = parts_by_allocation(entries, allocations, day)
                open_amounts(entries, parts, day)
        assert self._allocations(ledger, NOBODY) == []

    # --- capabilities, where the host has them ------------------------------------------

    def test_balances_agree_with_the_entries(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """Balances before any day are what adding up the entries gives."""
        host: SupportsBalances = able(ledger, SupportsBalances)
        for customer_id in known_customer_ids:
            entries = entries_of(_given(ledger), customer_id)
            for day in some_days(entries):
                found = dict(host.balances(customer_id, before=day))
                assert found == plain_balances(entries, day)

    def test_open_items_agree_with_the_history(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """Open items of any day are what replaying entries and allocations gives."""
        host: SupportsOpenItems = able(ledger, SupportsOpenItems)
        for customer_id in known_customer_ids:
            entries = entries_of(_given(ledger), customer_id)
            allocations = self._allocations(ledger, customer_id)
            for day in some_days(entries):
                expected = plain_open_items(entries, allocations, day)
                assert list(host.open_items(customer_id, day)) == expected

    def test_last_payments_agree_with_the_entries(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """Currencies and last payments of any day are what looking at the entries gives."""
        host: SupportsOpenItems = able(ledger, SupportsOpenItems)
        for customer_id in known_customer_ids:
            entries = entries_of(_given(ledger), customer_id)
            for day in some_days(entries):
                currencies = sorted({entry.currency for entry in entries if entry.date <= day})
                assert list(host.currencies(customer_id, until=day)) == currencies
                found = dict(host.last_payments(customer_id, until=day))
                assert found == last_payments(entries, day)

    @pytest.mark.parametrize("limit", [7, 1000])
    def test_entry_pages_agree_with_the_entries(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str], limit: int
    ) -> None:
        """Pages of entries join to the account in statement order, with the balance at each."""
        host: SupportsEntryPages = able(ledger, SupportsEntryPages)
        for customer_id in known_customer_ids:
            entries = entries_of(_given(ledger), customer_id)
            middle = some_days(entries)[len(some_days(entries)) // 2]
            for currency in sorted({entry.currency for entry in entries}):
                for start, end in ((None, None), (middle, None), (None, middle)):
                    found = _entry_pages(
                        host, customer_id, currency, start=start, end=end, limit=limit
                    )
                    assert found == plain_entry_page(entries, currency, start, end)
                whole = plain_entry_page(entries, currency, None, None)
                for place in range(0, len(whole), len(whole) // _MOST_DAYS + 1):
                    found_balance = host.balance_through(customer_id, currency, whole[place].key)
                    assert found_balance == total(e.signed_amount for e in whole[: place + 1])

    def test_lookups_agree_with_the_entries(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """Look-ups give the customer's own of what was asked for, in statement order."""
        host: SupportsLookup = able(ledger, SupportsLookup)
        everything = [e for c in known_customer_ids for e in entries_of(_given(ledger), c)]
        ids = {NOBODY, *(entry.id for entry in everything[::2][:500])}
        documents = {NOBODY, *(e.document_id for e in everything[::2][:500] if e.document_id)}
        for customer_id in known_customer_ids:
            entries = entries_of(_given(ledger), customer_id)
            found = host.entries_by_id(customer_id, ids)
            assert list(found) == [entry for entry in entries if entry.id in ids]
            found = host.entries_of_documents(customer_id, documents)
            assert list(found) == [entry for entry in entries if entry.document_id in documents]

    def test_allocations_are_found_from_either_side(
        self, ledger: LedgerRepository | None, known_customer_ids: Sequence[str]
    ) -> None:
        """The allocations of some entries are those that name one on either side, by id."""
        host: SupportsLookup = able(ledger, SupportsLookup)
        everything = [e for c in known_customer_ids for e in entries_of(_given(ledger), c)]
        ids = {NOBODY, *(entry.id for entry in everything[::2][:500])}
        for customer_id in known_customer_ids:
            own = sorted(self._allocations(ledger, customer_id), key=lambda one: one.id)
            expected = [one for one in own if {one.debit_id, one.credit_id} & ids]
            assert list(host.allocations_of(customer_id, ids)) == expected

    def _allocations(self, ledger: LedgerRepository | None, customer_id: str) -> list[Allocation]:
        if self.allocation_rule is AllocationRule.FIFO:
            pytest.skip("with FIFO the host has no allocations")
        return list(_given(ledger).allocations(customer_id))


def _given(ledger: LedgerRepository | None) -> LedgerRepository:
    if ledger is None:
        pytest.skip("the host has no ledger of its own")
    return ledger


def _entry_pages(
    ledger: SupportsEntryPages,
    customer_id: str,
    currency: str,
    *,
    start: dt.date | None,
    end: dt.date | None,
    limit: int,
) -> list[LedgerEntry]:
    return walk(
        lambda after, limit: ledger.entry_page(
            customer_id, currency, start=start, end=end, after=after, limit=limit
        ),
        lambda entry: entry.key,
        limit,
    )
