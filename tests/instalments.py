"""An invoice of the demo's Kopi Nusantara that is to be paid in instalments."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs

from basis_portal import Document, DocumentKind, DocumentStatus, LedgerEntry
from basis_portal.demo import seller as demo
from basis_portal.domain.money import total


def sell_in_instalments(
    storage: Any, *instalments: tuple[dt.date | None, str], number: str = "INV-R"
) -> Document:
    """Issue it, with an entry for each due date and amount; its own due date is the last one."""
    invoice = Document(
        number,
        demo.KOPI,
        DocumentKind.SALES_INVOICE,
        DocumentStatus.ISSUED,
        number,
        dt.date(2026, 3, 10),
        "EUR",
        total(Decimal(amount) for _, amount in instalments),
        due_date=instalments[-1][0],
        reference="PO-88",
    )
    storage.documents.save(invoice)
    entry = LedgerEntry.of(invoice)
    for due, amount in instalments:
        part = attrs.evolve(entry, id=f"{number} {due}", due_date=due, amount=Decimal(amount))
        storage.ledger.save(part)
    return invoice
