"""What a storage that keeps customers, documents and ledger promises of transactions on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ...errors import LedgerError
from ...repositories import FullStorage, UnitOfWork
from ..builders import (
    CUSTOMER_ID,
    a_customer,
    a_payment,
    a_token,
    an_allocation,
    an_entry,
    an_invoice,
    token_id,
)
from .base import Kit, Running, in_thread
from .customers import search_all
from .documents import INVOICE
from .ledger import ledger_of, settle

WRITES: dict[str, Callable[[FullStorage], object]] = {
    "customers.save": lambda storage: storage.customers.save(a_customer(name="changed")),
    "customers.delete": lambda storage: storage.customers.delete(CUSTOMER_ID),
    "documents.save": lambda storage: storage.documents.save(an_invoice(lines=())),
    "documents.delete": lambda storage: storage.documents.delete("INV-1"),
    "ledger.save": lambda storage: storage.ledger.save(an_entry("INV-2", amount=7)),
    "ledger.allocate": lambda storage: storage.ledger.allocate(an_allocation(amount=7)),
    "ledger.unallocate": lambda storage: storage.ledger.unallocate("ALLOC-1"),
    "ledger.delete": lambda storage: storage.ledger.delete("INV-2"),
}
"""One call of each verb that writes; each changes what `prepare` has put there."""

each_write: pytest.MarkDecorator = pytest.mark.parametrize("verb", WRITES)


def prepare(storage: FullStorage) -> None:
    """Put something there that every one of `WRITES` changes."""
    storage.customers.save(a_customer())
    storage.documents.save(an_invoice())
    settle(storage)
    storage.tokens.add([a_token()])


def state_of(storage: FullStorage) -> object:
    """All that is kept of the customer of these tests."""
    return [
        search_all(storage),
        storage.customers.get(CUSTOMER_ID),
        list(storage.documents.page(CUSTOMER_ID, INVOICE)),
        list(storage.documents.years(CUSTOMER_ID, INVOICE)),
        ledger_of(storage),
    ]


class FullTransactionsConformance(Kit):
    """Customers, documents and ledger are part of a transaction like the portal's own state."""

    @each_write
    def test_a_host_write_commits(self, storage: FullStorage, verb: str) -> None:
        """A write commits, alone or in a transaction, and other threads see it."""
        prepare(storage)
        before = state_of(storage)

        def work(_: UnitOfWork) -> object:
            WRITES[verb](storage)
            customer = storage.customers.get(CUSTOMER_ID)
            assert storage.opening(token_id(1)).customer == customer
            return state_of(storage)

        within = storage.transact(work)
        assert within != before
        assert state_of(storage) == in_thread(lambda: state_of(storage)) == within

    @each_write
    def test_a_failed_host_write_leaves_nothing(self, storage: FullStorage, verb: str) -> None:
        """Of a transaction that fails nothing is left, beside the portal's own writes or alone."""
        prepare(storage)
        before = state_of(storage)

        def work(unit: UnitOfWork) -> None:
            unit.tokens.rename_customer(CUSTOMER_ID, "erased")
            WRITES[verb](storage)
            assert state_of(storage) != before
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            storage.transact(work)
        assert state_of(storage) == in_thread(lambda: state_of(storage)) == before
        WRITES[verb](storage)
        assert state_of(storage) != before

    @each_write
    def test_a_failed_part_of_host_writes_is_undone_alone(
        self, storage: FullStorage, verb: str
    ) -> None:
        """A failed transaction within another takes its own writes back, and no others."""
        prepare(storage)

        def part(_: UnitOfWork) -> None:
            WRITES[verb](storage)
            raise ZeroDivisionError

        def work(_: UnitOfWork) -> object:
            storage.customers.save(a_customer(name="before"))
            storage.ledger.save(a_payment("PAY-3"))
            state = state_of(storage)
            with pytest.raises(ZeroDivisionError):
                storage.transact(part)
            assert state_of(storage) == state
            return state

        assert storage.transact(work) == state_of(storage)

    def test_a_refused_allocation_leaves_the_transaction_whole(self, storage: FullStorage) -> None:
        """After a refused write of the ledger a transaction goes on, and commits all the rest."""
        prepare(storage)

        def work(_: UnitOfWork) -> object:
            storage.customers.save(a_customer(name="before"))
            state = state_of(storage)
            good = an_allocation("good", debit_id="INV-2", credit_id="PAY-2", amount=1)
            with pytest.raises(LedgerError):
                storage.ledger.allocate(good, an_allocation("bad", debit_id="absent"))
            assert state_of(storage) == state
            storage.ledger.allocate(good)
            return state_of(storage)

        assert storage.transact(work) == state_of(storage)
        customer = storage.customers.get(CUSTOMER_ID)
        assert customer is not None
        assert customer.name == "before"

    def test_a_snapshot_holds_all_tables_still(self, storage: FullStorage) -> None:
        """Within a snapshot documents and ledger stay as they were, whatever others commit."""
        prepare(storage)
        before = state_of(storage)
        with storage.snapshot():
            assert state_of(storage) == before
            verbs = ("customers.save", "documents.delete", "ledger.unallocate", "ledger.save")
            writer = Running(lambda: [WRITES[verb](storage) for verb in verbs])
            writer.ends_within(0.2)
            assert state_of(storage) == before
        writer.result()
        assert state_of(storage) != before
