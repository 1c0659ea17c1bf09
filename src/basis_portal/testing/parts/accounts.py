"""What a storage that keeps a ledger answers, against a plain look at every entry."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...domain.allocation import OpenItem, open_items, parts_by_allocation
from ...domain.ledger import Allocation, EntryKind, LedgerEntry
from ...domain.money import total
from ...domain.summary import last_payments
from ...repositories import FullStorage
from ..builders import CUSTOMER_ID, DAY, a_payment, an_allocation, an_entry
from ..ledgers import Ledger, ledger_days, ledgers
from ..strategies import LARGEST_AMOUNT
from .base import EXAMPLES, LIMITS, RISING_IDS, Kit, a_new_id, walk
from .ledger import ONE_DAY, keep

_SOME_DAYS = st.lists(ledger_days(), min_size=1, max_size=4)


def plain_open_items(
    entries: Sequence[LedgerEntry], allocations: Sequence[Allocation], as_of: dt.date
) -> list[OpenItem]:
    """The open items as of a day, found by replaying the whole history."""
    return open_items(entries, parts_by_allocation(entries, allocations, as_of), as_of)


def plain_balances(entries: Sequence[LedgerEntry], before: dt.date) -> dict[str, Decimal]:
    """Debits less credits of the entries dated before a day, by currency."""
    earlier = [entry for entry in entries if entry.date < before]
    return {
        currency: total(e.signed_amount for e in earlier if e.currency == currency)
        for currency in {entry.currency for entry in earlier}
    }


def plain_entry_page(
    entries: Sequence[LedgerEntry], currency: str, start: dt.date | None, end: dt.date | None
) -> list[LedgerEntry]:
    """The entries of a currency and period in statement order."""
    return sorted(
        (
            entry
            for entry in entries
            if entry.currency == currency
            and (start is None or start <= entry.date)
            and (end is None or entry.date <= end)
        ),
        key=lambda entry: entry.key,
    )


def check_account(storage: FullStorage, ledger: Ledger, days: Sequence[dt.date]) -> None:
    """What is answered as of each of ``days`` is what a look at every entry gives."""
    own, customer_id = storage.ledger, ledger.customer_id
    for day in days:
        expected = plain_open_items(ledger.entries, ledger.allocations, day)
        assert list(own.open_items(customer_id, day)) == expected
        assert dict(own.balances(customer_id, before=day)) == plain_balances(ledger.entries, day)
        until = sorted({entry.currency for entry in ledger.entries if entry.date <= day})
        assert list(own.currencies(customer_id, until=day)) == until
        found = dict(own.last_payments(customer_id, until=day))
        assert found == last_payments(ledger.entries, day)


class AccountsConformance(Kit):
    """Balances, open items, pages and look-ups are what going through all entries gives."""

    @given(ledger=ledgers(), days=_SOME_DAYS)
    @EXAMPLES
    def test_an_account_agrees_with_its_history(
        self, storage: FullStorage, ledger: Ledger, days: list[dt.date]
    ) -> None:
        """Open items, balances, currencies and last payments of any day replay the history."""
        ledger = ledger.of_customer(a_new_id())
        keep(storage, ledger)
        check_account(storage, ledger, [dt.date.min, *days, dt.date.max])

    @given(
        ledger=ledgers(),
        moves=st.lists(st.tuples(st.integers(0, 99), ledger_days()), max_size=4),
        days=_SOME_DAYS,
    )
    @EXAMPLES
    def test_an_account_agrees_after_corrections(
        self,
        storage: FullStorage,
        ledger: Ledger,
        moves: list[tuple[int, dt.date]],
        days: list[dt.date],
    ) -> None:
        """What is answered stays true when entries are re-dated and allocations changed."""
        ledger = ledger.of_customer(a_new_id())
        keep(storage, ledger)
        for place, day in moves:
            ledger = _corrected(storage, ledger, place, day)
        check_account(storage, ledger, [*days, dt.date.max])

    @given(
        ledger=ledgers(),
        currency=st.sampled_from(("EUR", "USD")),
        period=st.tuples(st.none() | ledger_days(), st.none() | ledger_days()),
        limit=st.sampled_from(LIMITS),
    )
    @EXAMPLES
    def test_entry_pages_join_to_the_account(
        self,
        storage: FullStorage,
        ledger: Ledger,
        currency: str,
        period: tuple[dt.date | None, dt.date | None],
        limit: int,
    ) -> None:
        """Pages of entries join to the account in statement order, with the balance at each."""
        start, end = period
        ledger = ledger.of_customer(a_new_id())
        keep(storage, ledger)
        found = walk(
            lambda after, limit: storage.ledger.entry_page(
                ledger.customer_id, currency, start=start, end=end, after=after, limit=limit
            ),
            lambda entry: entry.key,
            limit,
        )
        assert found == plain_entry_page(ledger.entries, currency, start, end)
        for entry in found:
            through = [e for e in ledger.entries if e.currency == currency and e.key <= entry.key]
            assert storage.ledger.balance_through(ledger.customer_id, currency, entry.key) == (
                total(e.signed_amount for e in through)
            )

    @given(ledger=ledgers(), places=st.sets(st.integers(0, 20), max_size=8))
    @EXAMPLES
    def test_lookups_agree_with_looking_at_everything(
        self, storage: FullStorage, ledger: Ledger, places: set[int]
    ) -> None:
        """Look-ups by entry and by document give what looking at everything gives, in order."""
        ledger = ledger.of_customer(a_new_id())
        keep(storage, ledger)
        own, customer_id = storage.ledger, ledger.customer_id
        ordered = sorted(ledger.entries, key=lambda entry: entry.key)
        ids = {entry.id for place, entry in enumerate(ledger.entries) if place in places}
        ids.add("absent")
        by_id = [entry for entry in ordered if entry.id in ids]
        assert list(own.entries_by_id(customer_id, ids)) == by_id
        on_either_side = [a for a in ledger.allocations if {a.debit_id, a.credit_id} & ids]
        expected = sorted(on_either_side, key=lambda allocation: allocation.id)
        assert list(own.allocations_of(customer_id, ids)) == expected
        for documents in ({"D-1"}, {"D-2", "D-3", "absent"}, set[str]()):
            of_documents = [entry for entry in ordered if entry.document_id in documents]
            assert list(own.entries_of_documents(customer_id, documents)) == of_documents

    # --- edges --------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("debit_day", "credit_day", "allocated_on", "counts_from"),
        [(0, 10, 20, 20), (0, 20, 10, 20), (20, 0, 10, 20), (20, 10, 0, 20), (5, 5, 5, 5)],
    )
    def test_an_allocation_counts_from_the_latest_day(
        self,
        storage: FullStorage,
        debit_day: int,
        credit_day: int,
        allocated_on: int,
        counts_from: int,
    ) -> None:
        """An allocation counts from the latest of its day and its entries' days, not before."""
        storage.ledger.save(
            an_entry(date=DAY + ONE_DAY * debit_day),
            a_payment(date=DAY + ONE_DAY * credit_day),
        )
        storage.ledger.allocate(an_allocation(date=DAY + ONE_DAY * allocated_on))
        first = DAY + ONE_DAY * counts_from
        assert storage.ledger.open_items(CUSTOMER_ID, first - ONE_DAY) or counts_from == 5
        assert list(storage.ledger.open_items(CUSTOMER_ID, first)) == []

    def test_sums_go_past_64_bits(self, storage: FullStorage) -> None:
        """Sums are exact however large, also under a host's own rough decimal context."""
        storage.ledger.save(
            *(an_entry(f"I{n}", amount=LARGEST_AMOUNT) for n in range(30)),
            *(an_entry(f"P{n}", kind=EntryKind.PAYMENT, amount=LARGEST_AMOUNT) for n in range(20)),
        )
        ledger, end = storage.ledger, dt.date.max
        with decimal.localcontext(prec=6):
            balance = ledger.balances(CUSTOMER_ID, before=end)["EUR"]
            through = ledger.balance_through(CUSTOMER_ID, "EUR", (DAY, 0, "I9"))
            payment = ledger.last_payments(CUSTOMER_ID, until=end)["EUR"]
            credited = ledger.balance_through(CUSTOMER_ID, "EUR", (DAY, 1, "P0"))
        with decimal.localcontext(prec=50):
            assert balance == LARGEST_AMOUNT * 10
            assert through == LARGEST_AMOUNT * 30
            assert credited == LARGEST_AMOUNT * 29
            assert (payment.date, payment.amount) == (DAY, LARGEST_AMOUNT * 20)

    def test_the_largest_amounts_are_allocated_exactly(self, storage: FullStorage) -> None:
        """Of the largest amounts all but the least part is allocated, and that part stays open."""
        storage.ledger.save(
            *(an_entry(f"I{n}", amount=LARGEST_AMOUNT) for n in range(12)),
            *(a_payment(f"P{n}", amount=LARGEST_AMOUNT) for n in range(12)),
        )
        least = Decimal("0.0001")
        storage.ledger.allocate(
            *(
                an_allocation(
                    f"A{n}", debit_id=f"I{n}", credit_id=f"P{n}", amount=LARGEST_AMOUNT - least
                )
                for n in range(12)
            )
        )
        items = storage.ledger.open_items(CUSTOMER_ID, dt.date.max)
        assert len(items) == 24
        assert {item.open_amount for item in items} == {least}

    def test_a_balanced_currency_is_still_there(self, storage: FullStorage) -> None:
        """A currency whose entries add up to zero, or are zero, is among the balances."""
        storage.ledger.save(
            an_entry(),
            a_payment(),
            an_entry("free", currency="USD", amount=0, date=DAY),
            an_entry("later", currency="JPY", date=DAY + ONE_DAY * 99),
        )
        found = storage.ledger.balances(CUSTOMER_ID, before=DAY + ONE_DAY * 90)
        assert dict(found) == {"EUR": 0, "USD": 0}
        assert dict(storage.ledger.balances(CUSTOMER_ID, before=DAY)) == {}

    def test_entries_of_a_day_come_debits_first_then_by_code_point(
        self, storage: FullStorage
    ) -> None:
        """Entries of one day come debits first, then by the code points of their ids."""
        charged = [an_entry(f"{one}1") for one in RISING_IDS]
        credited = [an_entry(f"{one}0", kind=EntryKind.PAYMENT) for one in RISING_IDS]
        ordered = [*sorted(charged, key=lambda e: e.id), *sorted(credited, key=lambda e: e.id)]
        storage.ledger.save(*credited[::-1], *charged[::2], *charged[1::2])
        for limit in LIMITS:
            found = walk(
                lambda after, limit: storage.ledger.entry_page(
                    CUSTOMER_ID, "EUR", after=after, limit=limit
                ),
                lambda entry: entry.key,
                limit,
            )
            assert found == ordered
        items = storage.ledger.open_items(CUSTOMER_ID, DAY)
        assert [item.entry for item in items] == ordered
        ids = [entry.id for entry in ordered]
        assert list(storage.ledger.entries_by_id(CUSTOMER_ID, ids)) == ordered

    def test_a_thousand_entries_may_be_looked_up(self, storage: FullStorage) -> None:
        """A thousand ids may be looked up at once, and none at all."""
        storage.ledger.save(an_entry("INV-999"), an_entry("INV-1000"))
        ids = [f"INV-{number}" for number in range(1000)]
        for look_up in (storage.ledger.entries_by_id, storage.ledger.entries_of_documents):
            assert list(look_up(CUSTOMER_ID, ids)) == [an_entry("INV-999")]
            assert list(look_up(CUSTOMER_ID, [])) == []
        assert list(storage.ledger.allocations_of(CUSTOMER_ID, ids)) == []
        assert list(storage.ledger.allocations_of(CUSTOMER_ID, [])) == []

    def test_payments_of_the_last_day_are_added_up(self, storage: FullStorage) -> None:
        """The last payment is what came in on the latest day with one, payments alone."""
        storage.ledger.save(
            a_payment("P1", date=DAY, amount=1),
            a_payment("P2", date=DAY + ONE_DAY, amount=2),
            a_payment("P3", date=DAY + ONE_DAY, amount=3),
            a_payment("P4", date=DAY + ONE_DAY, currency="USD", amount=4),
            a_payment("C1", date=DAY + ONE_DAY * 2, kind=EntryKind.CREDIT_NOTE),
            a_payment("P5", date=DAY + ONE_DAY * 3, amount=5),
        )
        found = storage.ledger.last_payments(CUSTOMER_ID, until=DAY + ONE_DAY * 2)
        assert {c: (p.date, p.amount) for c, p in found.items()} == {
            "EUR": (DAY + ONE_DAY, Decimal(5)),
            "USD": (DAY + ONE_DAY, Decimal(4)),
        }


def _corrected(storage: FullStorage, ledger: Ledger, place: int, day: dt.date) -> Ledger:
    """Re-date one entry, and take back, re-date or halve one allocation, as staff do."""
    entries, allocations = list(ledger.entries), list(ledger.allocations)
    if entries:
        changed = attrs.evolve(entries[place % len(entries)], date=day)
        storage.ledger.save(changed)
        entries[place % len(entries)] = changed
    if allocations and place % 3 == 0:
        storage.ledger.unallocate(allocations.pop(place % len(allocations)).id)
    elif allocations and place % 3 == 1:
        redated = attrs.evolve(allocations[place % len(allocations)], date=day)
        storage.ledger.allocate(redated)
        allocations[place % len(allocations)] = redated
    return attrs.evolve(ledger, entries=tuple(entries), allocations=tuple(allocations))
