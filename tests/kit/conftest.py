"""A small seller's data, for the kit of a host's own repositories and the leak check."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from basis_portal import DocumentFile, DocumentStatus, EntryKind, LedgerEntry
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import (
    a_credit_note,
    a_customer,
    a_payment,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
)


@pytest.fixture
def seller() -> InMemoryStorage:
    """Two customers with documents and entries, and a third with neither."""
    storage = InMemoryStorage()
    storage.customers.save(
        a_customer("C-1", name="Alder & Co", number="K-1", email="pay@alder.example"),
        a_customer("C-2", name="birch Ltd", number="K-2", email=None),
        a_customer("C-3", name="Cedar", number=None, email=None),
    )
    for customer_id in ("C-1", "C-2"):
        fill(storage, customer_id)
    return storage


def fill(storage: Any, customer_id: str) -> None:
    """Give a customer documents of all kinds and states, and an account in two currencies."""
    for number in range(8):
        day = dt.date(2024, 12, 28) + _DAY * number
        invoice_id = f"{customer_id}/I{number * 3 % 8}"
        invoice = an_invoice(
            invoice_id, customer_id=customer_id, date=day, reference=f"po-{number}"
        )
        storage.documents.save(invoice)
        storage.ledger.save(LedgerEntry.of(invoice))
        part = Decimal(100 + number % 3 * 19) if number % 2 else Decimal("119.00")
        payment = a_payment(f"{customer_id}/P{number}", customer_id=customer_id, amount=part)
        storage.ledger.save(payment)
        storage.ledger.allocate(
            an_allocation(
                f"{customer_id}/A{number}",
                customer_id=customer_id,
                debit_id=invoice_id,
                credit_id=payment.id,
                amount=min(part, Decimal("119.00")) - number % 2,
                date=day + 40 * _DAY,
            )
        )
    credit_note = a_credit_note(f"{customer_id}/CN", customer_id=customer_id)
    storage.documents.save(
        credit_note,
        an_order(f"{customer_id}/SO", customer_id=customer_id),
        an_invoice(f"{customer_id}/draft", customer_id=customer_id, status=DocumentStatus.DRAFT),
        an_invoice(f"{customer_id}/void", customer_id=customer_id, status=DocumentStatus.CANCELLED),
    )
    storage.ledger.save(
        LedgerEntry.of(credit_note),
        an_entry(f"{customer_id}/USD", customer_id=customer_id, currency="USD"),
        an_entry(f"{customer_id}/WO", customer_id=customer_id, kind=EntryKind.WRITE_OFF),
    )


_DAY = dt.timedelta(days=1)


def _file(_: str, document_id: str) -> DocumentFile | None:
    """The files of a host: of credit notes alone."""
    return DocumentFile("cn.pdf", b"%PDF-") if document_id.endswith("CN") else None


class Host:
    """A repository of a host: what is allowed of another, where it is not spoiled.

    Attributes:
        offers: the methods it has.
        spoiled: by name of a method, what it does instead; called with the sound method.
    """

    def __init__(self, sound: Any, offers: tuple[str, ...], **spoiled: Callable[..., Any]) -> None:
        self._sound = sound
        self._spoiled = spoiled
        for name in offers:
            setattr(self, name, self._method(name))

    def _method(self, name: str) -> Callable[..., Any]:
        sound = getattr(self._sound, name, _file)
        if name not in self._spoiled:
            return sound  # type: ignore[no-any-return]
        return lambda *args, **kwargs: self._spoiled[name](sound, *args, **kwargs)


BASICS = {
    "customers": ("get", "get_many", "search"),
    "documents": ("get", "page"),
    "ledger": ("entries", "allocations"),
}
ABILITIES = {
    "customers": (),
    "documents": ("years", "issued_kinds", "file"),
    "ledger": (
        "balances",
        "open_items",
        "currencies",
        "last_payments",
        "entry_page",
        "balance_through",
        "entries_of_documents",
        "allocations_of",
        "entries_by_id",
    ),
}


@pytest.fixture
def host(seller: InMemoryStorage) -> Callable[..., Any]:
    """Makes a host's repository by its name; keywords spoil methods.

    It can do all that a host can do, or with ``able=False`` what a host must.
    """

    def make(name: str, *, able: bool = True, **spoiled: Callable[..., Any]) -> Any:
        offers = BASICS[name] + (ABILITIES[name] if able else ())
        return Host(getattr(seller, name), offers, **spoiled)

    return make
