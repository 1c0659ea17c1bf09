"""What the benchmarks measure on: storages with as many rows as asked for."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TypeVar

from basis_portal import (
    Allocation,
    Customer,
    Document,
    DocumentKind,
    DocumentStatus,
    EntryKind,
    LedgerEntry,
    Portal,
    PortalConfig,
    PortalToken,
)
from basis_portal.links import LinkSigner, new_token_id
from basis_portal.repositories import FullStorage

T = TypeVar("T")

KEY = "a long random secret, at least 32 bytes"
NOW = dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC)
TODAY = NOW.date()
CUSTOMER = "C-1001"


def portal_over(storage: FullStorage) -> Portal:
    """A portal with all sections on and a clock that stands still."""
    portal = Portal(
        storage,
        secret_keys=[KEY],
        base_url="https://erp.example.com/portal",
        clock=lambda: NOW,
    )
    portal.settings.save(
        PortalConfig(
            enabled=True, show_statement=True, show_credit_notes=True, show_sales_orders=True
        )
    )
    return portal


def batches(items: Iterable[T], size: int = 5000) -> Iterator[list[T]]:
    """The items in lists."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def plain_connection(path: Path) -> sqlite3.Connection:
    """What the floors use: a connection of the standard library with the same pragmas."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def customers(count: int) -> Iterator[Customer]:
    """So many customers."""
    for number in range(count):
        yield Customer(f"C-{number:07}", f"Customer {number}", email=f"c{number}@example.com")


def save_tokens(storage: FullStorage, count: int) -> None:
    """A customer and an active token of it, so many times."""
    fingerprint = LinkSigner([KEY], storage.tenant).fingerprint
    for batch in batches(customers(count)):
        tokens = [
            PortalToken(
                id=new_token_id(),
                customer_id=one.id,
                issued_at=NOW - dt.timedelta(days=1),
                issued_by="ana",
                expires_at=NOW + dt.timedelta(days=29),
                key_fingerprint=fingerprint,
            )
            for one in batch
        ]
        storage.transact(
            lambda unit, b=batch, t=tokens: (storage.customers.save(*b), unit.tokens.add(t))
        )


def documents(count: int) -> Iterator[Document]:
    """So many invoices of one customer, spread over ten years."""
    for number in range(count):
        yield Document(
            id=f"D-{number:08}",
            customer_id=CUSTOMER,
            kind=DocumentKind.SALES_INVOICE,
            status=DocumentStatus.ISSUED,
            number=f"INV-{number}",
            date=TODAY - dt.timedelta(days=(count - number) * 3650 // count),
            currency="EUR",
            total=Decimal("100.00"),
            due_date=TODAY,
            reference=f"PO-{number}",
        )


def save_documents(storage: FullStorage, count: int) -> None:
    """One customer with so many invoices and an entry of each."""
    storage.customers.save(Customer(CUSTOMER, "Kopi Nusantara"))
    for batch in batches(documents(count)):
        entries = [LedgerEntry.of(one) for one in batch]
        storage.transact(
            lambda _, b=batch, e=entries: (storage.documents.save(*b), storage.ledger.save(*e))
        )


def save_account(storage: FullStorage, entries: int, open_items: int) -> None:
    """One customer with so many entries, all but ``open_items`` of them settled in pairs."""
    storage.customers.save(Customer(CUSTOMER, "Kopi Nusantara"))
    pairs = (entries - open_items) // 2
    for batch in batches(range(pairs)):
        rows, parts = [], []
        for number in batch:
            day = TODAY - dt.timedelta(days=1 + number % 3000)
            rows.append(_entry(f"I-{number:07}", day, EntryKind.INVOICE))
            rows.append(_entry(f"P-{number:07}", day, EntryKind.PAYMENT))
            parts.append(
                Allocation(
                    f"A-{number:07}", CUSTOMER, rows[-2].id, rows[-1].id, rows[-1].amount, day
                )
            )
        storage.transact(
            lambda _, r=rows, p=parts: (storage.ledger.save(*r), storage.ledger.allocate(*p))
        )
    for batch in batches(range(open_items)):
        storage.ledger.save(
            *(
                _entry(f"O-{n:07}", TODAY - dt.timedelta(days=n % 200), EntryKind.INVOICE)
                for n in batch
            )
        )


def _entry(entry_id: str, day: dt.date, kind: EntryKind) -> LedgerEntry:
    due = day + dt.timedelta(days=30) if kind is EntryKind.INVOICE else None
    return LedgerEntry(
        id=entry_id,
        customer_id=CUSTOMER,
        currency="EUR",
        date=day,
        kind=kind,
        amount=Decimal("123.45"),
        due_date=due,
        number=entry_id,
    )
