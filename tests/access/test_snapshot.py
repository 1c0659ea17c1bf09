"""An account that is written to while it is read adds up all the same."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
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
ROUNDS = 40


class Bookkeeper:
    """Posts an invoice, its payment and the allocation, each time as one transaction."""

    def __init__(self, storage: Any) -> None:
        self._storage, self._posted = storage, 0
        self._stop = threading.Event()
        self.error: Exception | None = None

    def post(self) -> None:
        """Post one invoice that is paid in full."""
        number = self._posted
        self._posted += 1

        def work(_: Any) -> None:
            ledger, texts = self._storage.ledger, {"date": DAY, "amount": Decimal(100)}
            ledger.save(an_entry(f"I{number}", document_id="INV-1", **texts))
            ledger.save(a_payment(f"P{number}", **texts))
            ledger.allocate(
                an_allocation(f"A{number}", debit_id=f"I{number}", credit_id=f"P{number}", **texts)
            )

        self._storage.transact(work, lock=["C-1001"])

    def run(self) -> None:
        """Post until stopped."""
        try:
            while not self._stop.is_set() and self._posted < 200:
                self.post()
        except Exception as error:  # handed to the test
            self.error = error

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Post on another thread, meanwhile."""
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(30)
            assert not thread.is_alive()
            assert self.error is None


def look(access: PortalAccess) -> int:
    """Every view adds up to nothing owed; how many lines there were."""
    one: Any
    found: Any
    statement = access.statement()
    check_statement(statement)
    for one in statement.by_currency.values():
        assert (one.closing_balance, one.open_items) == (0, ())
        assert all(line.applied for line in one.lines)
    since = access.statement(start=DAY + dt.timedelta(days=1))
    assert all(one.opening_balance == 0 for one in since.by_currency.values())
    check_statement(since)
    for found in access.summary().by_currency.values():
        assert (found.balance, found.open, found.unapplied_credits) == (0, 0, 0)
    detail = access.document("INV-1")
    assert not detail.document.open_amount
    view = access.documents(DocumentKind.SALES_INVOICE).items[0]
    assert not view.open_amount
    assert access.documents(DocumentKind.SALES_INVOICE, open_only=True).items == ()
    page = access.statement_page("EUR", limit=200)
    assert page.brought_forward == 0
    if page.next is None:
        assert page.carried_forward == 0
    return sum(len(one.lines) for one in statement.by_currency.values())


@pytest.fixture
def access(portal: Portal, storage: Any) -> PortalAccess:
    """A customer with one invoice that is posted in many entries."""
    storage.documents.save(an_invoice())
    return opened(portal, "C-1001")


def test_views_while_entries_are_posted(access: PortalAccess, storage: Any) -> None:
    """Entries, payments and allocations posted meanwhile are seen together or not at all."""
    bookkeeper = Bookkeeper(storage)
    bookkeeper.post()
    seen = set()
    with bookkeeper.at_work(), hurried_threads():
        for _ in range(ROUNDS):
            seen.add(look(access))
    assert len(seen) > 1, "nothing was posted meanwhile"


def test_a_torn_posting_shows(access: PortalAccess, storage: Any) -> None:
    """The check above notices a payment that was posted without its invoice."""
    Bookkeeper(storage).post()
    assert look(access) == 2
    storage.ledger.save(a_payment("P", date=DAY))
    with pytest.raises(AssertionError):
        look(access)
