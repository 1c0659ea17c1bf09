"""Ledger entries and allocations: what statements are made of."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

import attrs

from ..errors import InvalidValue
from .checks import IS_CURRENCY, IS_DAY, IS_ID, OPTIONAL_DAY, OPTIONAL_ID, is_member, optional_text
from .documents import Document, DocumentKind, DocumentStatus
from .money import IS_AMOUNT, IS_AMOUNT_ABOVE_ZERO, exact, negate


class EntryKind(StrEnum):
    """What a ledger entry is; the kind gives the side."""

    __hash__ = str.__hash__  # that of an enum is Python code, called for each entry of an account

    INVOICE = "invoice"
    REFUND = "refund"
    DEBIT_ADJUSTMENT = "debit_adjustment"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    WRITE_OFF = "write_off"
    CREDIT_ADJUSTMENT = "credit_adjustment"

    @property
    def is_debit(self) -> bool:
        """True where the entry adds to what the customer owes."""
        return self in DEBITS


DEBITS = frozenset({EntryKind.INVOICE, EntryKind.REFUND, EntryKind.DEBIT_ADJUSTMENT})

EntryKey = tuple[dt.date, int, str]
"""Place of an entry in a statement: its date, 0 for a debit or 1 for a credit, its id."""


@attrs.define(frozen=True, slots=False)
class LedgerEntry:
    """A dated amount on a customer's account.

    Opening balances and bounced payments are adjustments on their own date; instalments
    are one entry per due date; a cancelled invoice is a reversing entry allocated to it.

    Attributes:
        id: the host's id, unique among all entries.
        customer_id: whose account it is on.
        currency: three capital letters; currencies are never added together.
        date: its date, in the seller's calendar.
        kind: what it is; the kind gives the side.
        amount: in ``currency``, not negative.
        due_date: day it is to be paid, or None.
        document_id: the document it belongs to, or None.
        number: number printed on statements, or None.
        reference: the customer's own reference, or None.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    id: str = attrs.field(validator=IS_ID)
    customer_id: str = attrs.field(validator=IS_ID)
    currency: str = attrs.field(validator=IS_CURRENCY)
    date: dt.date = attrs.field(validator=IS_DAY)
    kind: EntryKind = attrs.field(validator=is_member(EntryKind))
    amount: Decimal = attrs.field(converter=exact, validator=IS_AMOUNT)
    due_date: dt.date | None = attrs.field(default=None, validator=OPTIONAL_DAY)
    document_id: str | None = attrs.field(default=None, validator=OPTIONAL_ID)
    number: str | None = attrs.field(default=None, validator=optional_text())
    reference: str | None = attrs.field(default=None, validator=optional_text())

    @property
    def is_debit(self) -> bool:
        """True where it adds to what the customer owes."""
        return self.kind in DEBITS

    @property
    def signed_amount(self) -> Decimal:
        """The amount, negative for a credit."""
        return self.amount if self.kind in DEBITS else negate(self.amount)

    @property
    def key(self) -> EntryKey:
        """Its place in a statement: by date, debits before credits, then id."""
        return (self.date, 0 if self.kind in DEBITS else 1, self.id)

    @classmethod
    def of(cls, document: Document) -> LedgerEntry:
        """The entry of an issued invoice or credit note, under the document's own id.

        Raises:
            InvalidValue: orders, drafts and cancelled documents have no entry, and an entry
                has no negative amount.
        """
        kinds = {
            DocumentKind.SALES_INVOICE: EntryKind.INVOICE,
            DocumentKind.CREDIT_NOTE: EntryKind.CREDIT_NOTE,
        }
        if document.kind not in kinds:
            raise InvalidValue.of(
                "Document.kind", document.kind, "must be an invoice or credit note"
            )
        if document.status is not DocumentStatus.ISSUED:
            raise InvalidValue.of("Document.status", document.status, "must be issued")
        return cls(
            id=document.id,
            customer_id=document.customer_id,
            currency=document.currency,
            date=document.date,
            kind=kinds[document.kind],
            amount=document.total,
            due_date=document.due_date,
            document_id=document.id,
            number=document.number,
            reference=document.reference,
        )


@attrs.define(frozen=True, slots=False)
class Allocation:
    """The dated part of a credit that settles part of a debit.

    As of a day it counts from the latest of its own date and the dates of its two entries.

    Attributes:
        id: the host's id, unique among all allocations.
        customer_id: whose account it is on.
        debit_id: the entry that is settled.
        credit_id: the entry that settles.
        amount: the part, above 0, in the currency of both entries.
        date: day of the allocation, in the seller's calendar.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    id: str = attrs.field(validator=IS_ID)
    customer_id: str = attrs.field(validator=IS_ID)
    debit_id: str = attrs.field(validator=IS_ID)
    credit_id: str = attrs.field(validator=IS_ID)
    amount: Decimal = attrs.field(converter=exact, validator=IS_AMOUNT_ABOVE_ZERO)
    date: dt.date = attrs.field(validator=IS_DAY)


class AllocationRule(StrEnum):
    """Where allocations come from."""

    EXPLICIT = "explicit"
    """The ledger repository gives them."""
    FIFO = "fifo"
    """The host has none: entries are replayed, the oldest debts are settled first."""
