"""Accounts to be taken away, and files read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from tests.access.worlds import opened, over

from basis_portal import Allocation, LedgerEntry, PortalAccess
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import CUSTOMER_ID, a_customer


def access_to(
    entries: Iterable[LedgerEntry],
    allocations: Iterable[Allocation] = (),
    storage: Any = None,
    clock: Any = None,
    **portal: Any,
) -> PortalAccess:
    """The access of the customer of the builders, who has this account."""
    storage = storage or InMemoryStorage()
    storage.customers.save(a_customer(CUSTOMER_ID))
    storage.ledger.save(*entries)
    storage.ledger.allocate(*allocations)
    return opened(over(storage, clock, **portal), CUSTOMER_ID)


def rows_of(pieces: Iterable[bytes]) -> list[dict[str, str]]:
    """The rows of a CSV file by their columns, as a program reads it."""
    text = b"".join(pieces).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def of_row(rows: Iterable[dict[str, str]], currency: str, row: str) -> Iterator[dict[str, str]]:
    """The rows of one kind in one currency."""
    return (one for one in rows if (one["currency"], one["row"]) == (currency, row))
