"""Valid objects of the domain with sensible defaults; keywords override any field.

Nothing here is random and nothing reads a clock: the same call makes an equal object.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from ..domain.audit import AuditEntry, AuditEvent
from ..domain.customers import Customer
from ..domain.documents import Document, DocumentKind, DocumentLine, DocumentStatus
from ..domain.ledger import Allocation, EntryKind, LedgerEntry
from ..domain.mail import SETTLED, Mail, MailKind, MailStatus
from ..domain.messages import Author, InternalNote, Message
from ..domain.portal_token import PortalToken
from .clocks import DEFAULT_START

CUSTOMER_ID = "C-1001"
DAY = dt.date(2025, 1, 15)
NOW = DEFAULT_START


def token_id(number: int) -> str:
    """A well-formed token id for a number, rising with it; it is no secret of any kind."""
    return f"{number:022d}"


def a_customer(id: str = CUSTOMER_ID, **changes: Any) -> Customer:
    """A customer with an e-mail address."""
    fields = {"name": "Kopi Nusantara", "email": "finance@kopi.example", "number": "1001"}
    return Customer(**{"id": id, **fields, **changes})


def a_line(**changes: Any) -> DocumentLine:
    """A line of a document: two of something."""
    fields = {
        "description": "Coffee, 1 kg",
        "quantity": Decimal(2),
        "unit_price": Decimal("50.00"),
        "tax": Decimal("19.00"),
        "amount": Decimal("100.00"),
    }
    return DocumentLine(**{**fields, **changes})


def an_invoice(id: str = "INV-1", **changes: Any) -> Document:
    """An issued sales invoice of 119.00 with one line, due in 30 days."""
    fields: dict[str, Any] = {
        "kind": DocumentKind.SALES_INVOICE,
        "due_date": dt.date(2025, 2, 14),
        "order_number": "SO-1",
    }
    return _document(id, **{**fields, **changes})


def a_credit_note(id: str = "CN-1", **changes: Any) -> Document:
    """An issued credit note of 119.00 with one line."""
    return _document(id, **{"kind": DocumentKind.CREDIT_NOTE, **changes})


def an_order(id: str = "SO-1", **changes: Any) -> Document:
    """An issued sales order of 119.00 with one line."""
    return _document(id, **{"kind": DocumentKind.SALES_ORDER, **changes})


def _document(id: str, **changes: Any) -> Document:
    fields = {
        "customer_id": CUSTOMER_ID,
        "status": DocumentStatus.ISSUED,
        "number": id,
        "date": DAY,
        "currency": "EUR",
        "total": Decimal("119.00"),
        "net": Decimal("100.00"),
        "tax": Decimal("19.00"),
        "reference": "PO-77",
        "lines": (a_line(),),
    }
    return Document(**{"id": id, **fields, **changes})


def an_entry(id: str = "INV-1", **changes: Any) -> LedgerEntry:
    """The ledger entry of an invoice of 119.00, due in 30 days."""
    fields: dict[str, Any] = {
        "customer_id": CUSTOMER_ID,
        "currency": "EUR",
        "date": DAY,
        "kind": EntryKind.INVOICE,
        "amount": Decimal("119.00"),
        "due_date": dt.date(2025, 2, 14),
        "document_id": id,
        "number": id,
    }
    return LedgerEntry(**{"id": id, **fields, **changes})


def a_payment(id: str = "PAY-1", **changes: Any) -> LedgerEntry:
    """The ledger entry of a payment of 119.00 that came in ten days after the invoice."""
    fields: dict[str, Any] = {
        "kind": EntryKind.PAYMENT,
        "date": dt.date(2025, 1, 25),
        "due_date": None,
        "document_id": None,
    }
    return an_entry(id, **{**fields, **changes})


def an_allocation(id: str = "ALLOC-1", **changes: Any) -> Allocation:
    """The allocation of all of `a_payment` to `an_entry`."""
    fields = {
        "customer_id": CUSTOMER_ID,
        "debit_id": "INV-1",
        "credit_id": "PAY-1",
        "amount": Decimal("119.00"),
        "date": dt.date(2025, 1, 25),
    }
    return Allocation(**{"id": id, **fields, **changes})


def a_token(id: str = token_id(1), **changes: Any) -> PortalToken:
    """A current token issued at `NOW` for 30 days."""
    fields = {
        "customer_id": CUSTOMER_ID,
        "issued_at": NOW,
        "issued_by": "ana",
        "expires_at": NOW + dt.timedelta(days=30),
        "key_fingerprint": "key-1",
    }
    return PortalToken(**{"id": id, **fields, **changes})


def a_message(id: str = "M-1", **changes: Any) -> Message:
    """A message a customer wrote at `NOW`, unread."""
    fields = {
        "customer_id": CUSTOMER_ID,
        "at": NOW,
        "author": Author.CUSTOMER,
        "text": "Paid today, see remittance 4711.",
    }
    return Message(**{"id": id, **fields, **changes})


def a_note(id: str = "N-1", **changes: Any) -> InternalNote:
    """An internal note a member of staff wrote at `NOW`."""
    fields = {
        "customer_id": CUSTOMER_ID,
        "at": NOW,
        "by": "ana",
        "text": "Pays late, but pays.",
    }
    return InternalNote(**{"id": id, **fields, **changes})


def a_mail(id: str = "E-1", **changes: Any) -> Mail:
    """A customer's link, to be sent from `NOW` on; taken or settled then, where its status says."""
    status = changes.get("status", MailStatus.QUEUED)
    fields = {
        "kind": MailKind.LINK,
        "queued_at": NOW,
        "due_at": NOW,
        "customer_id": CUSTOMER_ID,
        "by": "ana",
        "claimed_at": None if status is MailStatus.QUEUED else NOW,
        "settled_at": NOW if status in SETTLED else None,
    }
    return Mail(**{"id": id, **fields, **changes})


def an_audit_entry(event: AuditEvent = AuditEvent.ISSUED, **changes: Any) -> AuditEntry:
    """A line of the audit trail: a token was issued at `NOW`."""
    fields = {
        "at": NOW,
        "by": "ana",
        "customer_id": CUSTOMER_ID,
        "token_id": token_id(1),
    }
    return AuditEntry(**{"event": event, **fields, **changes})
