"""What a storage that keeps a ledger promises of what it accepts and refuses."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given

from ...domain.ledger import Allocation, EntryKind, LedgerEntry
from ...errors import LedgerError
from ...repositories import FullStorage
from ..builders import CUSTOMER_ID, DAY, a_payment, an_allocation, an_entry
from ..ledgers import Ledger, ledgers
from ..strategies import entries
from .base import ABSENT_IDS, EXAMPLES, SIMILAR_IDS, Kit, a_new_id

ONE_DAY = dt.timedelta(days=1)


def amount(text: str) -> Decimal:
    """A short way to write an amount."""
    return Decimal(text)


def entries_of(storage: FullStorage, customer_id: str = CUSTOMER_ID) -> list[LedgerEntry]:
    """All entries of a customer in statement order."""
    return sorted(storage.ledger.entries(customer_id), key=lambda entry: entry.key)


def allocations_of(storage: FullStorage, customer_id: str = CUSTOMER_ID) -> list[Allocation]:
    """All allocations of a customer by id."""
    return sorted(storage.ledger.allocations(customer_id), key=lambda a: a.id)


def ledger_of(storage: FullStorage) -> object:
    """All that the ledger shows of the customers of these tests."""
    return [
        (
            entries_of(storage, customer_id),
            allocations_of(storage, customer_id),
            list(storage.ledger.open_items(customer_id, dt.date.max)),
        )
        for customer_id in (CUSTOMER_ID, "another")
    ]


def settle(storage: FullStorage) -> None:
    """An invoice of 119.00 settled by a payment of 119.00, and a second pair with nothing on it."""
    storage.ledger.save(an_entry(), a_payment(), an_entry("INV-2"), a_payment("PAY-2"))
    storage.ledger.allocate(an_allocation())


def keep(storage: FullStorage, ledger: Ledger) -> None:
    """Save a whole ledger."""
    storage.ledger.save(*ledger.entries)
    storage.ledger.allocate(*ledger.allocations)


class LedgerConformance(Kit):
    """The ledger is kept as it is, and refuses what would contradict it."""

    # --- reading back -----------------------------------------------------------------

    @given(entry=entries())
    @EXAMPLES
    def test_a_ledger_entry_reads_back_as_written(
        self, storage: FullStorage, entry: LedgerEntry
    ) -> None:
        """An entry read back equals the one saved, by whatever way it is read."""
        entry = attrs.evolve(entry, customer_id=a_new_id(entry.customer_id))
        storage.ledger.save(entry)
        ledger, customer_id = storage.ledger, entry.customer_id
        assert list(ledger.entries(customer_id)) == [entry]
        assert list(ledger.entries_by_id(customer_id, [entry.id])) == [entry]
        assert list(ledger.entry_page(customer_id, entry.currency)) == [entry]
        if entry.document_id is not None:
            assert list(ledger.entries_of_documents(customer_id, [entry.document_id])) == [entry]
        found = [item.entry for item in ledger.open_items(customer_id, dt.date.max)]
        assert found == ([entry] if entry.amount else [])

    @given(ledger=ledgers())
    @EXAMPLES
    def test_a_ledger_reads_back_as_written(self, storage: FullStorage, ledger: Ledger) -> None:
        """All entries and allocations read back equal those saved."""
        ledger = ledger.of_customer(a_new_id())
        keep(storage, ledger)
        own = sorted(ledger.entries, key=lambda entry: entry.key)
        assert entries_of(storage, ledger.customer_id) == own
        own_allocations = sorted(ledger.allocations, key=lambda allocation: allocation.id)
        assert allocations_of(storage, ledger.customer_id) == own_allocations

    def test_entries_are_bounded_by_both_days(self, storage: FullStorage) -> None:
        """Entries come from the first to the last day asked for, both included."""
        days = [DAY + ONE_DAY * n for n in range(5)]
        storage.ledger.save(*(an_entry(f"E{n}", date=day) for n, day in enumerate(days)))
        for start, end, ids in (
            (days[1], days[3], ["E1", "E2", "E3"]),
            (days[2], days[2], ["E2"]),
            (days[3], None, ["E3", "E4"]),
            (None, days[1], ["E0", "E1"]),
            (days[3], days[1], []),
        ):
            found = storage.ledger.entries(CUSTOMER_ID, start=start, end=end)
            assert sorted(entry.id for entry in found) == ids

    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_nobody_has_an_account_under_an_absent_id(
        self, storage: FullStorage, absent: str
    ) -> None:
        """An absent id, even one that none could have, finds and removes nothing."""
        settle(storage)
        before = ledger_of(storage)
        ledger = storage.ledger
        assert [*ledger.entries(absent), *ledger.allocations(absent)] == []
        assert dict(ledger.balances(absent, before=dt.date.max)) == {}
        assert list(ledger.entry_page(absent, "EUR")) == []
        assert ledger.balance_through(absent, "EUR", (dt.date.max, 1, "z")) == 0
        assert list(ledger.open_items(absent, dt.date.max)) == []
        assert list(ledger.currencies(absent, until=dt.date.max)) == []
        assert dict(ledger.last_payments(absent, until=dt.date.max)) == {}
        assert list(ledger.entries_of_documents(CUSTOMER_ID, [absent])) == []
        assert list(ledger.entries_by_id(CUSTOMER_ID, [absent])) == []
        assert list(ledger.allocations_of(CUSTOMER_ID, [absent])) == []
        assert ledger.unallocate(absent) is ledger.delete(absent) is False
        assert ledger_of(storage) == before

    def test_accounts_of_similar_customers_stay_apart(self, storage: FullStorage) -> None:
        """Customers whose ids look alike have each its own account, and see no other."""
        ids = {
            customer_id: [f"INV-{customer_id}", f"PAY-{customer_id}", f"A-{customer_id}"]
            for customer_id in SIMILAR_IDS
        }
        for own, (debit, credit, allocation) in ids.items():
            storage.ledger.save(
                an_entry(debit, customer_id=own, document_id="the same"),
                a_payment(credit, customer_id=own, amount=amount("19.00")),
            )
            storage.ledger.allocate(
                an_allocation(
                    allocation,
                    customer_id=own,
                    debit_id=debit,
                    credit_id=credit,
                    amount=amount("19.00"),
                )
            )
        every_entry = [side for debit, credit, _ in ids.values() for side in (debit, credit)]
        ledger, end = storage.ledger, dt.date.max
        for own, (debit, credit, allocation) in ids.items():
            assert [entry.id for entry in entries_of(storage, own)] == [debit, credit]
            assert [a.id for a in ledger.allocations(own)] == [allocation]
            assert dict(ledger.balances(own, before=end)) == {"EUR": 100}
            assert [entry.id for entry in ledger.entry_page(own, "EUR")] == [debit, credit]
            assert ledger.balance_through(own, "EUR", (end, 1, "")) == 100
            assert [item.entry.id for item in ledger.open_items(own, end)] == [debit]
            assert ledger.last_payments(own, until=end)["EUR"].amount == 19
            found = ledger.entries_of_documents(own, ["the same"])
            assert [entry.id for entry in found] == [debit]
            assert [e.id for e in ledger.entries_by_id(own, every_entry)] == [debit, credit]
            assert [a.id for a in ledger.allocations_of(own, every_entry)] == [allocation]

    # --- saving entries -----------------------------------------------------------------

    def test_an_entry_saved_again_is_replaced(self, storage: FullStorage) -> None:
        """An entry saved again is the new one wherever it is read, also for another customer."""
        storage.ledger.save(an_entry(), an_entry("INV-2"))
        changed = an_entry(amount=1, currency="USD", date=DAY - ONE_DAY, document_id=None)
        storage.ledger.save(changed)
        assert entries_of(storage) == [changed, an_entry("INV-2")]
        assert dict(storage.ledger.balances(CUSTOMER_ID, before=dt.date.max)) == {
            "USD": 1,
            "EUR": 119,
        }
        moved = an_entry(customer_id="another", kind=EntryKind.PAYMENT)
        storage.ledger.save(moved)
        assert entries_of(storage) == [an_entry("INV-2")]
        assert entries_of(storage, "another") == [moved]
        assert list(storage.ledger.currencies(CUSTOMER_ID, until=dt.date.max)) == ["EUR"]
        assert dict(storage.ledger.balances("another", before=dt.date.max)) == {"EUR": -119}
        storage.ledger.save()

    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": amount("118.9999")},
            {"amount": amount("0")},
            {"currency": "USD"},
            {"customer_id": "another"},
            {"kind": EntryKind.CREDIT_NOTE},
        ],
    )
    @pytest.mark.parametrize("fits_itself", [True, False])
    def test_an_entry_must_fit_what_is_allocated(
        self, storage: FullStorage, changes: dict[str, Any], fits_itself: bool
    ) -> None:
        """An entry with allocations cannot be changed so that they no longer fit; nor a batch."""
        settle(storage)
        before = ledger_of(storage)
        batch = [an_entry("INV-2", amount=5), an_entry(**changes), an_entry("NEW")]
        with pytest.raises(LedgerError) as refused:
            storage.ledger.save(*(batch[1:2] if fits_itself else batch))
        assert "INV-1" in refused.value.ids
        assert ledger_of(storage) == before
        storage.ledger.unallocate("ALLOC-1")
        storage.ledger.save(*batch)
        assert batch[1] in [*entries_of(storage), *entries_of(storage, "another")]

    def test_a_credit_must_fit_what_it_settles(self, storage: FullStorage) -> None:
        """What holds for a debit holds for a credit: it keeps side and amount while allocated."""
        settle(storage)
        before = ledger_of(storage)
        for changed in (a_payment(amount=1), a_payment(kind=EntryKind.REFUND)):
            with pytest.raises(LedgerError) as refused:
                storage.ledger.save(changed)
            assert "PAY-1" in refused.value.ids
        assert ledger_of(storage) == before

    def test_an_entry_may_change_what_no_allocation_needs(self, storage: FullStorage) -> None:
        """An allocated entry may change its dates, names and kind on its side, and may grow."""
        settle(storage)
        for changed in (
            an_entry(date=DAY + ONE_DAY * 40, number="X", document_id=None),
            an_entry(amount=amount("119.0000")),
            an_entry(amount=amount("200"), kind=EntryKind.DEBIT_ADJUSTMENT),
        ):
            storage.ledger.save(changed)
            assert changed in entries_of(storage)

    def test_the_last_of_an_entry_saved_twice_counts(self, storage: FullStorage) -> None:
        """Of one entry twice in one saving the last is kept."""
        storage.ledger.save(an_entry(amount=1), an_entry(amount=2))
        assert entries_of(storage) == [an_entry(amount=2)]

    # --- allocating ---------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"debit_id": "absent"}, "absent"),
            ({"credit_id": "absent"}, "absent"),
            ({"debit_id": "PAY-1", "credit_id": "INV-1"}, "INV-1"),
            ({"credit_id": "INV-1"}, "INV-1"),
            ({"debit_id": "PAY-2"}, "PAY-2"),
            ({"debit_id": "of another"}, "of another"),
            ({"credit_id": "paid by another"}, "paid by another"),
            ({"customer_id": "another"}, "INV-2"),
            ({"debit_id": "in USD"}, "in USD"),
            ({"amount": amount("119.0001")}, "INV-2"),
            ({"debit_id": "small", "amount": amount("1.0001")}, "small"),
            ({"debit_id": "INV-1", "amount": amount("0.0001")}, "INV-1"),
            ({"credit_id": "PAY-1", "amount": amount("0.0001")}, "PAY-1"),
        ],
    )
    @pytest.mark.parametrize("place", [0, 1])
    def test_an_allocation_that_does_not_fit_is_refused(
        self, storage: FullStorage, changes: dict[str, str], named: str, place: int
    ) -> None:
        """An allocation that crosses sides, customers, currencies or amounts changes nothing."""
        settle(storage)
        storage.ledger.save(
            an_entry("of another", customer_id="another"),
            a_payment("paid by another", customer_id="another"),
            an_entry("in USD", currency="USD"),
            an_entry("small", amount=1),
            an_entry("INV-3"),
            a_payment("PAY-3"),
        )
        before = ledger_of(storage)
        good = an_allocation("good", debit_id="INV-3", credit_id="PAY-3", amount=1)
        bad = an_allocation("bad", **{"debit_id": "INV-2", "credit_id": "PAY-2", **changes})
        with pytest.raises(LedgerError) as refused:
            storage.ledger.allocate(*((bad, good) if place == 0 else (good, bad)))
        assert named in refused.value.ids
        assert ledger_of(storage) == before
        storage.ledger.allocate(good, an_allocation("bad", debit_id="INV-2", credit_id="PAY-2"))
        assert ledger_of(storage) != before

    def test_what_is_left_goes_down_with_each_allocation(self, storage: FullStorage) -> None:
        """Parts are accepted to the last ten-thousandth and not beyond, also of one batch."""
        storage.ledger.save(an_entry(amount=10), *(a_payment(f"P{n}") for n in range(4)))
        parts = [an_allocation(f"A{n}", credit_id=f"P{n}", amount=4) for n in range(3)]
        with pytest.raises(LedgerError):
            storage.ledger.allocate(*parts)
        assert allocations_of(storage) == []
        storage.ledger.allocate(*parts[:2])
        with pytest.raises(LedgerError):
            storage.ledger.allocate(attrs.evolve(parts[2], amount=amount("2.0001")))
        storage.ledger.allocate(attrs.evolve(parts[2], amount=amount("1.9999")))
        storage.ledger.allocate(an_allocation("A3", credit_id="P3", amount=amount("0.0001")))
        open_ids = [item.entry.id for item in storage.ledger.open_items(CUSTOMER_ID, dt.date.max)]
        assert open_ids == ["P0", "P1", "P2", "P3"]

    def test_nothing_is_over_allocated_between_days(self, storage: FullStorage) -> None:
        """The day of an allocation frees nothing: all of them together must fit."""
        storage.ledger.save(an_entry(), a_payment(), a_payment("PAY-2"))
        storage.ledger.allocate(an_allocation(date=dt.date.max))
        with pytest.raises(LedgerError):
            storage.ledger.allocate(an_allocation("early", credit_id="PAY-2", date=dt.date.min))

    def test_a_replaced_allocation_gives_back_what_it_had(self, storage: FullStorage) -> None:
        """An allocation saved again takes the place of its earlier self, on other entries too."""
        settle(storage)
        for changed in (
            an_allocation(amount=amount("60")),
            an_allocation(amount=amount("119"), date=DAY),
            an_allocation(debit_id="INV-2"),
            an_allocation(debit_id="INV-2", credit_id="PAY-2"),
        ):
            storage.ledger.allocate(changed)
            assert allocations_of(storage) == [changed]
        storage.ledger.allocate(an_allocation("ALLOC-2"))
        before = ledger_of(storage)
        with pytest.raises(LedgerError):
            storage.ledger.allocate(an_allocation("ALLOC-2", debit_id="INV-2"))
        assert ledger_of(storage) == before

    def test_a_call_is_judged_by_what_it_leaves(self, storage: FullStorage) -> None:
        """What one call changes together must fit together, in whatever order it is given."""
        settle(storage)
        storage.ledger.allocate(
            an_allocation("ALLOC-2", debit_id="INV-2", amount=19),
            an_allocation(amount=amount("100")),
        )
        assert [a.amount for a in allocations_of(storage)] == [100, 19]
        storage.ledger.save(
            an_entry(currency="USD"),
            an_entry("INV-2", currency="USD"),
            a_payment(currency="USD"),
        )
        assert list(storage.ledger.currencies(CUSTOMER_ID, until=dt.date.max)) == ["EUR", "USD"]
        with pytest.raises(LedgerError):
            storage.ledger.save(an_entry(), an_entry("INV-2"))

    def test_an_allocation_taken_back_leaves_its_amount(self, storage: FullStorage) -> None:
        """What an allocation settled is open again once it is taken back, which works once."""
        settle(storage)
        assert storage.ledger.unallocate("ALLOC-1") is True
        assert allocations_of(storage) == []
        assert len(storage.ledger.open_items(CUSTOMER_ID, dt.date.max)) == 4
        assert storage.ledger.unallocate("ALLOC-1") is False
        storage.ledger.allocate(an_allocation("again"))

    def test_allocating_nothing_does_nothing(self, storage: FullStorage) -> None:
        """No allocations are no error."""
        storage.ledger.allocate()
        assert allocations_of(storage) == []

    # --- deleting -----------------------------------------------------------------------

    @pytest.mark.parametrize("entry_id", ["INV-1", "PAY-1"])
    def test_an_allocated_entry_cannot_be_deleted(
        self, storage: FullStorage, entry_id: str
    ) -> None:
        """An entry with an allocation stays; once that is taken back the entry can go, once."""
        settle(storage)
        before = ledger_of(storage)
        with pytest.raises(LedgerError) as refused:
            storage.ledger.delete(entry_id)
        assert entry_id in refused.value.ids
        assert ledger_of(storage) == before
        storage.ledger.unallocate("ALLOC-1")
        assert storage.ledger.delete(entry_id) is True
        assert entry_id not in [entry.id for entry in entries_of(storage)]
        assert storage.ledger.delete(entry_id) is False

    @given(ledger=ledgers())
    @EXAMPLES
    def test_a_ledger_can_be_taken_apart(self, storage: FullStorage, ledger: Ledger) -> None:
        """Without its allocations every entry of a ledger is open whole, and can be deleted."""
        ledger = ledger.of_customer(a_new_id())
        keep(storage, ledger)

        def take_back(_: object) -> bool:
            return all(storage.ledger.unallocate(a.id) for a in ledger.allocations)

        def delete(_: object) -> bool:
            return all(storage.ledger.delete(entry.id) for entry in ledger.entries)

        assert storage.transact(take_back)
        items = storage.ledger.open_items(ledger.customer_id, dt.date.max)
        assert {item.entry.id: item.open_amount for item in items} == {
            entry.id: entry.amount for entry in ledger.entries if entry.amount
        }
        assert storage.transact(delete)
        assert entries_of(storage, ledger.customer_id) == []
