"""An account that is written to while it is read adds up all the same."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from basis_portal import DocumentKind, Portal, PortalAccess
from basis_portal.testing.builders import a_payment, an_allocation, an_entry, an_invoice
from basis_portal.testing.parts.base import hurried_threads

from .test_account import check_statement
from .worlds import opened

DAY = dt.date(2025, 1, 10)
ROUNDS, EACH_ROUND = 40, 4


class Bookkeeper:
    """Posts an invoice of 100, a payment of 60 and the allocation, each time as one transaction."""

    def __init__(self, storage: Any) -> None:
        self._storage, self._posted = storage, 0
        self._allowed = threading.Semaphore(0)
        self.error: Exception | None = None

    def post(self) -> None:
        """Post one invoice that is paid in part."""
        number, paid = self._posted, Decimal(60)
        self._posted += 1

        def work(_: Any) -> None:
            ledger = self._storage.ledger
            ledger.save(an_entry(f"I{number}", document_id="INV-1", date=DAY, amount=Decimal(100)))
            ledger.save(a_payment(f"P{number}", date=DAY, amount=paid))
            ledger.allocate(
                an_allocation(
                    f"A{number}",
                    debit_id=f"I{number}",
                    credit_id=f"P{number}",
                    amount=paid,
                    date=DAY,
                )
            )

        self._storage.transact(work, lock=["C-1001"])

    def run(self) -> None:
        """Post what is allowed, until no more will be."""
        try:
            for _ in range(ROUNDS * EACH_ROUND):
                if not self._allowed.acquire(timeout=30):
                    return
                self.post()
        except Exception as error:  # handed to the test
            self.error = error

    @contextmanager
    def at_work(self) -> Iterator[Callable[[], None]]:
        """Post on another thread, a few each time it is allowed; in the end all is posted."""
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        yield lambda: self._allowed.release(EACH_ROUND)
        thread.join(30)
        assert not thread.is_alive()
        assert self.error is None


def look(access: PortalAccess) -> int:
    """Every view adds up to 40 for each invoice posted; how many there were."""
    statement = access.statement()
    check_statement(statement)
    one: Any = statement.by_currency["EUR"]
    posted = len(one.lines) // 2
    assert (one.closing_balance, len(one.open_items)) == (40 * posted, posted)
    assert all(line.applied for line in one.lines)
    since: Any = access.statement(start=DAY + dt.timedelta(days=1))
    check_statement(since)
    assert since.by_currency["EUR"].opening_balance % 40 == 0
    found: Any = access.summary().by_currency["EUR"]
    assert found.balance == found.open == found.last_payment.amount / 60 * 40
    detail = access.document("INV-1")
    assert detail.document.open_amount == 40 * len(detail.applied)
    (view,) = access.documents(DocumentKind.SALES_INVOICE, open_only=True)
    assert view.open_amount
    assert view.open_amount % 40 == 0
    page = access.statement_page("EUR", limit=200)
    assert page.carried_forward % 20 == 0
    return posted


@pytest.fixture
def access(portal: Portal, storage: Any) -> PortalAccess:
    """A customer with one invoice that is posted in many entries."""
    storage.documents.save(an_invoice())
    return opened(portal, "C-1001")


def test_views_while_entries_are_posted(access: PortalAccess, storage: Any) -> None:
    """Entries, payments and allocations posted meanwhile are seen together or not at all."""
    bookkeeper = Bookkeeper(storage)
    bookkeeper.post()
    assert look(access) == 1
    with bookkeeper.at_work() as allow_more, hurried_threads():
        for _ in range(ROUNDS):
            allow_more()
            look(access)
    assert look(access) == 1 + ROUNDS * EACH_ROUND


def test_a_torn_posting_shows(access: PortalAccess, storage: Any) -> None:
    """The check above notices a payment that was posted without its invoice."""
    Bookkeeper(storage).post()
    assert look(access) == 1
    storage.ledger.save(a_payment("P", date=DAY, amount=Decimal(60)))
    with pytest.raises(AssertionError):
        look(access)
