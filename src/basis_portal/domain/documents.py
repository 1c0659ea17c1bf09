"""Documents: sales invoices, sales orders and credit notes, what a customer can look at."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from ..errors import InvalidValue
from .checks import (
    IS_CURRENCY,
    IS_DAY,
    IS_ID,
    OPTIONAL_DAY,
    check_line,
    check_member,
    check_text,
    checked,
    is_member,
    is_text,
    optional_text,
)
from .money import IS_SIGNED_AMOUNT, OPTIONAL_AMOUNT, OPTIONAL_QUANTITY, exact, optional_exact

URL_LIMIT = 2000


class DocumentKind(StrEnum):
    """What a document is."""

    __hash__ = str.__hash__  # that of an enum is Python code, called for each entry of an account

    SALES_INVOICE = "sales_invoice"
    SALES_ORDER = "sales_order"
    CREDIT_NOTE = "credit_note"


class DocumentStatus(StrEnum):
    """Where a document stands. Only issued ones are ever visible to a customer."""

    DRAFT = "draft"
    ISSUED = "issued"
    CANCELLED = "cancelled"


@attrs.define(frozen=True, slots=False)
class DocumentLine:
    """One line of a document, shown as the host gives it.

    Attributes:
        description: what was sold; may hold line breaks.
        quantity: how many, at most 8 decimals, or None.
        unit_price: price of one in the document's currency, at most 8 decimals, or None.
        tax: tax of the line in the document's currency, or None.
        amount: amount of the line in the document's currency, or None.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    description: str = attrs.field(validator=is_text(4000, least=0))
    quantity: Decimal | None = attrs.field(
        default=None, converter=optional_exact, validator=OPTIONAL_QUANTITY
    )
    unit_price: Decimal | None = attrs.field(
        default=None, converter=optional_exact, validator=OPTIONAL_QUANTITY
    )
    tax: Decimal | None = attrs.field(
        default=None, converter=optional_exact, validator=OPTIONAL_AMOUNT
    )
    amount: Decimal | None = attrs.field(
        default=None, converter=optional_exact, validator=OPTIONAL_AMOUNT
    )


def _check_lines(field: str, value: object) -> None:
    if not isinstance(value, tuple):
        raise InvalidValue.of(field, value, "must be a sequence of DocumentLine")
    for position, line in enumerate(value):
        check_member(f"{field}[{position}]", line, DocumentLine)


def _check_https(field: str, value: object) -> None:
    """A link the customer is asked to pay at: https or nothing (``javascript:`` is a URL too)."""
    text = check_line(field, value, limit=URL_LIMIT)
    try:
        from urllib.parse import urlsplit

        parts = urlsplit(text)
        good = parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in text):
        raise InvalidValue.of(field, value, "must be an https address")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@attrs.define(frozen=True, slots=False)
class Document:
    """A sales invoice, sales order or credit note.

    It has no open amount of its own: that comes from the ledger entries that carry its id
    as their ``document_id``.

    Attributes:
        id: the host's id, unique among all documents.
        customer_id: whose document it is.
        kind: invoice, order or credit note.
        status: draft, issued or cancelled. Map ISSUED to "sent", not to "saved".
        number: the number printed on it.
        date: its date, in the seller's calendar.
        currency: three capital letters.
        total: total as the host gives it, in ``currency``.
        due_date: day it is to be paid, or None.
        net, tax: parts of the total, or None.
        reference: the customer's own reference, or None.
        order_number: the order it belongs to, or None.
        lines: its lines.
        pay_url: https address where it can be paid, or None.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    id: str = attrs.field(validator=IS_ID)
    customer_id: str = attrs.field(validator=IS_ID)
    kind: DocumentKind = attrs.field(validator=is_member(DocumentKind))
    status: DocumentStatus = attrs.field(validator=is_member(DocumentStatus))
    number: str = attrs.field(validator=is_text())
    date: dt.date = attrs.field(validator=IS_DAY)
    currency: str = attrs.field(validator=IS_CURRENCY)
    total: Decimal = attrs.field(converter=exact, validator=IS_SIGNED_AMOUNT)
    due_date: dt.date | None = attrs.field(default=None, validator=OPTIONAL_DAY)
    net: Decimal | None = attrs.field(
        default=None, converter=optional_exact, validator=OPTIONAL_AMOUNT
    )
    tax: Decimal | None = attrs.field(
        default=None, converter=optional_exact, validator=OPTIONAL_AMOUNT
    )
    reference: str | None = attrs.field(default=None, validator=optional_text())
    order_number: str | None = attrs.field(default=None, validator=optional_text())
    lines: tuple[DocumentLine, ...] = attrs.field(
        default=(), converter=_as_tuple, validator=checked(_check_lines)
    )
    pay_url: str | None = attrs.field(default=None, validator=checked(_check_https, optional=True))


@attrs.define(frozen=True)
class DocumentFile:
    """A document as a file, such as the host's PDF.

    Attributes:
        name: file name to offer, such as ``INV-1042.pdf``.
        content: the bytes.
        media_type: such as ``application/pdf``.
    """

    name: str = attrs.field(validator=is_text(255))
    content: bytes = attrs.field(validator=is_member(bytes), repr=False)
    media_type: str = attrs.field(
        default="application/pdf", validator=checked(check_text, limit=255)
    )
