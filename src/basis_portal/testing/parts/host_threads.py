"""What a host's own repositories promise to the threads of a server, over the host's own data."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, TypeVar

from ...domain.documents import DocumentKind
from ...domain.ledger import AllocationRule
from ...repositories import CustomerRepository, DocumentRepository, LedgerRepository
from .base import SECONDS_TO_WAIT, Kit, hurried_threads, in_thread, in_threads

T = TypeVar("T")

_MOST_CUSTOMERS = 4
_THREADS = 8
_ROUNDS = 5
_QUICK = 0.5  # seconds; whoever is slower is asked once on each thread


class HostThreadsConformance(Kit):
    """A server's threads share the repositories: each may ask, and several do at once.

    Attributes:
        allocation_rule: as the portal is told; with FIFO no allocations are asked for.
    """

    allocation_rule: ClassVar[AllocationRule] = AllocationRule.EXPLICIT

    def test_any_thread_may_ask(
        self,
        customers: CustomerRepository,
        documents: DocumentRepository,
        ledger: LedgerRepository | None,
        known_customer_ids: Sequence[str],
    ) -> None:
        """Other threads, one alone and several at once, get the answers that this one gets."""
        with_allocations = self.allocation_rule is not AllocationRule.FIFO
        ask = partial(_answers, customers, documents, ledger, with_allocations)
        known = list(dict.fromkeys(known_customer_ids))[:_MOST_CUSTOMERS]
        begun = time.monotonic()
        expected = [ask(customer_id) for customer_id in known]
        rounds = _ROUNDS if time.monotonic() - begun < _QUICK else 1
        all_there = threading.Barrier(_THREADS)

        def ask_often(at: int) -> list[list[object]]:
            all_there.wait(SECONDS_TO_WAIT)
            return [ask(known[at]) for _ in range(rounds)]

        alone = self._ending(lambda: [ask(customer_id) for customer_id in known])
        assert in_thread(alone) == expected
        asked = [at % len(known) for at in range(_THREADS)]
        with hurried_threads():
            found = in_threads([self._ending(partial(ask_often, at)) for at in asked])
        assert found == [[expected[at]] * rounds for at in asked]

    def end_thread(self) -> None:
        """Close what the host's framework holds for the thread; called on each that has asked.

        Nothing to be closed, unless a subclass says so.
        """

    def _ending(self, work: Callable[[], T]) -> Callable[[], T]:
        def whole() -> T:
            try:
                return work()
            finally:
                self.end_thread()

        return whole


def _answers(
    customers: CustomerRepository,
    documents: DocumentRepository,
    ledger: LedgerRepository | None,
    with_allocations: bool,
    customer_id: str,
) -> list[object]:
    """What the repositories say of a customer, the same each time."""
    listed = [one for kind in DocumentKind for one in documents.page(customer_id, kind)]
    found: list[object] = [
        customers.get(customer_id),
        dict(customers.get_many([customer_id])),
        customers.search(limit=5),
        listed,
        *(documents.get(customer_id, one.id) for one in listed[:5]),
    ]
    if ledger is not None:
        found.append(sorted(ledger.entries(customer_id), key=lambda entry: entry.key))
    if ledger is not None and with_allocations:
        found.append(sorted(ledger.allocations(customer_id), key=lambda one: one.id))
    return found
